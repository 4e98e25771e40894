-- rights: row-level security by shop. Who holds a permission for some shops only works in transactions that say which
-- (app.shop_ids, an array of uuid); in them the rows of other shops are not there. A restrictive policy: it only ever
-- takes away from what the policy `tenant` shows.
--
-- Unset or empty means no narrowing (a setting that was ever set in a session comes back as the empty string); the empty
-- array '{}' means no shop at all. Both halves are sub-selects without a reference to the row, so that they are evaluated
-- once a statement, and for everybody whom nothing narrows the policy is one comparison of a boolean a row.
--
-- What belongs to a shop: a table with a column shop_id that is not null; and one without it whose node_id is not null
-- (of a node, which is of a shop). Rows of a node are looked up in app.nodes only where something is narrowed.
-- A table whose shop_id may be null says itself what null means; there is none so far.
CREATE FUNCTION app.protect_shops(part regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    free  constant text := '(SELECT nullif(current_setting(''app.shop_ids'', true), '''') IS NULL)';
    among constant text := 'ANY ((SELECT nullif(current_setting(''app.shop_ids'', true), '''')::uuid[])::uuid[])';
    has_shop boolean;
    has_node boolean;
    rule text;
BEGIN
    SELECT coalesce(bool_or(attname = 'shop_id' AND attnotnull), false),
           coalesce(bool_or(attname = 'node_id' AND attnotnull) AND NOT bool_or(attname = 'shop_id'), false)
    INTO has_shop, has_node
    FROM pg_attribute WHERE attrelid = part AND attnum > 0 AND NOT attisdropped;
    EXECUTE format('DROP POLICY IF EXISTS shop ON %s', part);
    IF has_shop THEN
        rule := format('%s OR shop_id = %s', free, among);
    ELSIF has_node THEN
        rule := format('%s OR EXISTS (SELECT FROM app.nodes n WHERE n.tenant_id = %s.tenant_id '
            'AND n.node_id = %2$s.node_id AND n.shop_id = %s)', free, part, among);
    ELSE
        RETURN;
    END IF;
    EXECUTE format('CREATE POLICY shop ON %s AS RESTRICTIVE FOR ALL TO tw_app, tw_report USING (%s) WITH CHECK (%2$s)',
        part, rule);
END $$;
REVOKE ALL ON FUNCTION app.protect_shops(regclass) FROM PUBLIC;

-- As in 0001, and by shop.
CREATE OR REPLACE FUNCTION app.protect(target text) RETURNS void
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
        PERFORM app.protect_shops(part);
    END LOOP;
    IF NOT (SELECT relispartition FROM pg_class WHERE oid = root) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tw_app', root);
        EXECUTE format('GRANT SELECT ON %s TO tw_report', root);
    END IF;
END $$;

-- The tables that are there already: only the new policy, because some have fewer rights by now than app.protect gives.
SELECT app.protect_shops(c.oid) FROM pg_class c
WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p');
