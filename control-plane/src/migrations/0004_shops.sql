-- shops: the stores of a tenant and the settings their nodes trade by. The version rises with every change, so
-- that a node knows whether what it has is current.
CREATE TABLE app.shops (
    tenant_id              uuid        NOT NULL REFERENCES app.tenants (tenant_id),
    shop_id                uuid        NOT NULL,
    name                   text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    time_zone              text        NOT NULL,
    day_starts_minutes     smallint    NOT NULL CHECK (day_starts_minutes BETWEEN 0 AND 719),
    currency               text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    tax_mode               text        NOT NULL CHECK (tax_mode IN ('inclusive', 'exclusive')),
    tax_basis              text        NOT NULL CHECK (tax_basis IN ('per_receipt', 'per_line')),
    cash_step              integer     NOT NULL CHECK (cash_step BETWEEN 0 AND 65535),
    late_entry             boolean     NOT NULL,
    open_line_tax_rate_ppm integer     NOT NULL CHECK (open_line_tax_rate_ppm BETWEEN 0 AND 10000000),
    version                bigint      NOT NULL CHECK (version > 0),
    created_at             timestamptz NOT NULL,
    updated_at             timestamptz NOT NULL,
    deleted_at             timestamptz,
    PRIMARY KEY (tenant_id, shop_id)
);
SELECT app.protect('shops');
