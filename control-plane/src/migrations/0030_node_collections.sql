-- fleet: which version of what HQ sends down each node says it holds. A row per node and collection, written only
-- when the node says another version than before, so that an idle fleet writes nothing.
CREATE TABLE app.node_collections (
    tenant_id  uuid        NOT NULL,
    node_id    uuid        NOT NULL,
    collection smallint    NOT NULL,
    -- 0: the node has nothing, or asked for the whole.
    version    bigint      NOT NULL CHECK (version >= 0),
    said_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, node_id, collection),
    FOREIGN KEY (tenant_id, node_id) REFERENCES app.nodes (tenant_id, node_id)
) WITH (fillfactor = 50);
SELECT app.protect('node_collections');
