-- sales: events as nodes sent them, and the cursors that say which of them are known.
-- No foreign key between event-made rows: order of arrival is free, and a check per row is what ingest spends
-- least on. No partitions yet: the name of an event (node, term, stream, seq) does not contain a date, so a
-- unique key across month partitions cannot exist; the cursor row is the authority on what is new, the primary
-- key below is its second witness. The key grows at its right edge per node, so inserts touch few pages however
-- long the history is, and the BRIN index lets an archive find a month without a B-tree entry per event.
CREATE TABLE app.events (
    tenant_id     uuid        NOT NULL,
    node_id       uuid        NOT NULL,
    term          bigint      NOT NULL,
    stream        smallint    NOT NULL,
    seq           bigint      NOT NULL CHECK (seq > 0),
    shop_id       uuid        NOT NULL,
    kind          integer     NOT NULL,
    version       smallint    NOT NULL,
    body          bytea       NOT NULL,
    -- Chain hash over all events up to this one; null until everything before it is here.
    chain_hash    bytea       CHECK (octet_length(chain_hash) = 32),
    -- Why a known kind could not be projected; such an event is kept and acknowledged, and counts nowhere.
    flaw          text,
    business_date date,
    received_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, node_id, term, stream, seq)
);
CREATE INDEX events_by_receipt ON app.events USING brin (received_at) WITH (pages_per_range = 32);
CREATE INDEX events_flawed ON app.events (tenant_id, shop_id, received_at) WHERE flaw IS NOT NULL;

CREATE TABLE app.event_cursors (
    tenant_id  uuid        NOT NULL,
    node_id    uuid        NOT NULL,
    term       bigint      NOT NULL,
    stream     smallint    NOT NULL,
    shop_id    uuid        NOT NULL,
    -- Known seqs as [first, last, first, last, ...], rising, inclusive.
    ranges     bigint[]    NOT NULL DEFAULT '{}',
    resent     bigint      NOT NULL DEFAULT 0,
    forks      bigint      NOT NULL DEFAULT 0,
    flawed     bigint      NOT NULL DEFAULT 0,
    -- How far the chain is verified, and its hash there (null at 0: the genesis hash is computed).
    head_seq   bigint      NOT NULL DEFAULT 0,
    head_hash  bytea       CHECK (octet_length(head_hash) = 32),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, node_id, term, stream)
) WITH (fillfactor = 50);
CREATE INDEX event_cursors_by_shop ON app.event_cursors (tenant_id, shop_id);

-- A known seq that came again with another content: two boxes under one name, or a forger. Kept, never counted.
CREATE TABLE app.event_forks (
    tenant_id    uuid        NOT NULL,
    node_id      uuid        NOT NULL,
    term         bigint      NOT NULL,
    stream       smallint    NOT NULL,
    seq          bigint      NOT NULL,
    content_hash bytea       NOT NULL CHECK (octet_length(content_hash) = 32),
    shop_id      uuid        NOT NULL,
    kind         integer     NOT NULL,
    version      smallint    NOT NULL,
    body         bytea       NOT NULL,
    received_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, node_id, term, stream, seq, content_hash)
);

SELECT app.protect('events');
SELECT app.protect('event_cursors');
SELECT app.protect('event_forks');
