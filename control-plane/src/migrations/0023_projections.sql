-- sales: what the events say, as rows. Every row is named by its event, so that each number leads back to it,
-- and all of it can be made again from app.events.
CREATE TABLE app.tickets (
    tenant_id          uuid        NOT NULL,
    node_id            uuid        NOT NULL,
    term               bigint      NOT NULL,
    seq                bigint      NOT NULL,
    shop_id            uuid        NOT NULL,
    ticket_id          uuid        NOT NULL,
    lane_id            uuid        NOT NULL,
    cashier_id         uuid,
    shift_id           uuid,
    kind               smallint    NOT NULL,
    business_date      date        NOT NULL,
    hour               smallint    NOT NULL,
    occurred_at        timestamptz NOT NULL,
    recorded_at        timestamptz NOT NULL,
    late_entry         boolean     NOT NULL,
    reference          text,
    currency           text        NOT NULL,
    arithmetic         integer     NOT NULL,
    line_count         integer     NOT NULL,
    voided_count       integer     NOT NULL,
    gross_minor        bigint      NOT NULL,
    discounts_minor    bigint      NOT NULL,
    net_minor          bigint      NOT NULL,
    tax_minor          bigint      NOT NULL,
    total_minor        bigint      NOT NULL,
    rounding_minor     bigint      NOT NULL,
    -- 0: HQ counts the same; 1: HQ counts otherwise; 2: HQ cannot count it. The lane's figure stands in all.
    check_result       smallint    NOT NULL,
    hq_total_minor     bigint,
    PRIMARY KEY (tenant_id, node_id, term, seq)
);
CREATE INDEX tickets_by_day ON app.tickets (tenant_id, business_date, occurred_at, node_id, term, seq);
CREATE INDEX tickets_by_shop_day ON app.tickets (tenant_id, shop_id, business_date, occurred_at, node_id, term, seq);
-- One basket is one ticket, whatever was sent: completeness counts what stands here twice.
CREATE INDEX tickets_by_ticket ON app.tickets (tenant_id, shop_id, ticket_id);

CREATE TABLE app.ticket_lines (
    tenant_id      uuid     NOT NULL,
    node_id        uuid     NOT NULL,
    term           bigint   NOT NULL,
    seq            bigint   NOT NULL,
    line_no        integer  NOT NULL,
    shop_id        uuid     NOT NULL,
    business_date  date     NOT NULL,
    code           text     COLLATE "C",
    description    text     NOT NULL,
    quantity_milli bigint   NOT NULL,
    unit_price_e4  bigint   NOT NULL,
    -- 0: price book; 1: overridden by a person; 2: open price
    pricing        smallint NOT NULL,
    gross_minor    bigint   NOT NULL,
    discount_minor bigint   NOT NULL,
    net_minor      bigint   NOT NULL,
    tax_minor      bigint   NOT NULL,
    tax_rate_ppm   integer  NOT NULL,
    PRIMARY KEY (tenant_id, node_id, term, seq, line_no)
);

CREATE TABLE app.ticket_tenders (
    tenant_id     uuid     NOT NULL,
    node_id       uuid     NOT NULL,
    term          bigint   NOT NULL,
    seq           bigint   NOT NULL,
    tender_no     integer  NOT NULL,
    shop_id       uuid     NOT NULL,
    business_date date     NOT NULL,
    kind          smallint NOT NULL,
    amount_minor  bigint   NOT NULL,
    change_minor  bigint   NOT NULL,
    PRIMARY KEY (tenant_id, node_id, term, seq, tender_no)
);

CREATE TABLE app.ticket_taxes (
    tenant_id     uuid     NOT NULL,
    node_id       uuid     NOT NULL,
    term          bigint   NOT NULL,
    seq           bigint   NOT NULL,
    tax_no        integer  NOT NULL,
    shop_id       uuid     NOT NULL,
    business_date date     NOT NULL,
    rate_ppm      integer  NOT NULL,
    base_minor    bigint   NOT NULL,
    tax_minor     bigint   NOT NULL,
    PRIMARY KEY (tenant_id, node_id, term, seq, tax_no)
);

CREATE TABLE app.write_offs (
    tenant_id       uuid        NOT NULL,
    node_id         uuid        NOT NULL,
    term            bigint      NOT NULL,
    seq             bigint      NOT NULL,
    shop_id         uuid        NOT NULL,
    lane_id         uuid        NOT NULL,
    person_id       uuid,
    business_date   date        NOT NULL,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    late_entry      boolean     NOT NULL,
    reason          text        NOT NULL,
    reference       text,
    idempotency_key text        NOT NULL,
    PRIMARY KEY (tenant_id, node_id, term, seq)
);
CREATE INDEX write_offs_by_shop_day ON app.write_offs (tenant_id, shop_id, business_date);

CREATE TABLE app.write_off_lines (
    tenant_id      uuid    NOT NULL,
    node_id        uuid    NOT NULL,
    term           bigint  NOT NULL,
    seq            bigint  NOT NULL,
    line_no        integer NOT NULL,
    shop_id        uuid    NOT NULL,
    business_date  date    NOT NULL,
    code           text    COLLATE "C" NOT NULL,
    description    text    NOT NULL,
    quantity_milli bigint  NOT NULL,
    value_minor    bigint,
    PRIMARY KEY (tenant_id, node_id, term, seq, line_no)
);

SELECT app.protect('tickets');
SELECT app.protect('ticket_lines');
SELECT app.protect('ticket_tenders');
SELECT app.protect('ticket_taxes');
SELECT app.protect('write_offs');
SELECT app.protect('write_off_lines');
