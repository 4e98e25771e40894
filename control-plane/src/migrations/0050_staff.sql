-- staff: who works at the lanes of a tenant, in which shops, and what needs a second person there. PINs are kept as
-- slow verifiers, sealed under a key that is not in the database.
CREATE TABLE app.staff (
    tenant_id      uuid        NOT NULL REFERENCES app.tenants (tenant_id),
    staff_id       uuid        NOT NULL,
    name           text        NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    short_name     text        NOT NULL CHECK (length(short_name) BETWEEN 1 AND 40),
    -- Somebody who also signs in at head office.
    person_id      uuid,
    role           text        NOT NULL CHECK (role IN ('cashier', 'supervisor', 'manager')),
    -- Bits of protocol::staff::Rights beside those of the role.
    rights_added   integer     NOT NULL DEFAULT 0 CHECK (rights_added >= 0),
    rights_removed integer     NOT NULL DEFAULT 0 CHECK (rights_removed >= 0),
    discount_ppm   integer     CHECK (discount_ppm BETWEEN 0 AND 1000000),
    discount_minor bigint      CHECK (discount_minor >= 0),
    all_shops      boolean     NOT NULL,
    -- Rows of app.staff_shops: whoever sees some shops only learns by it that there are others.
    shop_count     integer     NOT NULL CHECK (shop_count >= 0),
    pin_salt       bytea       CHECK (length(pin_salt) = 16),
    pin_sealed     bytea,
    pin_set_at     timestamptz,
    version        bigint      NOT NULL CHECK (version > 0),
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    ended_at       timestamptz,
    PRIMARY KEY (tenant_id, staff_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES app.memberships (tenant_id, person_id),
    CHECK ((pin_salt IS NULL) = (pin_sealed IS NULL) AND (pin_salt IS NULL) = (pin_set_at IS NULL))
);
CREATE INDEX staff_by_name ON app.staff (tenant_id, name, staff_id);
SELECT app.protect('staff');

-- In which shops somebody works who does not work in all of them.
CREATE TABLE app.staff_shops (
    tenant_id uuid NOT NULL,
    staff_id  uuid NOT NULL,
    shop_id   uuid NOT NULL,
    PRIMARY KEY (tenant_id, staff_id, shop_id),
    FOREIGN KEY (tenant_id, staff_id) REFERENCES app.staff (tenant_id, staff_id),
    FOREIGN KEY (tenant_id, shop_id) REFERENCES app.shops (tenant_id, shop_id)
);
CREATE INDEX staff_shops_by_shop ON app.staff_shops (tenant_id, shop_id, staff_id);
SELECT app.protect('staff_shops');

-- What needs approval in a shop, and the version of its people: it rises with every change of either.
CREATE TABLE app.staff_rules (
    tenant_id               uuid        NOT NULL,
    shop_id                 uuid        NOT NULL,
    version                 bigint      NOT NULL CHECK (version > 0),
    -- Of the rules alone, for whoever edits them.
    rules_version           bigint      NOT NULL CHECK (rules_version > 0),
    cashier_required        boolean     NOT NULL DEFAULT false,
    idle_minutes            integer     NOT NULL DEFAULT 0 CHECK (idle_minutes BETWEEN 0 AND 1440),
    void_line_above_minor   bigint      CHECK (void_line_above_minor >= 0),
    void_ticket_above_minor bigint      CHECK (void_ticket_above_minor >= 0),
    refund_above_minor      bigint      CHECK (refund_above_minor >= 0),
    no_sale                 boolean     NOT NULL DEFAULT false,
    discount_above_ppm      integer     CHECK (discount_above_ppm BETWEEN 0 AND 1000000),
    discount_above_minor    bigint      CHECK (discount_above_minor >= 0),
    updated_at              timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, shop_id),
    FOREIGN KEY (tenant_id, shop_id) REFERENCES app.shops (tenant_id, shop_id)
);
SELECT app.protect('staff_rules');
