-- identity: people are platform-wide (one e-mail, one sign-in), memberships belong to tenants, and a session is
-- for one tenant. tw_app never sees people or passwords.
CREATE TABLE platform.people (
    person_id  uuid        PRIMARY KEY,
    email      text        NOT NULL,
    -- The e-mail as compared: trimmed and in lower case.
    email_key  text        NOT NULL UNIQUE CHECK (length(email_key) BETWEEN 3 AND 254),
    created_at timestamptz NOT NULL
);
CREATE TABLE platform.passwords (
    person_id  uuid        PRIMARY KEY REFERENCES platform.people,
    -- PHC string: algorithm, cost and salt travel with the hash, so that the cost can rise.
    phc        text        NOT NULL,
    changed_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON platform.people, platform.passwords TO tw_platform;

-- Tries of a sign-in per e-mail and address within one window.
CREATE TABLE platform.sign_in_tries (
    email_key     text        NOT NULL,
    address       text        NOT NULL,
    window_starts timestamptz NOT NULL,
    tries         integer     NOT NULL,
    PRIMARY KEY (email_key, address)
);
CREATE INDEX sign_in_tries_by_age ON platform.sign_in_tries (window_starts);
GRANT SELECT, INSERT, UPDATE, DELETE ON platform.sign_in_tries TO tw_platform;

-- Keys that sign access tokens. The newest signs; those not retired verify.
CREATE TABLE platform.signing_keys (
    key_id     text        PRIMARY KEY,
    secret     bytea       NOT NULL CHECK (octet_length(secret) = 32),
    created_at timestamptz NOT NULL,
    retired_at timestamptz
);
GRANT SELECT, INSERT, UPDATE ON platform.signing_keys TO tw_platform;

CREATE TABLE app.memberships (
    tenant_id  uuid        NOT NULL REFERENCES app.tenants (tenant_id),
    person_id  uuid        NOT NULL,
    role       text        NOT NULL CHECK (role IN ('owner')),
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    PRIMARY KEY (tenant_id, person_id)
);
CREATE INDEX memberships_by_person ON app.memberships (person_id) WHERE ended_at IS NULL;
SELECT app.protect('memberships');
SELECT app.platform_reads('memberships');

CREATE TABLE app.sessions (
    tenant_id    uuid        NOT NULL,
    session_id   uuid        NOT NULL,
    person_id    uuid        NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    ended_reason text        CHECK (ended_reason IN ('signed_out', 'refresh_reused')),
    address      text        NOT NULL,
    user_agent   text        NOT NULL,
    PRIMARY KEY (tenant_id, session_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES app.memberships (tenant_id, person_id),
    CHECK ((ended_at IS NULL) = (ended_reason IS NULL))
);
CREATE INDEX sessions_by_person ON app.sessions (tenant_id, person_id);
SELECT app.protect('sessions');

-- Every refresh token of a session, by its hash. One that comes twice was stolen: its whole family ends.
CREATE TABLE app.refresh_tokens (
    tenant_id  uuid        NOT NULL,
    token_hash bytea       NOT NULL CHECK (octet_length(token_hash) = 32),
    session_id uuid        NOT NULL,
    issued_at  timestamptz NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, session_id) REFERENCES app.sessions (tenant_id, session_id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_by_session ON app.refresh_tokens (tenant_id, session_id);
SELECT app.protect('refresh_tokens');

-- Whether a session stands, in one round trip and under row-level security: the tenant of the (verified) token
-- is set for this statement alone. Must be called outside a transaction.
CREATE FUNCTION app.session_standing(of_tenant uuid, of_session uuid, at timestamptz) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM set_config('app.tenant_id', of_tenant::text, true);
    RETURN (
        SELECT s.person_id
        FROM app.sessions s
        JOIN app.memberships m ON m.tenant_id = s.tenant_id AND m.person_id = s.person_id AND m.ended_at IS NULL
        JOIN app.tenants t ON t.tenant_id = s.tenant_id AND t.suspended_at IS NULL
        WHERE s.tenant_id = of_tenant AND s.session_id = of_session AND s.ended_at IS NULL AND s.expires_at > at
    );
END $$;
REVOKE ALL ON FUNCTION app.session_standing(uuid, uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.session_standing(uuid, uuid, timestamptz) TO tw_app;
