-- sales: what each product came to from the first day of a year to the end of one of its months. A long range is then the
-- difference of two such sums and a few days at its ends, instead of every product of every day. Made by upkeep, not by
-- ingest, which it costs nothing; `tickets` is how many tickets it holds, so that a reader who finds another number in
-- app.sales_days knows that it is stale and adds the days. Tickets only ever come to a day: equal numbers are equal sums.
-- Whoever makes roll-ups anew empties app.product_year_heads.
CREATE TABLE app.product_year_heads (
    tenant_id uuid        NOT NULL,
    shop_id   uuid        NOT NULL,
    -- the last day of the month
    through   date        NOT NULL,
    tickets   bigint      NOT NULL,
    made_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, shop_id, through)
);
CREATE TABLE app.product_years (
    tenant_id      uuid   NOT NULL,
    shop_id        uuid   NOT NULL,
    through        date   NOT NULL,
    currency       text   NOT NULL,
    code           text   COLLATE "C" NOT NULL,
    description    text   NOT NULL,
    lines          bigint NOT NULL,
    quantity_milli bigint NOT NULL,
    net_minor      bigint NOT NULL,
    tax_minor      bigint NOT NULL,
    PRIMARY KEY (tenant_id, shop_id, through, currency, code)
);
SELECT app.protect('product_year_heads');
SELECT app.protect('product_years');
