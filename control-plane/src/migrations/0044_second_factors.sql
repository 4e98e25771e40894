-- second factors: they belong to a person, who has one sign-in for all tenants, so they stand where tw_app never looks.

-- Which key seals the secrets below (and those of others): a head office that has not got it must not start, or it would
-- take everybody's second factor for wrong.
CREATE TABLE platform.sealing_key (
    only_one boolean     PRIMARY KEY DEFAULT true CHECK (only_one),
    key_id   text        NOT NULL CHECK (length(key_id) = 16),
    since    timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON platform.sealing_key TO tw_platform;

-- The shared secret of an app that shows codes, sealed. Until it is confirmed it opens nothing.
CREATE TABLE platform.totp (
    person_id    uuid        PRIMARY KEY REFERENCES platform.people ON DELETE CASCADE,
    sealed       bytea       NOT NULL CHECK (octet_length(sealed) BETWEEN 37 AND 255),
    -- The newest step of thirty seconds whose code was taken: no code of it or before is ever taken again.
    last_step    bigint      NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    confirmed_at timestamptz
);

-- Passkeys: public keys, nothing secret. `credential` is the library's own word for the key and its state.
CREATE TABLE platform.passkeys (
    passkey_id    uuid        PRIMARY KEY,
    person_id     uuid        NOT NULL REFERENCES platform.people ON DELETE CASCADE,
    credential_id bytea       NOT NULL UNIQUE CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    credential    jsonb       NOT NULL,
    counter       bigint      NOT NULL CHECK (counter >= 0),
    name          text        NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    created_at    timestamptz NOT NULL,
    used_at       timestamptz
);
CREATE INDEX passkeys_by_person ON platform.passkeys (person_id);

-- Codes for the day on which the telephone is gone, by their hashes. Each works once.
CREATE TABLE platform.recovery_codes (
    person_id  uuid        NOT NULL REFERENCES platform.people ON DELETE CASCADE,
    code_hash  bytea       NOT NULL CHECK (octet_length(code_hash) = 32),
    created_at timestamptz NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (person_id, code_hash)
);

-- Sign-ins that wait for their second factor: the password was right.
CREATE TABLE platform.sign_in_steps (
    token_hash bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    person_id  uuid        NOT NULL REFERENCES platform.people ON DELETE CASCADE,
    tenant_id  uuid        NOT NULL,
    ends_at    timestamptz NOT NULL
);
CREATE INDEX sign_in_steps_by_end ON platform.sign_in_steps (ends_at);

-- Challenges that wait for a passkey's answer. Taken out by the first answer, whatever it is.
CREATE TABLE platform.passkey_ceremonies (
    ceremony_hash bytea       PRIMARY KEY CHECK (octet_length(ceremony_hash) = 32),
    kind          text        NOT NULL CHECK (kind IN ('add', 'sign_in', 'second', 'step_up')),
    -- Whose; nobody's yet when somebody signs in with the passkey alone.
    person_id     uuid        REFERENCES platform.people ON DELETE CASCADE,
    -- The session or the step of the sign-in that it was begun in.
    bound_to      text        NOT NULL,
    state         jsonb       NOT NULL,
    ends_at       timestamptz NOT NULL,
    CHECK ((kind = 'sign_in') = (person_id IS NULL))
);
CREATE INDEX passkey_ceremonies_by_end ON platform.passkey_ceremonies (ends_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON platform.totp, platform.passkeys, platform.recovery_codes, platform.sign_in_steps,
    platform.passkey_ceremonies TO tw_platform;
