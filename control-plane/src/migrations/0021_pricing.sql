-- pricing: who changed what, as revisions. A revision is one version of the catalogue; its price changes say
-- what each price was and became. Written in the transaction of the change, never edited.
CREATE TABLE app.catalogue_revisions (
    tenant_id uuid        NOT NULL,
    version   bigint      NOT NULL CHECK (version > 0),
    source    text        NOT NULL CHECK (source IN ('import', 'product', 'price', 'removal')),
    person_id uuid,
    changed   integer     NOT NULL CHECK (changed > 0),
    made_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, version)
);

CREATE TABLE app.price_changes (
    tenant_id uuid   NOT NULL,
    code      text   COLLATE "C" NOT NULL,
    version   bigint NOT NULL CHECK (version > 0),
    -- null: the product had no price before
    old_e4    bigint CHECK (old_e4 >= 0),
    new_e4    bigint NOT NULL CHECK (new_e4 >= 0),
    PRIMARY KEY (tenant_id, code, version)
);

SELECT app.protect('catalogue_revisions');
SELECT app.protect('price_changes');
