-- tenants: registration by the public, how a company's account stands, and what a company says of itself.

-- Somebody wants a company here. No person comes of it before the e-mail was confirmed and an operator approved; ids of the
-- tenant to come stand here already, so that an approval that broke off can be done again and makes nothing twice.
CREATE TABLE platform.registrations (
    registration_id uuid        PRIMARY KEY,
    state           text        NOT NULL CHECK (state IN ('unconfirmed', 'waiting', 'approved', 'refused')),
    company         text        NOT NULL CHECK (length(company) BETWEEN 1 AND 200),
    email           text        NOT NULL,
    email_key       text        NOT NULL CHECK (length(email_key) BETWEEN 3 AND 254),
    person_name     text        NOT NULL CHECK (length(person_name) <= 120),
    -- The password as it was chosen, hashed. Gone once it is decided.
    phc             text,
    -- Who asked while signed in: known already, and with no password here.
    person_id       uuid        REFERENCES platform.people,
    country         text        CHECK (country ~ '^[A-Z]{2}$'),
    shop_name       text        CHECK (length(shop_name) BETWEEN 1 AND 200),
    shop_timezone   text        CHECK (length(shop_timezone) BETWEEN 1 AND 64),
    shop_currency   text        CHECK (shop_currency ~ '^[A-Z]{3}$'),
    link_hash       bytea       CHECK (octet_length(link_hash) = 32),
    link_ends_at    timestamptz,
    -- Wrong passwords at the link.
    tries           smallint    NOT NULL DEFAULT 0,
    made_at         timestamptz NOT NULL,
    confirmed_at    timestamptz,
    decided_at      timestamptz,
    decided_by      uuid,
    reason          text        CHECK (length(reason) BETWEEN 1 AND 500),
    tenant_id       uuid        NOT NULL UNIQUE,
    CHECK ((state IN ('approved', 'refused')) = (decided_at IS NOT NULL)),
    CHECK ((state = 'unconfirmed') = (confirmed_at IS NULL)),
    CHECK ((state = 'unconfirmed') = (link_hash IS NOT NULL)),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
);
CREATE UNIQUE INDEX registrations_by_link ON platform.registrations (link_hash) WHERE link_hash IS NOT NULL;
CREATE UNIQUE INDEX registrations_waiting_once ON platform.registrations (email_key, lower(company)) WHERE state = 'waiting';
CREATE INDEX registrations_by_state ON platform.registrations (state, registration_id);
CREATE INDEX registrations_by_email ON platform.registrations (email_key, made_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON platform.registrations TO tw_platform;

ALTER TABLE app.tenants
    ADD COLUMN suspended_reason text CHECK (length(suspended_reason) BETWEEN 1 AND 500),
    -- Somebody asked to close it; until the second it can be undone.
    ADD COLUMN closing_asked_at timestamptz,
    ADD COLUMN closes_at        timestamptz,
    ADD CHECK ((closing_asked_at IS NULL) = (closes_at IS NULL));

-- What a company says of itself beside its name. No row: nothing.
CREATE TABLE app.companies (
    tenant_id    uuid        PRIMARY KEY REFERENCES app.tenants (tenant_id),
    display_name text        CHECK (length(display_name) BETWEEN 1 AND 60),
    accent       text        CHECK (accent ~ '^#[0-9a-f]{6}$'),
    locale       text        NOT NULL CHECK (locale ~ '^[a-z]{2}(-[A-Z]{2})?$'),
    -- A small PNG, looked at before it was taken.
    logo         bytea       CHECK (octet_length(logo) <= 65536),
    version      bigint      NOT NULL CHECK (version > 0),
    updated_at   timestamptz NOT NULL
);
SELECT app.protect('companies');
