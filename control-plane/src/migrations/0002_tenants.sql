-- tenants: the customer organisations. A tenant's row stands under its own tenant_id like everything else of it.
CREATE TABLE app.tenants (
    tenant_id    uuid        PRIMARY KEY,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at   timestamptz NOT NULL,
    suspended_at timestamptz
);
SELECT app.protect('tenants');
SELECT app.platform_reads('tenants');
