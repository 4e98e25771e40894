-- identity: a session of a browser has a key of its own, kept in a cookie there and as a hash here.
ALTER TABLE app.sessions ADD COLUMN page_hash bytea CHECK (octet_length(page_hash) = 32);
CREATE UNIQUE INDEX sessions_by_page ON app.sessions (tenant_id, page_hash) WHERE page_hash IS NOT NULL;

-- Whose page session it is, if it stands: app.session_standing by the cookie's hash. Under row-level security and
-- outside a transaction, as there.
CREATE FUNCTION app.page_standing(of_tenant uuid, of_hash bytea, at timestamptz)
RETURNS TABLE (session_id uuid, person_id uuid, tenant_name text)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM set_config('app.tenant_id', of_tenant::text, true);
    RETURN QUERY
        SELECT s.session_id, s.person_id, t.name
        FROM app.sessions s
        JOIN app.memberships m ON m.tenant_id = s.tenant_id AND m.person_id = s.person_id AND m.ended_at IS NULL
        JOIN app.tenants t ON t.tenant_id = s.tenant_id AND t.suspended_at IS NULL
        WHERE s.tenant_id = of_tenant AND s.page_hash = of_hash AND s.ended_at IS NULL AND s.expires_at > at;
END $$;
REVOKE ALL ON FUNCTION app.page_standing(uuid, bytea, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.page_standing(uuid, bytea, timestamptz) TO tw_app;
