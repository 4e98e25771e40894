-- keys: what programs use the API with. Kept as a hash; made by a person, worth no more than that person may, and over when
-- they leave.
CREATE TABLE app.api_keys (
    tenant_id   uuid        NOT NULL,
    key_id      uuid        NOT NULL,
    person_id   uuid        NOT NULL,
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    key_hash    bytea       NOT NULL CHECK (octet_length(key_hash) = 32),
    -- Permissions by name, and the shops they are good for; none: the whole company.
    permissions jsonb       NOT NULL,
    shops       jsonb,
    made_at     timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    revoked_at  timestamptz,
    PRIMARY KEY (tenant_id, key_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES app.memberships (tenant_id, person_id)
);
CREATE UNIQUE INDEX api_keys_by_hash ON app.api_keys (tenant_id, key_hash);
CREATE INDEX api_keys_by_person ON app.api_keys (tenant_id, person_id) WHERE revoked_at IS NULL;
SELECT app.protect('api_keys');

-- Whose key it is, if it stands: as app.session_state. Its use is noted every few minutes.
CREATE FUNCTION app.key_state(of_tenant uuid, of_hash bytea, at timestamptz, note_since timestamptz)
RETURNS TABLE (key_id uuid, person_id uuid, policy_version bigint, suspended boolean)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog AS $$
DECLARE
    last_used timestamptz;
BEGIN
    PERFORM set_config('app.tenant_id', of_tenant::text, true);
    SELECT k.key_id, k.person_id, t.policy_version + app.registry_version(), t.suspended_at IS NOT NULL, k.used_at
    INTO key_id, person_id, policy_version, suspended, last_used
    FROM app.api_keys k
    JOIN app.memberships m ON m.tenant_id = k.tenant_id AND m.person_id = k.person_id AND m.ended_at IS NULL
    JOIN app.tenants t ON t.tenant_id = k.tenant_id AND t.closed_at IS NULL
    WHERE k.tenant_id = of_tenant AND k.key_hash = of_hash AND k.revoked_at IS NULL AND k.expires_at > at;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF last_used IS NULL OR last_used < note_since THEN
        UPDATE app.api_keys k SET used_at = at WHERE k.tenant_id = of_tenant AND k.key_hash = of_hash;
    END IF;
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION app.key_state(uuid, bytea, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.key_state(uuid, bytea, timestamptz, timestamptz) TO tw_app;
