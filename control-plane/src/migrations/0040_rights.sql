-- rights: who may do what where. Built-in roles and permissions are the product's (in code); a tenant's own roles, who holds
-- which role for which shops, and which modules a tenant has, are data. Also: the record of what was done, the platform's
-- own tenant, and what a session proves.

ALTER TABLE app.tenants
    -- Rises in the transaction of every change to what somebody may do: compiled policies are kept under it.
    ADD COLUMN policy_version bigint NOT NULL DEFAULT 1 CHECK (policy_version > 0),
    -- Nobody gets in any more; nodes neither.
    ADD COLUMN closed_at timestamptz;

-- Operators of the platform are members of this tenant.
ALTER TABLE app.tenants NO FORCE ROW LEVEL SECURITY;
INSERT INTO app.tenants (tenant_id, name, created_at)
VALUES ('00000000-0000-7000-8000-000000000001', 'Tillway', now());
ALTER TABLE app.tenants FORCE ROW LEVEL SECURITY;

CREATE TABLE app.regions (
    tenant_id  uuid        NOT NULL,
    region_id  uuid        NOT NULL,
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    version    bigint      NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, region_id)
);
CREATE UNIQUE INDEX regions_by_name ON app.regions (tenant_id, lower(name));
SELECT app.protect('regions');
ALTER TABLE app.shops ADD COLUMN region_id uuid,
    ADD FOREIGN KEY (tenant_id, region_id) REFERENCES app.regions (tenant_id, region_id);
CREATE INDEX shops_by_region ON app.shops (tenant_id, region_id) WHERE region_id IS NOT NULL;

-- A tenant's own roles.
CREATE TABLE app.roles (
    tenant_id   uuid        NOT NULL,
    role_id     uuid        NOT NULL,
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    description text        NOT NULL CHECK (length(description) <= 500),
    wants_mfa   boolean     NOT NULL,
    version     bigint      NOT NULL CHECK (version > 0),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, role_id)
);
CREATE UNIQUE INDEX roles_by_name ON app.roles (tenant_id, lower(name));
SELECT app.protect('roles');
CREATE TABLE app.role_permissions (
    tenant_id  uuid NOT NULL,
    role_id    uuid NOT NULL,
    permission text NOT NULL CHECK (length(permission) BETWEEN 1 AND 100),
    PRIMARY KEY (tenant_id, role_id, permission),
    FOREIGN KEY (tenant_id, role_id) REFERENCES app.roles (tenant_id, role_id) ON DELETE CASCADE
);
SELECT app.protect('role_permissions');

-- Who holds which role where.
CREATE TABLE app.assignments (
    tenant_id     uuid        NOT NULL,
    assignment_id uuid        NOT NULL,
    person_id     uuid        NOT NULL,
    built_in      text        CHECK (length(built_in) BETWEEN 1 AND 100),
    role_id       uuid,
    reach         text        NOT NULL CHECK (reach IN ('tenant', 'region', 'shop')),
    at_region     uuid,
    at_shop       uuid,
    created_at    timestamptz NOT NULL,
    created_by    uuid,
    PRIMARY KEY (tenant_id, assignment_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES app.memberships (tenant_id, person_id),
    FOREIGN KEY (tenant_id, role_id) REFERENCES app.roles (tenant_id, role_id),
    FOREIGN KEY (tenant_id, at_region) REFERENCES app.regions (tenant_id, region_id),
    FOREIGN KEY (tenant_id, at_shop) REFERENCES app.shops (tenant_id, shop_id),
    CHECK ((built_in IS NULL) <> (role_id IS NULL)),
    CHECK ((reach = 'region') = (at_region IS NOT NULL) AND (reach = 'shop') = (at_shop IS NOT NULL))
);
CREATE UNIQUE INDEX assignments_once ON app.assignments
    (tenant_id, person_id, built_in, role_id, reach, at_region, at_shop) NULLS NOT DISTINCT;
SELECT app.protect('assignments');

-- Owners so far become holders of the built-in role; the column stays for the version before.
ALTER TABLE app.memberships ALTER COLUMN role DROP NOT NULL;
ALTER TABLE app.memberships NO FORCE ROW LEVEL SECURITY;
ALTER TABLE app.assignments NO FORCE ROW LEVEL SECURITY;
INSERT INTO app.assignments (tenant_id, assignment_id, person_id, built_in, reach, created_at)
SELECT tenant_id, gen_random_uuid(), person_id, 'owner', 'tenant', created_at FROM app.memberships WHERE role = 'owner';
ALTER TABLE app.memberships FORCE ROW LEVEL SECURITY;
ALTER TABLE app.assignments FORCE ROW LEVEL SECURITY;

-- Modules: which there are to be had, and which of them a tenant has. No row of a tenant: as the registry says.
CREATE TABLE platform.modules (
    module     text        PRIMARY KEY,
    available  boolean     NOT NULL,
    by_default boolean     NOT NULL,
    updated_at timestamptz NOT NULL
);
-- Features: switches within a module, for trying something with a few tenants.
CREATE TABLE platform.features (
    feature     text        PRIMARY KEY CHECK (feature ~ '^[a-z][a-z0-9_.]{1,63}$'),
    module      text        NOT NULL REFERENCES platform.modules,
    description text        NOT NULL CHECK (length(description) <= 500),
    by_default  boolean     NOT NULL,
    updated_at  timestamptz NOT NULL
);
-- Rises with every change of the two; part of every tenant's policy version.
CREATE TABLE platform.registry_version (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version  bigint  NOT NULL
);
INSERT INTO platform.registry_version (version) VALUES (0);
GRANT SELECT, INSERT, UPDATE ON platform.modules TO tw_platform;
GRANT SELECT, INSERT, UPDATE, DELETE ON platform.features TO tw_platform;
GRANT SELECT, UPDATE ON platform.registry_version TO tw_platform;
INSERT INTO platform.modules (module, available, by_default, updated_at)
SELECT name, true, name <> 'platform', now()
FROM unnest(ARRAY['company', 'people', 'shops', 'catalog', 'sales', 'analytics', 'fleet', 'staff', 'keys', 'sso', 'platform'])
    AS name;

CREATE TABLE app.tenant_modules (
    tenant_id  uuid        NOT NULL,
    module     text        NOT NULL CHECK (length(module) BETWEEN 1 AND 64),
    enabled    boolean     NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by uuid,
    PRIMARY KEY (tenant_id, module)
);
SELECT app.protect('tenant_modules');
CREATE TABLE app.tenant_features (
    tenant_id  uuid        NOT NULL,
    feature    text        NOT NULL CHECK (length(feature) BETWEEN 1 AND 64),
    enabled    boolean     NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by uuid,
    PRIMARY KEY (tenant_id, feature)
);
SELECT app.protect('tenant_features');

-- The registry as tenants may see it: what tw_app has no right to read itself. No row of any tenant is in it.
CREATE FUNCTION app.registry_modules() RETURNS TABLE (module text, available boolean, by_default boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
'SELECT m.module, m.available, m.by_default FROM platform.modules m';
CREATE FUNCTION app.registry_features() RETURNS TABLE (feature text, module text, description text, by_default boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
'SELECT f.feature, f.module, f.description, f.by_default FROM platform.features f';
CREATE FUNCTION app.registry_version() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
'SELECT r.version FROM platform.registry_version r';
REVOKE ALL ON FUNCTION app.registry_modules(), app.registry_features(), app.registry_version() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.registry_modules(), app.registry_features(), app.registry_version() TO tw_app, tw_platform;

-- What was done, by whom, in the transaction in which it was done. Nobody edits it.
CREATE TABLE app.audit (
    tenant_id        uuid        NOT NULL,
    audit_id         uuid        NOT NULL,
    at               timestamptz NOT NULL,
    -- The person; none when the platform did it by itself.
    actor            uuid,
    via              text        NOT NULL CHECK (via IN ('session', 'key', 'guest', 'command', 'job', 'door')),
    impersonation_id uuid,
    action           text        NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
    object_kind      text        NOT NULL CHECK (length(object_kind) BETWEEN 1 AND 64),
    object_id        text        NOT NULL CHECK (length(object_id) <= 200),
    diff             jsonb       NOT NULL,
    request_id       uuid,
    PRIMARY KEY (tenant_id, audit_id)
);
CREATE INDEX audit_by_time ON app.audit (tenant_id, at DESC, audit_id DESC);
SELECT app.protect('audit');
REVOKE UPDATE, DELETE ON app.audit FROM tw_app;

-- An operator asks to look into a tenant; one of its people lets them in, for a while.
CREATE TABLE app.impersonations (
    tenant_id        uuid        NOT NULL,
    impersonation_id uuid        NOT NULL,
    operator         uuid        NOT NULL,
    operator_email   text        NOT NULL,
    reason           text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    -- Whether they may also change things.
    writes           boolean     NOT NULL,
    minutes          smallint    NOT NULL CHECK (minutes BETWEEN 5 AND 60),
    asked_at         timestamptz NOT NULL,
    -- Nobody answers for ever.
    ask_ends_at      timestamptz NOT NULL,
    answered_by      uuid,
    answered_at      timestamptz,
    allowed          boolean,
    ends_at          timestamptz,
    ended_at         timestamptz,
    ended_by         uuid,
    PRIMARY KEY (tenant_id, impersonation_id),
    CHECK ((allowed IS NULL) = (answered_at IS NULL)),
    CHECK ((ends_at IS NOT NULL) = coalesce(allowed, false))
);
SELECT app.protect('impersonations');
SELECT app.platform_reads('impersonations');

-- What a session proves, and how it began. A guest's session belongs to no membership.
ALTER TABLE app.sessions
    ADD COLUMN mfa_at timestamptz,
    ADD COLUMN stepped_up_at timestamptz,
    ADD COLUMN impersonation_id uuid,
    ADD COLUMN method text NOT NULL DEFAULT 'password' CHECK (method IN ('password', 'passkey', 'sso', 'invitation', 'guest')),
    ADD FOREIGN KEY (tenant_id, impersonation_id) REFERENCES app.impersonations (tenant_id, impersonation_id),
    DROP CONSTRAINT sessions_tenant_id_person_id_fkey,
    DROP CONSTRAINT sessions_ended_reason_check,
    ADD CONSTRAINT sessions_ended_reason_check CHECK (ended_reason IN ('signed_out', 'refresh_reused', 'ended_by_person',
        'ended_by_company', 'membership_ended', 'password_changed', 'factor_changed', 'guest_left'));

-- Whether a session stands and what it proves: one round trip, under row-level security, outside any transaction. A tenant
-- that is suspended may still look.
CREATE FUNCTION app.session_state(of_tenant uuid, of_session uuid, at timestamptz)
RETURNS TABLE (person_id uuid, policy_version bigint, suspended boolean, mfa_at timestamptz, stepped_up_at timestamptz,
    impersonation_id uuid, guest_writes boolean)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM set_config('app.tenant_id', of_tenant::text, true);
    RETURN QUERY
        SELECT s.person_id, t.policy_version + app.registry_version(), t.suspended_at IS NOT NULL, s.mfa_at, s.stepped_up_at,
            s.impersonation_id, coalesce(i.writes, false)
        FROM app.sessions s
        JOIN app.tenants t ON t.tenant_id = s.tenant_id AND t.closed_at IS NULL
        LEFT JOIN app.memberships m ON m.tenant_id = s.tenant_id AND m.person_id = s.person_id AND m.ended_at IS NULL
        LEFT JOIN app.impersonations i ON i.tenant_id = s.tenant_id AND i.impersonation_id = s.impersonation_id
            AND i.allowed AND i.ended_at IS NULL AND i.ends_at > at
        WHERE s.tenant_id = of_tenant AND s.session_id = of_session AND s.ended_at IS NULL AND s.expires_at > at
            AND CASE WHEN s.impersonation_id IS NULL THEN m.person_id ELSE i.operator END IS NOT NULL;
END $$;
REVOKE ALL ON FUNCTION app.session_state(uuid, uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.session_state(uuid, uuid, timestamptz) TO tw_app;

-- The same for the cookie of a browser; as app.page_standing of 0034 otherwise.
CREATE FUNCTION app.page_state(of_tenant uuid, of_hash bytea, at timestamptz, idle_since timestamptz,
    note_since timestamptz, used boolean)
RETURNS TABLE (session_id uuid, tenant_name text, person_id uuid, policy_version bigint, suspended boolean,
    mfa_at timestamptz, stepped_up_at timestamptz, impersonation_id uuid, guest_writes boolean)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog AS $$
DECLARE
    last_used timestamptz;
BEGIN
    PERFORM set_config('app.tenant_id', of_tenant::text, true);
    SELECT s.session_id, t.name, coalesce(s.used_at, s.created_at) INTO session_id, tenant_name, last_used
    FROM app.sessions s JOIN app.tenants t ON t.tenant_id = s.tenant_id
    WHERE s.tenant_id = of_tenant AND s.page_hash = of_hash AND coalesce(s.used_at, s.created_at) > idle_since;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT a.person_id, a.policy_version, a.suspended, a.mfa_at, a.stepped_up_at, a.impersonation_id, a.guest_writes
    INTO person_id, policy_version, suspended, mfa_at, stepped_up_at, impersonation_id, guest_writes
    FROM app.session_state(of_tenant, session_id, at) a;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF used AND last_used < note_since THEN
        UPDATE app.sessions s SET used_at = at WHERE s.tenant_id = of_tenant AND s.page_hash = of_hash;
    END IF;
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION app.page_state(uuid, bytea, timestamptz, timestamptz, timestamptz, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.page_state(uuid, bytea, timestamptz, timestamptz, timestamptz, boolean) TO tw_app;
