-- jobs: work that is done after the transaction that asked for it, by a worker that may be killed. A job of a tenant is
-- a row of that tenant like any other: it is asked for, claimed and ended in transactions of that tenant alone.
CREATE TABLE app.jobs (
    tenant_id    uuid        NOT NULL REFERENCES app.tenants (tenant_id),
    job_id       uuid        NOT NULL,
    kind         text        NOT NULL CHECK (octet_length(kind) BETWEEN 1 AND 64),
    -- While a job with this key waits or runs, a second one is not taken.
    key          text        CHECK (octet_length(key) BETWEEN 1 AND 200),
    payload      jsonb       NOT NULL CHECK (octet_length(payload::text) <= 16384),
    state        text        NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'dead', 'cancelled')),
    -- Waiting: not before this. Running: until then the worker has it; later anybody may take it.
    due_at       timestamptz NOT NULL,
    lease        uuid,
    attempts     smallint    NOT NULL DEFAULT 0,
    max_attempts smallint    NOT NULL CHECK (max_attempts BETWEEN 1 AND 100),
    made_at      timestamptz NOT NULL,
    ended_at     timestamptz,
    -- Why the last try failed.
    error        text        CHECK (octet_length(error) <= 2000),
    PRIMARY KEY (tenant_id, job_id),
    CHECK ((state = 'running') = (lease IS NOT NULL)),
    CHECK ((state IN ('waiting', 'running')) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX jobs_alive_key ON app.jobs (tenant_id, kind, key) WHERE state IN ('waiting', 'running');
CREATE INDEX jobs_alive ON app.jobs (tenant_id, due_at) WHERE state IN ('waiting', 'running');
CREATE INDEX jobs_ended ON app.jobs (tenant_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_by_state ON app.jobs (state, job_id);
SELECT app.protect('jobs');
-- The platform sees that there is work, whose, and how it stands; what it is about (addresses, links) it does not see.
SELECT app.platform_reads('jobs');
REVOKE SELECT ON app.jobs FROM tw_platform;
GRANT SELECT (tenant_id, job_id, kind, state, due_at, attempts, max_attempts, made_at, ended_at, error)
    ON app.jobs TO tw_platform;

-- The same for work that belongs to no tenant: mail to somebody who is not yet anybody.
CREATE TABLE platform.jobs (
    job_id       uuid        PRIMARY KEY,
    kind         text        NOT NULL CHECK (octet_length(kind) BETWEEN 1 AND 64),
    key          text        CHECK (octet_length(key) BETWEEN 1 AND 200),
    payload      jsonb       NOT NULL CHECK (octet_length(payload::text) <= 16384),
    state        text        NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'dead', 'cancelled')),
    due_at       timestamptz NOT NULL,
    lease        uuid,
    attempts     smallint    NOT NULL DEFAULT 0,
    max_attempts smallint    NOT NULL CHECK (max_attempts BETWEEN 1 AND 100),
    made_at      timestamptz NOT NULL,
    ended_at     timestamptz,
    error        text        CHECK (octet_length(error) <= 2000),
    CHECK ((state = 'running') = (lease IS NOT NULL)),
    CHECK ((state IN ('waiting', 'running')) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX jobs_alive_key ON platform.jobs (kind, key) WHERE state IN ('waiting', 'running');
CREATE INDEX jobs_alive ON platform.jobs (due_at) WHERE state IN ('waiting', 'running');
CREATE INDEX jobs_ended ON platform.jobs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_by_state ON platform.jobs (state, job_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON platform.jobs TO tw_platform;
