-- catalog: the last imports of a tenant with their report line by line, so that a page can be looked at again and
-- the report taken to a spreadsheet. Only the newest are kept; what an import changed stands in the revisions.
CREATE TABLE app.catalogue_imports (
    tenant_id uuid        NOT NULL,
    import_id uuid        NOT NULL,
    person_id uuid        NOT NULL,
    made_at   timestamptz NOT NULL,
    -- Nothing was kept: a rehearsal.
    rehearsal boolean     NOT NULL,
    file_name text        NOT NULL CHECK (octet_length(file_name) <= 256),
    added     bigint      NOT NULL,
    changed   bigint      NOT NULL,
    unchanged bigint      NOT NULL,
    rejected  bigint      NOT NULL,
    -- The catalogue version that held afterwards.
    version   bigint      NOT NULL,
    -- CSV, zstd.
    report    bytea       NOT NULL,
    PRIMARY KEY (tenant_id, import_id)
);
SELECT app.protect('catalogue_imports');
