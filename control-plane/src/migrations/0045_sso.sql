-- sso: OpenID Connect providers of a tenant, who of them is whom here, sign-ins under way, and failures in a row.
CREATE TABLE app.sso_providers (
    tenant_id     uuid        NOT NULL REFERENCES app.tenants (tenant_id),
    provider_id   uuid        NOT NULL,
    -- What the button says.
    label         text        NOT NULL CHECK (length(label) BETWEEN 1 AND 60),
    -- Compared byte by byte. It never changes: another issuer is another provider, whose subjects are other people.
    issuer        text        NOT NULL CHECK (length(issuer) BETWEEN 8 AND 512),
    client_id     text        NOT NULL CHECK (length(client_id) BETWEEN 1 AND 255),
    -- Sealed, bound to tenant and provider.
    client_secret bytea       NOT NULL CHECK (octet_length(client_secret) BETWEEN 1 AND 4096),
    -- The built-in role of somebody who comes for the first time; null: nobody comes in unasked.
    newcomer_role text        CHECK (length(newcomer_role) BETWEEN 1 AND 60),
    enabled       boolean     NOT NULL,
    -- Members sign in here and nowhere else; owners with a second factor may use their password in need.
    enforced      boolean     NOT NULL,
    version       bigint      NOT NULL CHECK (version > 0),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, provider_id),
    UNIQUE (tenant_id, issuer)
);
SELECT app.protect('sso_providers');

-- The e-mail domains of a provider. Sign-in finds the tenants of a domain before a tenant is known.
CREATE TABLE app.sso_domains (
    tenant_id   uuid NOT NULL,
    provider_id uuid NOT NULL,
    domain      text NOT NULL CHECK (domain = lower(domain) AND length(domain) BETWEEN 3 AND 253),
    PRIMARY KEY (tenant_id, provider_id, domain),
    FOREIGN KEY (tenant_id, provider_id) REFERENCES app.sso_providers (tenant_id, provider_id) ON DELETE CASCADE
);
CREATE INDEX sso_domains_by_domain ON app.sso_domains (domain);
SELECT app.protect('sso_domains');
SELECT app.platform_reads('sso_domains');

-- Who is whom: an identity is the issuer's word about its subject, never an e-mail.
CREATE TABLE app.sso_identities (
    tenant_id    uuid        NOT NULL,
    issuer       text        NOT NULL,
    subject      text        NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    provider_id  uuid        NOT NULL,
    person_id    uuid        NOT NULL,
    linked_at    timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, issuer, subject),
    FOREIGN KEY (tenant_id, provider_id) REFERENCES app.sso_providers (tenant_id, provider_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, person_id) REFERENCES app.memberships (tenant_id, person_id)
);
CREATE INDEX sso_identities_by_person ON app.sso_identities (tenant_id, person_id);
CREATE INDEX sso_identities_by_provider ON app.sso_identities (tenant_id, provider_id);
SELECT app.protect('sso_identities');

-- A sign-in that is away at its provider: bound to one browser, good once, for ten minutes. Only hashes stand here; the
-- nonce and the verifier of PKCE follow from a secret that the browser alone holds.
CREATE TABLE app.sso_flows (
    tenant_id    uuid        NOT NULL,
    state_hash   bytea       NOT NULL CHECK (octet_length(state_hash) = 32),
    browser_hash bytea       NOT NULL CHECK (octet_length(browser_hash) = 32),
    provider_id  uuid        NOT NULL,
    purpose      text        NOT NULL CHECK (purpose IN ('sign_in', 'link', 'confirm')),
    -- Who links or confirms, and in which of their sessions.
    person_id    uuid,
    session_id   uuid,
    next         text        NOT NULL CHECK (length(next) <= 512),
    began_at     timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    PRIMARY KEY (tenant_id, state_hash),
    FOREIGN KEY (tenant_id, provider_id) REFERENCES app.sso_providers (tenant_id, provider_id) ON DELETE CASCADE,
    CHECK ((purpose = 'sign_in') = (person_id IS NULL) AND (person_id IS NULL) = (session_id IS NULL))
);
CREATE INDEX sso_flows_by_age ON app.sso_flows (tenant_id, expires_at);
CREATE INDEX sso_flows_by_provider ON app.sso_flows (tenant_id, provider_id);
SELECT app.protect('sso_flows');

-- Failures in a row of a browser or an address with one provider.
CREATE TABLE app.sso_failures (
    tenant_id     uuid        NOT NULL,
    provider_id   uuid        NOT NULL,
    source        text        NOT NULL CHECK (length(source) BETWEEN 1 AND 80),
    failures      integer     NOT NULL CHECK (failures > 0),
    window_starts timestamptz NOT NULL,
    last_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, provider_id, source),
    FOREIGN KEY (tenant_id, provider_id) REFERENCES app.sso_providers (tenant_id, provider_id) ON DELETE CASCADE
);
CREATE INDEX sso_failures_by_age ON app.sso_failures (tenant_id, window_starts);
SELECT app.protect('sso_failures');
