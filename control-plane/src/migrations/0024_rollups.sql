-- sales: additive sums per shop and trading day, moved in the transaction of the events that make them.
-- The currency is part of the key: two currencies are never added. fillfactor leaves room for updates in place.
CREATE TABLE app.sales_days (
    tenant_id         uuid   NOT NULL,
    shop_id           uuid   NOT NULL,
    business_date     date   NOT NULL,
    currency          text   NOT NULL,
    sales             bigint NOT NULL,
    returns           bigint NOT NULL,
    lines             bigint NOT NULL,
    gross_sales_minor bigint NOT NULL,
    returns_minor     bigint NOT NULL,
    tax_minor         bigint NOT NULL,
    discounts_minor   bigint NOT NULL,
    rounding_minor    bigint NOT NULL,
    -- tickets whose total HQ counts otherwise or cannot count
    mismatched        bigint NOT NULL,
    late_entries      bigint NOT NULL,
    -- set when the figures changed after the day had passed
    restated_at       timestamptz,
    updated_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, shop_id, business_date, currency)
) WITH (fillfactor = 70);

CREATE TABLE app.sales_hours (
    tenant_id         uuid     NOT NULL,
    shop_id           uuid     NOT NULL,
    business_date     date     NOT NULL,
    -- hour on the clock of the shop's wall, 0 to 23
    hour              smallint NOT NULL CHECK (hour BETWEEN 0 AND 23),
    currency          text     NOT NULL,
    sales             bigint   NOT NULL,
    returns           bigint   NOT NULL,
    lines             bigint   NOT NULL,
    gross_sales_minor bigint   NOT NULL,
    returns_minor     bigint   NOT NULL,
    tax_minor         bigint   NOT NULL,
    PRIMARY KEY (tenant_id, shop_id, business_date, hour, currency)
) WITH (fillfactor = 70);

CREATE TABLE app.product_days (
    tenant_id      uuid   NOT NULL,
    shop_id        uuid   NOT NULL,
    business_date  date   NOT NULL,
    currency       text   NOT NULL,
    -- '' gathers the open-price lines
    code           text   COLLATE "C" NOT NULL,
    -- what the receipt called it last
    description    text   NOT NULL,
    lines          bigint NOT NULL,
    quantity_milli bigint NOT NULL,
    net_minor      bigint NOT NULL,
    tax_minor      bigint NOT NULL,
    PRIMARY KEY (tenant_id, shop_id, business_date, currency, code)
) WITH (fillfactor = 70);

CREATE TABLE app.stock_days (
    tenant_id     uuid   NOT NULL,
    shop_id       uuid   NOT NULL,
    business_date date   NOT NULL,
    write_offs    bigint NOT NULL,
    lines         bigint NOT NULL,
    restated_at   timestamptz,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, shop_id, business_date)
) WITH (fillfactor = 70);

SELECT app.protect('sales_days');
SELECT app.protect('sales_hours');
SELECT app.protect('product_days');
SELECT app.protect('stock_days');
