-- fleet: the boxes of a tenant. How they came in (claims), who they are (nodes, terms, certificates), when they
-- were last heard of, and what they swore (checkpoints).

-- The device CA's certificate. Public; it stands here so that a claim can be made by whoever reaches the database,
-- and so that a replica with another CA notices.
CREATE TABLE platform.device_ca (
    only_one    boolean     PRIMARY KEY DEFAULT true CHECK (only_one),
    certificate bytea       NOT NULL,
    created_at  timestamptz NOT NULL
);
GRANT SELECT, INSERT ON platform.device_ca TO tw_platform;

-- One-time permissions for a box to become a node of a shop. The secret itself is nowhere.
CREATE TABLE app.claims (
    tenant_id   uuid        NOT NULL,
    claim_id    uuid        NOT NULL,
    shop_id     uuid        NOT NULL,
    role        text        NOT NULL CHECK (role IN ('primary')),
    secret_hash bytea       NOT NULL CHECK (octet_length(secret_hash) = 32),
    -- Null: made by command line.
    created_by  uuid,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    node_id     uuid,
    PRIMARY KEY (tenant_id, claim_id),
    FOREIGN KEY (tenant_id, shop_id) REFERENCES app.shops (tenant_id, shop_id),
    CHECK ((used_at IS NULL) = (node_id IS NULL))
);
-- Not unique: a unique key must not reach across tenants. The secret has 96 random bits.
CREATE INDEX claims_by_secret ON app.claims (secret_hash);
CREATE INDEX claims_by_shop ON app.claims (tenant_id, shop_id, expires_at) WHERE used_at IS NULL;
SELECT app.protect('claims');
SELECT app.platform_reads('claims');

CREATE TABLE app.nodes (
    tenant_id   uuid        NOT NULL,
    node_id     uuid        NOT NULL,
    shop_id     uuid        NOT NULL,
    name        text        NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 64),
    role        text        NOT NULL CHECK (role IN ('primary')),
    -- The term in force; events of a lower one stay valid, connections under it are refused.
    term        bigint      NOT NULL CHECK (term BETWEEN 1 AND 4294967295),
    enrolled_at timestamptz NOT NULL,
    retired_at  timestamptz,
    PRIMARY KEY (tenant_id, node_id),
    FOREIGN KEY (tenant_id, shop_id) REFERENCES app.shops (tenant_id, shop_id)
);
CREATE INDEX nodes_by_shop ON app.nodes (tenant_id, shop_id);
SELECT app.protect('nodes');

-- Every term ever granted, and why.
CREATE TABLE app.node_terms (
    tenant_id  uuid        NOT NULL,
    node_id    uuid        NOT NULL,
    term       bigint      NOT NULL CHECK (term BETWEEN 1 AND 4294967295),
    reason     text        NOT NULL CHECK (reason IN ('enrolment')),
    claim_id   uuid        NOT NULL,
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, node_id, term),
    FOREIGN KEY (tenant_id, node_id) REFERENCES app.nodes (tenant_id, node_id),
    FOREIGN KEY (tenant_id, claim_id) REFERENCES app.claims (tenant_id, claim_id)
);
SELECT app.protect('node_terms');

-- Every certificate of a node, by the BLAKE3 of its DER.
CREATE TABLE app.node_certificates (
    tenant_id      uuid        NOT NULL,
    fingerprint    bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    node_id        uuid        NOT NULL,
    term           bigint      NOT NULL,
    serial         bytea       NOT NULL,
    -- Ed25519, raw: checkpoints are verified with it, also long after the certificate.
    public_key     bytea       NOT NULL CHECK (octet_length(public_key) = 32),
    not_before     timestamptz NOT NULL,
    not_after      timestamptz NOT NULL,
    revoked_at     timestamptz,
    revoked_reason text,
    PRIMARY KEY (tenant_id, fingerprint),
    FOREIGN KEY (tenant_id, node_id, term) REFERENCES app.node_terms (tenant_id, node_id, term),
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);
CREATE INDEX node_certificates_by_node ON app.node_certificates (tenant_id, node_id, term);
SELECT app.protect('node_certificates');

-- What changes with every contact, apart from what does not.
CREATE TABLE app.node_contacts (
    tenant_id         uuid        NOT NULL,
    node_id           uuid        NOT NULL,
    last_seen_at      timestamptz NOT NULL,
    connected_at      timestamptz NOT NULL,
    agent_version     text        NOT NULL,
    boot_nonce        bytea       NOT NULL,
    carrier           text        NOT NULL CHECK (carrier IN ('quic', 'tcp')),
    address           text        NOT NULL,
    -- The node's clock less HQ's, at the last report.
    clock_skew_millis bigint      NOT NULL,
    PRIMARY KEY (tenant_id, node_id),
    FOREIGN KEY (tenant_id, node_id) REFERENCES app.nodes (tenant_id, node_id)
) WITH (fillfactor = 50);
SELECT app.protect('node_contacts');

-- The last checkpoint of each log, with its signature, so that it can be shown to anybody.
CREATE TABLE app.node_checkpoints (
    tenant_id      uuid        NOT NULL,
    node_id        uuid        NOT NULL,
    term           bigint      NOT NULL,
    stream         smallint    NOT NULL,
    seq            bigint      NOT NULL CHECK (seq >= 0),
    head_hash      bytea       NOT NULL CHECK (octet_length(head_hash) = 32),
    at             timestamptz NOT NULL,
    signature      bytea       NOT NULL CHECK (octet_length(signature) = 64),
    fingerprint    bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    received_at    timestamptz NOT NULL,
    -- How often a signed checkpoint contradicted this one (same seq, other hash).
    contradictions bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, node_id, term, stream)
) WITH (fillfactor = 50);
SELECT app.protect('node_checkpoints');

-- The CA of a shop; its key is sealed under the device CA's.
CREATE TABLE app.shop_authorities (
    tenant_id   uuid        NOT NULL,
    shop_id     uuid        NOT NULL,
    certificate text        NOT NULL,
    sealed_key  bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, shop_id),
    FOREIGN KEY (tenant_id, shop_id) REFERENCES app.shops (tenant_id, shop_id)
);
SELECT app.protect('shop_authorities');
