-- idempotency: what a write answered, written in the transaction of its effect, so that a repeated request gets
-- the same answer and no second effect. Kept for 7 days.
CREATE TABLE app.idempotency (
    tenant_id    uuid        NOT NULL,
    principal    uuid        NOT NULL,
    key          text        NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 128),
    -- BLAKE3 over method, path and body.
    request_hash bytea       NOT NULL CHECK (octet_length(request_hash) = 32),
    status       smallint    NOT NULL,
    reply        jsonb,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, principal, key)
);
CREATE INDEX idempotency_by_age ON app.idempotency (tenant_id, created_at);
SELECT app.protect('idempotency');
