-- notifications: what a person of a tenant is told on the pages of head office, and of which kinds they want mail too.
CREATE TABLE app.notices (
    tenant_id  uuid        NOT NULL,
    notice_id  uuid        NOT NULL,
    person_id  uuid        NOT NULL,
    kind       text        NOT NULL CHECK (octet_length(kind) BETWEEN 1 AND 32),
    title      text        NOT NULL CHECK (octet_length(title) BETWEEN 1 AND 400),
    body       text        NOT NULL CHECK (octet_length(body) <= 4000),
    -- A path of our own pages.
    href       text        CHECK (href LIKE '/%' AND href NOT LIKE '//%' AND octet_length(href) <= 500),
    made_at    timestamptz NOT NULL,
    read_at    timestamptz,
    PRIMARY KEY (tenant_id, notice_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES app.memberships (tenant_id, person_id)
);
CREATE INDEX notices_by_person ON app.notices (tenant_id, person_id, notice_id);
CREATE INDEX notices_unread ON app.notices (tenant_id, person_id) WHERE read_at IS NULL;
SELECT app.protect('notices');

-- What a person chose; a kind without a row is as it comes.
CREATE TABLE app.notice_choices (
    tenant_id uuid    NOT NULL,
    person_id uuid    NOT NULL,
    kind      text    NOT NULL CHECK (octet_length(kind) BETWEEN 1 AND 32),
    by_mail   boolean NOT NULL,
    PRIMARY KEY (tenant_id, person_id, kind),
    FOREIGN KEY (tenant_id, person_id) REFERENCES app.memberships (tenant_id, person_id)
);
SELECT app.protect('notice_choices');
