-- foundation: the two schemas, and the one way a table of a tenant is protected.
-- Roles are made before this file runs (they belong to the cluster): tw_owner owns and migrates, tw_app serves,
-- tw_report reads, tw_platform reaches the few things without a tenant.
CREATE SCHEMA app;
CREATE SCHEMA platform;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA app TO tw_app, tw_report, tw_platform;
GRANT USAGE ON SCHEMA platform TO tw_platform;
GRANT USAGE ON SCHEMA migrations TO tw_app, tw_platform;
GRANT SELECT ON ALL TABLES IN SCHEMA migrations TO tw_app, tw_platform;

-- Protects a table of schema app, and all its partitions: forced row-level security by tenant; rights on the
-- table itself, never on a partition (a partition asked by name does not see the policy of its parent).
-- Call it again after a partition was added.
CREATE FUNCTION app.protect(target text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    root regclass := format('app.%I', regexp_replace(target, '^app\.', ''))::regclass;
    part regclass;
BEGIN
    FOR part IN
        SELECT root UNION SELECT relid FROM pg_partition_tree(root)
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', part);
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, tw_app, tw_report', part);
        EXECUTE format('DROP POLICY IF EXISTS tenant ON %s', part);
        -- The sub-select is evaluated once per statement, not once per row; nullif because a setting that was
        -- ever set in the session comes back as the empty string.
        EXECUTE format(
            'CREATE POLICY tenant ON %s AS PERMISSIVE FOR ALL TO tw_app, tw_report '
            'USING (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid)) '
            'WITH CHECK (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid))', part);
    END LOOP;
    IF NOT (SELECT relispartition FROM pg_class WHERE oid = root) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tw_app', root);
        EXECUTE format('GRANT SELECT ON %s TO tw_report', root);
    END IF;
END $$;
REVOKE ALL ON FUNCTION app.protect(text) FROM PUBLIC;

-- Lets tw_platform read a table of all tenants (never write it). The catalogue check holds the list of the
-- tables this may be done to.
CREATE FUNCTION app.platform_reads(target text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    root regclass := format('app.%I', regexp_replace(target, '^app\.', ''))::regclass;
BEGIN
    EXECUTE format('DROP POLICY IF EXISTS platform ON %s', root);
    EXECUTE format('CREATE POLICY platform ON %s AS PERMISSIVE FOR SELECT TO tw_platform USING (true)', root);
    EXECUTE format('GRANT SELECT ON %s TO tw_platform', root);
END $$;
REVOKE ALL ON FUNCTION app.platform_reads(text) FROM PUBLIC;

-- Who reached across tenants, and why: one row per SystemTx.
CREATE TABLE platform.system_access (
    access_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason    text        NOT NULL
);
CREATE INDEX system_access_by_time ON platform.system_access USING brin (at);
GRANT SELECT, INSERT, DELETE ON platform.system_access TO tw_platform;
