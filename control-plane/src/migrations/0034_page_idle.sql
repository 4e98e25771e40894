-- identity: a browser's session also ends when nobody uses it. When it was last used is written down every few minutes,
-- not with every page.
ALTER TABLE app.sessions ADD COLUMN used_at timestamptz;

-- As app.page_standing of 0006, which servers of the version before still ask: here a session stands only if it was used
-- (or began) after `idle_since`, and a use after `note_since` is noted. What looks by itself, such as the stream of the
-- live page, is no use: it asks with `used` false.
CREATE FUNCTION app.page_standing(of_tenant uuid, of_hash bytea, at timestamptz, idle_since timestamptz,
    note_since timestamptz, used boolean)
RETURNS TABLE (session_id uuid, person_id uuid, tenant_name text)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog AS $$
DECLARE
    last_used timestamptz;
BEGIN
    PERFORM set_config('app.tenant_id', of_tenant::text, true);
    SELECT s.session_id, s.person_id, t.name, coalesce(s.used_at, s.created_at)
    INTO session_id, person_id, tenant_name, last_used
    FROM app.sessions s
    JOIN app.memberships m ON m.tenant_id = s.tenant_id AND m.person_id = s.person_id AND m.ended_at IS NULL
    JOIN app.tenants t ON t.tenant_id = s.tenant_id AND t.suspended_at IS NULL
    WHERE s.tenant_id = of_tenant AND s.page_hash = of_hash AND s.ended_at IS NULL AND s.expires_at > at
        AND coalesce(s.used_at, s.created_at) > idle_since;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF used AND last_used < note_since THEN
        UPDATE app.sessions s SET used_at = at WHERE s.tenant_id = of_tenant AND s.page_hash = of_hash;
    END IF;
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION app.page_standing(uuid, bytea, timestamptz, timestamptz, timestamptz, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.page_standing(uuid, bytea, timestamptz, timestamptz, timestamptz, boolean) TO tw_app;
