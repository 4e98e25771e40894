//! The catalogue check: reads PostgreSQL's own catalogue and names everything that would let one tenant see,
//! change or infer another's rows. It runs at start-up and in tests, over every table there is and will be.

use sqlx::PgConnection;

use super::DbError;

/// Tables of schema app that tw_platform may read over all tenants, each with its reason.
pub const PLATFORM_READS: &[(&str, &str)] = &[
    ("tenants", "sign-in lists a person's tenants by name; jobs go through all tenants"),
    ("claims", "a claim code is matched to its tenant before it is known who brings it"),
    ("jobs", "the worker asks whose work is due; an operator sees how jobs stand, never what is in them"),
    ("impersonations", "an operator sees what was answered to what they asked"),
    ("sso_domains", "sign-in finds the providers of an e-mail's domain before a tenant is chosen"),
    ("memberships", "sign-in finds where a person belongs before a tenant is chosen"),
];

/// Functions that may run with their owner's rights (with a fixed search path), each with its reason.
pub const SECURITY_DEFINERS: &[(&str, &str)] = &[
    ("app.registry_modules", "tenants see which modules there are; no tenant's row is in it"),
    ("app.registry_features", "tenants see which features there are; no tenant's row is in it"),
    ("app.registry_version", "one number, which says that the registry changed"),
];

/// Tables that are only ever written, each with its reason.
pub const APPEND_ONLY: &[(&str, &str)] = &[("audit", "the record of what was done is nobody's to edit")];

/// One breach of the rules of isolation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Which rule, such as `rls` or `key`.
    pub rule: &'static str,
    /// The table, constraint, view or function.
    pub object: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} ({})", self.rule, self.object, self.remedy)
    }
}

struct Rule {
    name: &'static str,
    remedy: &'static str,
    sql: &'static str,
}

/// Each statement lists the objects that break one rule.
const RULES: &[Rule] = &[
    Rule {
        name: "rls",
        remedy: "SELECT app.protect('table'): row-level security must be enabled and forced",
        sql: "SELECT c.oid::regclass::text FROM pg_class c
              WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p')
                AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
    },
    Rule {
        name: "policy",
        remedy: "SELECT app.protect('table'): the policy `tenant` must compare tenant_id for tw_app and tw_report",
        sql: "SELECT c.oid::regclass::text FROM pg_class c
              WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p')
                AND NOT EXISTS (
                  SELECT FROM pg_policy p
                  WHERE p.polrelid = c.oid AND p.polname = 'tenant' AND p.polpermissive AND p.polcmd = '*'
                    AND p.polroles @> ARRAY['tw_app'::regrole::oid, 'tw_report'::regrole::oid]
                    AND cardinality(p.polroles) = 2
                    AND regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\\s|AS \"?nullif\"?', '', 'g')
                        = '(tenant_id=(SELECT(NULLIF(current_setting(''app.tenant_id''::text,true),''''::text))::uuid))'
                    AND pg_get_expr(p.polqual, p.polrelid) = pg_get_expr(p.polwithcheck, p.polrelid))",
    },
    Rule {
        name: "policy",
        remedy: "permissive policies add up: besides `tenant` only `platform` may stand, for tw_platform to read",
        sql: "SELECT p.polname || ' on ' || p.polrelid::regclass FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
              WHERE c.relnamespace = 'app'::regnamespace AND p.polpermissive AND p.polname <> 'tenant'
                AND NOT (p.polname = 'platform' AND p.polcmd = 'r'
                         AND p.polroles = ARRAY['tw_platform'::regrole::oid])",
    },
    Rule {
        name: "shop",
        remedy: "SELECT app.protect('table'): the policy `shop` must narrow what belongs to a shop (by shop_id, or by node_id \
                 through app.nodes) for tw_app and tw_report",
        sql: r#"SELECT c.oid::regclass::text FROM pg_class c
              CROSS JOIN LATERAL (
                  SELECT bool_or(a.attname = 'shop_id') AS by_shop, bool_or(a.attname = 'node_id' AND a.attnotnull) AS by_node
                  FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) k
              CROSS JOIN LATERAL (
                  SELECT '(SELECT(NULLIF(current_setting(''shop_ids''::text,true),''''::text)' AS setting) t
              WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') AND (k.by_shop OR k.by_node)
                AND NOT EXISTS (
                  SELECT FROM pg_policy p
                  WHERE p.polrelid = c.oid AND p.polname = 'shop' AND NOT p.polpermissive AND p.polcmd = '*'
                    AND p.polroles @> ARRAY['tw_app'::regrole::oid, 'tw_report'::regrole::oid]
                    AND cardinality(p.polroles) = 2
                    AND pg_get_expr(p.polqual, p.polrelid) LIKE '%current_setting(''app.shop_ids''%'
                    AND replace(regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\s|AS "nullif"|app\.', '', 'g'),
                                c.relname || '.', 't.')
                        = '(' || t.setting || 'ISNULL))OR' || CASE WHEN k.by_shop
                            THEN '(shop_id=ANY(' || t.setting || ')::uuid[])::uuid[])))'
                            ELSE '(EXISTS(SELECTFROMnodesnWHERE((n.tenant_id=t.tenant_id)AND(n.node_id=t.node_id)'
                                 || 'AND(n.shop_id=ANY(' || t.setting || ')::uuid[])::uuid[]))))))' END
                    AND pg_get_expr(p.polqual, p.polrelid) = pg_get_expr(p.polwithcheck, p.polrelid))"#,
    },
    Rule {
        name: "shop",
        remedy: "a row without a shop would be lost to whoever is narrowed to some: shop_id must be NOT NULL",
        sql: "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
              WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'shop_id'
                AND NOT a.attisdropped AND NOT a.attnotnull",
    },
    Rule {
        name: "tenant_id",
        remedy: "every table of a tenant has a column tenant_id uuid NOT NULL",
        sql: "SELECT c.oid::regclass::text FROM pg_class c
              WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p')
                AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'
                                AND a.attnotnull AND a.atttypid = 'uuid'::regtype AND NOT a.attisdropped)",
    },
    Rule {
        name: "key",
        remedy: "every table has a primary key, and every primary and unique key starts with tenant_id",
        sql: "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
              WHERE c.relnamespace = 'app'::regnamespace AND i.indisunique
                AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'
                                AND a.attnum = i.indkey[0])
              UNION ALL
              SELECT c.oid::regclass || ' has no primary key' FROM pg_class c
              WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p')
                AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)",
    },
    Rule {
        name: "key",
        remedy: "an exclusion constraint must start with tenant_id WITH =",
        sql: "SELECT k.conname || ' on ' || k.conrelid::regclass FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
              WHERE c.relnamespace = 'app'::regnamespace AND k.contype = 'x'
                AND NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_operator o ON o.oid = k.conexclop[1]
                                WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnum = k.conkey[1]
                                  AND o.oprname = '=')",
    },
    Rule {
        name: "foreign key",
        remedy: "foreign keys ignore row-level security: both sides must start with tenant_id",
        sql: "SELECT k.conname || ' on ' || k.conrelid::regclass FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
              WHERE c.relnamespace = 'app'::regnamespace AND k.contype = 'f'
                AND NOT EXISTS (
                  SELECT FROM pg_attribute a, pg_attribute b
                  WHERE a.attrelid = k.conrelid AND a.attname = 'tenant_id' AND a.attnum = k.conkey[1]
                    AND b.attrelid = k.confrelid AND b.attname = 'tenant_id' AND b.attnum = k.confkey[1])",
    },
    Rule {
        name: "foreign key",
        remedy: "a table without a tenant must not point into one with a tenant",
        sql: "SELECT k.conname || ' on ' || k.conrelid::regclass FROM pg_constraint k
              JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
              WHERE k.contype = 'f' AND r.relnamespace = 'app'::regnamespace
                AND c.relnamespace <> 'app'::regnamespace",
    },
    Rule {
        name: "materialized view",
        remedy: "row-level security cannot apply to it: use a roll-up table",
        sql: "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind = 'm' AND n.nspname NOT IN ('pg_catalog', 'information_schema')",
    },
    Rule {
        name: "view",
        remedy: "CREATE VIEW ... WITH (security_invoker = true)",
        sql: "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind = 'v' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
                AND NOT coalesce(c.reloptions && ARRAY['security_invoker=true', 'security_invoker=on',
                                                       'security_invoker=1', 'security_invoker=yes'], false)",
    },
    Rule {
        name: "foreign table",
        remedy: "row-level security cannot apply to it",
        sql: "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'f'",
    },
    Rule {
        name: "grant",
        remedy: "REVOKE it: TRUNCATE, REFERENCES and TRIGGER reach past row-level security",
        sql: "SELECT DISTINCT a.privilege_type || ' on ' || c.oid::regclass || ' to '
                     || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
              FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
              WHERE c.relnamespace IN ('app'::regnamespace, 'platform'::regnamespace) AND a.grantee <> c.relowner
                AND a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')",
    },
    Rule {
        name: "grant",
        remedy: "REVOKE it: only tw_app (rows), tw_report (SELECT) and, where listed, tw_platform (SELECT) may",
        sql: "SELECT DISTINCT a.privilege_type || ' on ' || c.oid::regclass || ' to '
                     || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
              FROM pg_class c CROSS JOIN LATERAL (
                  SELECT * FROM aclexplode(c.relacl)
                  UNION ALL
                  SELECT e.* FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) e WHERE t.attrelid = c.oid
              ) a
              WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.grantee <> c.relowner
                AND NOT (a.grantee = 'tw_app'::regrole
                         AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
                         AND NOT a.is_grantable)
                AND NOT (a.grantee = 'tw_report'::regrole AND a.privilege_type = 'SELECT' AND NOT a.is_grantable)
                AND NOT (a.grantee = 'tw_platform'::regrole AND a.privilege_type = 'SELECT' AND NOT a.is_grantable
                         AND c.relname = ANY ($1))",
    },
    Rule {
        name: "grant",
        remedy: "what has no tenant is for tw_platform alone",
        sql: "SELECT DISTINCT a.privilege_type || ' on ' || c.oid::regclass || ' to '
                     || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
              FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
              WHERE c.relnamespace = 'platform'::regnamespace AND a.grantee <> c.relowner
                AND a.grantee <> 'tw_platform'::regrole",
    },
    Rule {
        name: "partition",
        remedy: "REVOKE it: a partition asked by name does not see its parent's policy",
        sql: "SELECT DISTINCT a.privilege_type || ' on ' || c.oid::regclass || ' to '
                     || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
              FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
              WHERE c.relispartition AND c.relkind IN ('r', 'p') AND a.grantee <> c.relowner",
    },
    Rule {
        name: "function",
        remedy: "SECURITY DEFINER runs with its owner's rights: put it on the list with its reason, and SET search_path",
        sql: "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
              WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
                AND NOT (n.nspname || '.' || p.proname = ANY ($1)
                         AND EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%'))",
    },
    Rule {
        name: "function",
        remedy: "REVOKE ALL ON FUNCTION ... FROM PUBLIC, then GRANT EXECUTE to who calls it",
        sql: "SELECT p.oid::regprocedure::text FROM pg_proc p
              WHERE p.pronamespace IN ('app'::regnamespace, 'platform'::regnamespace)
                AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0))",
    },
    Rule {
        name: "append only",
        remedy: "REVOKE UPDATE, DELETE: what was written there stays as it is",
        sql: "SELECT a.privilege_type || ' on ' || c.oid::regclass || ' to ' || a.grantee::regrole
              FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
              WHERE c.relnamespace = 'app'::regnamespace AND c.relname = ANY ($1) AND a.grantee <> c.relowner
                AND a.privilege_type NOT IN ('SELECT', 'INSERT')",
    },
    Rule {
        name: "role",
        remedy: "no role of Tillway may be SUPERUSER, BYPASSRLS, CREATEROLE or a member of the owner",
        sql: "SELECT r.rolname::text FROM pg_roles r
              WHERE r.rolname IN ('tw_app', 'tw_report', 'tw_platform')
                AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR pg_has_role(r.oid, 'tw_owner', 'MEMBER'))
              UNION ALL
              SELECT r.rolname::text FROM pg_roles r
              WHERE r.rolname = 'tw_owner' AND (r.rolsuper OR r.rolbypassrls)",
    },
    Rule {
        name: "owner",
        remedy: "tables belong to tw_owner",
        sql: "SELECT c.oid::regclass::text FROM pg_class c
              WHERE c.relnamespace IN ('app'::regnamespace, 'platform'::regnamespace)
                AND c.relkind IN ('r', 'p', 'v') AND c.relowner <> 'tw_owner'::regrole",
    },
    Rule {
        name: "schema",
        remedy: "REVOKE CREATE: only the owner makes objects",
        sql: "SELECT a.privilege_type || ' on schema ' || n.nspname || ' to '
                     || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
              FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
              WHERE n.nspname IN ('app', 'platform', 'migrations', 'public') AND a.privilege_type = 'CREATE'
                AND a.grantee <> n.nspowner AND a.grantee <> 'pg_database_owner'::regrole
                AND a.grantee <> 'tw_owner'::regrole",
    },
];

/// Everything in the database that breaks a rule of isolation; empty when all is well.
///
/// # Errors
/// Whatever reading the catalogue met.
pub async fn violations(connection: &mut PgConnection) -> Result<Vec<Violation>, DbError> {
    let names = |list: &[(&str, &str)]| list.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<String>>();
    let mut found = Vec::new();
    for rule in RULES {
        let mut query = sqlx::query_scalar(rule.sql);
        if rule.sql.contains("$1") {
            query = query.bind(names(match rule.name {
                "function" => SECURITY_DEFINERS,
                "append only" => APPEND_ONLY,
                _ => PLATFORM_READS,
            }));
        }
        let objects: Vec<Option<String>> = query.fetch_all(&mut *connection).await?;
        found.extend(objects.into_iter().map(|object| Violation {
            rule: rule.name,
            object: object.unwrap_or_default(),
            remedy: rule.remedy,
        }));
    }
    found.sort();
    found.dedup();
    Ok(found)
}
