-- analytics: which trading days that had passed a person of the tenant has looked at, and when first. What arrives for a
-- day afterwards changes a figure somebody may have written down, and is told; a backlog that nobody waited for is not.
CREATE TABLE app.days_seen (
    tenant_id     uuid        NOT NULL,
    shop_id       uuid        NOT NULL,
    business_date date        NOT NULL,
    first_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, shop_id, business_date)
);
SELECT app.protect('days_seen');
