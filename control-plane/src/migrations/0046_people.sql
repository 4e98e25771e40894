-- people: the throttle of sign-in beside (e-mail, address), names, one-time links, invitations, where and how sessions began.

-- Places (browsers, networks) from which a person signed in, by hash: many tries from everywhere else do not shut the person
-- out there.
CREATE TABLE platform.known_places (
    person_id uuid        NOT NULL REFERENCES platform.people ON DELETE CASCADE,
    mark      bytea       NOT NULL CHECK (octet_length(mark) = 32),
    seen_at   timestamptz NOT NULL,
    PRIMARY KEY (person_id, mark)
);
CREATE INDEX known_places_by_age ON platform.known_places (seen_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON platform.known_places TO tw_platform;

ALTER TABLE platform.people ADD COLUMN name text CHECK (length(name) BETWEEN 1 AND 120);

-- Links that work once, by hash: a new password; the confirmation of a new e-mail by its owner, and the word of the old
-- one's owner that stops it.
CREATE TABLE platform.one_time_links (
    link_hash  bytea       PRIMARY KEY CHECK (octet_length(link_hash) = 32),
    kind       text        NOT NULL CHECK (kind IN ('reset', 'new_email', 'stop_email')),
    person_id  uuid        NOT NULL REFERENCES platform.people ON DELETE CASCADE,
    -- The e-mail that a change is to.
    email      text,
    made_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CHECK ((kind = 'reset') = (email IS NULL))
);
CREATE INDEX one_time_links_by_person ON platform.one_time_links (person_id, kind);
CREATE INDEX one_time_links_by_age ON platform.one_time_links (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON platform.one_time_links TO tw_platform;

-- How a session began, and more ways for it to end.
ALTER TABLE app.sessions ADD COLUMN IF NOT EXISTS method text NOT NULL DEFAULT 'password'
    CHECK (method IN ('password', 'passkey', 'sso', 'invitation', 'guest'));
ALTER TABLE app.sessions DROP CONSTRAINT IF EXISTS sessions_ended_reason_check;
ALTER TABLE app.sessions ADD CONSTRAINT sessions_ended_reason_check CHECK (ended_reason IN ('signed_out', 'refresh_reused',
    'ended_by_person', 'ended_by_company', 'membership_ended', 'password_changed', 'factor_changed', 'guest_left'));

-- Invitations into a tenant. The link carries the tenant and a secret; here stands its hash.
CREATE TABLE app.invitations (
    tenant_id     uuid        NOT NULL REFERENCES app.tenants (tenant_id),
    invitation_id uuid        NOT NULL,
    email         text        NOT NULL,
    email_key     text        NOT NULL CHECK (length(email_key) BETWEEN 3 AND 254),
    link_hash     bytea       NOT NULL CHECK (octet_length(link_hash) = 32),
    -- Roles with where they are good, as the inviter chose them.
    roles         jsonb       NOT NULL,
    invited_by    uuid        NOT NULL,
    made_at       timestamptz NOT NULL,
    sent_at       timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    accepted_at   timestamptz,
    accepted_by   uuid,
    revoked_at    timestamptz,
    PRIMARY KEY (tenant_id, invitation_id),
    FOREIGN KEY (tenant_id, invited_by) REFERENCES app.memberships (tenant_id, person_id),
    CHECK ((accepted_at IS NULL) = (accepted_by IS NULL)),
    CHECK (accepted_at IS NULL OR revoked_at IS NULL)
);
CREATE UNIQUE INDEX invitations_by_link ON app.invitations (tenant_id, link_hash);
CREATE UNIQUE INDEX invitations_open ON app.invitations (tenant_id, email_key)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
SELECT app.protect('invitations');
