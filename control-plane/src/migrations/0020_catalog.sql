-- catalog: what a tenant sells. One catalogue per tenant with a version that only rises: its row is locked by
-- every change, so versions have no holes that a reader could fall into. A product carries the version of its
-- last change, and a removed product stays as a tombstone (deleted_at), so that the way from ANY earlier
-- version to the present is one index range and never has to be kept as a log.
CREATE TABLE app.catalogues (
    tenant_id  uuid        NOT NULL,
    version    bigint      NOT NULL CHECK (version >= 0),
    live       integer     NOT NULL DEFAULT 0 CHECK (live >= 0),
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id)
);

CREATE TABLE app.products (
    tenant_id     uuid        NOT NULL,
    -- "C": codes are compared by their bytes; "85123A" and "85123a" are two products.
    code          text        COLLATE "C" NOT NULL CHECK (code <> '' AND octet_length(code) <= 64),
    description   text        NOT NULL CHECK (octet_length(description) <= 512),
    unit_price_e4 bigint      NOT NULL CHECK (unit_price_e4 >= 0),
    tax_rate_ppm  integer     NOT NULL CHECK (tax_rate_ppm >= 0),
    unit          smallint    NOT NULL CHECK (unit BETWEEN 0 AND 3),
    barcodes      text[]      NOT NULL DEFAULT '{}',
    version       bigint      NOT NULL CHECK (version > 0),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    deleted_at    timestamptz,
    PRIMARY KEY (tenant_id, code)
);
-- Deltas: everything after the version a node has.
CREATE INDEX products_by_version ON app.products (tenant_id, version);

SELECT app.protect('catalogues');
SELECT app.protect('products');
