//! The isolation of tenants, against a real PostgreSQL: every table there is and every rule that can be broken.

use protocol::id::TenantId;
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use super::testing::{TestDb, isolation};
use super::*;

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

#[tokio::test]
async fn a_fresh_database_breaks_no_rule() {
    let test = TestDb::new().await;
    test.db.preflight().await.unwrap();
    let mut admin = test.superuser().await;
    assert_eq!(violations(&mut admin).await.unwrap(), []);
}

#[tokio::test]
async fn every_planted_violation_is_caught() {
    let table = "CREATE TABLE app.planted (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id));
                 ALTER TABLE app.planted OWNER TO tw_owner; SELECT app.protect('planted');";
    let cases = [
        ("", None),
        ("ALTER TABLE app.planted DISABLE ROW LEVEL SECURITY", Some("rls")),
        ("ALTER TABLE app.planted NO FORCE ROW LEVEL SECURITY", Some("rls")),
        ("DROP POLICY tenant ON app.planted", Some("policy")),
        ("ALTER POLICY tenant ON app.planted USING (true)", Some("policy")),
        ("ALTER POLICY tenant ON app.planted WITH CHECK (true)", Some("policy")),
        ("ALTER POLICY tenant ON app.planted TO tw_app, tw_report, tw_platform", Some("policy")),
        ("CREATE POLICY more ON app.planted FOR SELECT TO tw_app USING (true)", Some("policy")),
        ("CREATE POLICY platform ON app.planted FOR ALL TO tw_platform USING (true)", Some("policy")),
        ("SELECT app.platform_reads('planted')", Some("grant")),
        ("ALTER TABLE app.planted ALTER tenant_id DROP NOT NULL", None), // refused: it is in the primary key
        ("CREATE TABLE app.bare (id uuid PRIMARY KEY)", Some("tenant_id")),
        ("CREATE TABLE app.keyless (tenant_id uuid NOT NULL)", Some("key")),
        ("CREATE UNIQUE INDEX ON app.planted (id)", Some("key")),
        ("CREATE UNIQUE INDEX ON app.planted (id, tenant_id)", Some("key")),
        ("CREATE UNIQUE INDEX ON app.planted ((id::text), tenant_id)", Some("key")),
        ("ALTER TABLE app.planted ADD EXCLUDE USING btree (id WITH =)", Some("key")),
        (
            "CREATE TABLE app.child (tenant_id uuid NOT NULL, id uuid, of uuid, PRIMARY KEY (tenant_id, id),
             FOREIGN KEY (of, id) REFERENCES app.planted (tenant_id, id))",
            Some("foreign key"),
        ),
        (
            "CREATE TABLE platform.pointing (t uuid, i uuid, FOREIGN KEY (t, i) REFERENCES app.planted (tenant_id, id))",
            Some("foreign key"),
        ),
        ("CREATE MATERIALIZED VIEW app.all_of_it AS SELECT * FROM app.planted", Some("materialized view")),
        ("CREATE VIEW app.seen AS SELECT * FROM app.planted", Some("view")),
        ("CREATE VIEW app.seen WITH (security_invoker = false) AS SELECT * FROM app.planted", Some("view")),
        (
            "CREATE VIEW app.seen WITH (security_invoker = true) AS SELECT * FROM app.planted;
             ALTER VIEW app.seen OWNER TO tw_owner",
            None,
        ),
        ("GRANT TRUNCATE ON app.planted TO tw_app", Some("grant")),
        ("GRANT REFERENCES ON app.planted TO tw_app", Some("grant")),
        ("GRANT TRIGGER ON app.planted TO tw_app", Some("grant")),
        ("GRANT INSERT ON app.planted TO tw_report", Some("grant")),
        ("GRANT SELECT (id) ON app.planted TO tw_platform", Some("grant")),
        ("GRANT SELECT ON app.planted TO PUBLIC", Some("grant")),
        ("GRANT SELECT ON platform.passwords TO tw_app", Some("grant")),
        (
            "CREATE FUNCTION app.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
             AS 'SELECT count(*) FROM app.planted'",
            Some("function"),
        ),
        ("CREATE FUNCTION app.open() RETURNS int LANGUAGE sql AS 'SELECT 1'", Some("function")),
        ("ALTER TABLE app.planted ADD shop_id uuid NOT NULL", Some("shop")),
        ("ALTER TABLE app.planted ADD shop_id uuid; SELECT app.protect('planted')", Some("shop")),
        ("ALTER TABLE app.planted ADD shop_id uuid NOT NULL; SELECT app.protect('planted')", None),
        ("ALTER TABLE app.planted ADD node_id uuid NOT NULL", Some("shop")),
        ("ALTER TABLE app.planted ADD node_id uuid NOT NULL; SELECT app.protect('planted')", None),
        ("DROP POLICY shop ON app.tickets", Some("shop")),
        ("ALTER POLICY shop ON app.tickets USING (true)", Some("shop")),
        ("ALTER POLICY shop ON app.node_terms WITH CHECK (true)", Some("shop")),
        ("ALTER POLICY shop ON app.shops TO tw_app", Some("shop")),
        ("GRANT UPDATE ON app.audit TO tw_app", Some("append only")),
        ("GRANT CREATE ON SCHEMA app TO tw_app", Some("schema")),
        ("ALTER TABLE app.planted OWNER TO postgres", Some("owner")),
        ("ALTER ROLE tw_report BYPASSRLS", Some("role")),
        ("GRANT tw_owner TO tw_app", None), // refused: tw_owner is a member of tw_app already
        (
            "CREATE TABLE app.parts (tenant_id uuid NOT NULL, d date NOT NULL, PRIMARY KEY (tenant_id, d))
             PARTITION BY RANGE (d);
             CREATE TABLE app.parts_1 PARTITION OF app.parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
             SELECT app.protect('parts'); GRANT SELECT ON app.parts_1 TO tw_app",
            Some("partition"),
        ),
        (
            "CREATE TABLE app.parts (tenant_id uuid NOT NULL, d date NOT NULL, PRIMARY KEY (tenant_id, d))
             PARTITION BY RANGE (d);
             SELECT app.protect('parts');
             CREATE TABLE app.parts_1 PARTITION OF app.parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
            Some("rls"),
        ),
    ];
    let test = TestDb::new().await;
    let mut admin = test.superuser().await;
    for (plant, rule) in cases {
        let mut tx = admin.begin().await.unwrap();
        tx.execute(table).await.unwrap();
        let planted = sqlx::raw_sql(plant).execute(&mut *tx).await;
        if planted.is_err() {
            assert_eq!(rule, None, "{plant}: {planted:?}");
            continue;
        }
        let found = violations(&mut tx).await.unwrap();
        match rule {
            None => assert_eq!(found, [], "{plant}"),
            Some(rule) => assert!(found.iter().any(|v| v.rule == rule), "{plant} went unseen: {found:?}"),
        }
    }
}

#[tokio::test]
async fn no_table_lets_a_foreign_tenant_read_write_or_infer() {
    let test = TestDb::new().await;
    let probe = isolation::probe(&test).await.unwrap();
    assert_eq!(probe.breaches, Vec::<String>::new());
    assert!(probe.tables.len() >= 6, "{:?}", probe.tables);
    assert!(probe.cases.len() >= probe.tables.len() * 20, "{} tries", probe.cases.len());
}

#[tokio::test]
async fn the_probe_catches_a_table_without_protection() {
    let test = TestDb::new().await;
    let mut admin = test.superuser().await;
    admin
        .execute(
            "CREATE TABLE app.bare (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (id));
             GRANT SELECT, INSERT, UPDATE, DELETE ON app.bare TO tw_app",
        )
        .await
        .unwrap();
    let breaches = isolation::probe(&test).await.unwrap().breaches;
    for what in ["select as a foreign", "update as a foreign", "delete as no tenant", "insert for another", "same key"]
    {
        assert!(breaches.iter().any(|b| b.starts_with("bare:") && b.contains(what)), "{what}: {breaches:#?}");
    }
}

#[tokio::test]
async fn a_connection_that_served_one_tenant_serves_the_next_without_a_trace() {
    let test = TestDb::new().await;
    let db = Db::open(&test.urls(), Limits { app: 1, ..Limits::default() });
    for number in 1..=2_u128 {
        let mut tx = TenantTx::begin(&db, tenant(number)).await.unwrap();
        sqlx::query("INSERT INTO app.tenants (tenant_id, name, created_at) VALUES ($1, 'x', now())")
            .bind(tx.tenant().as_uuid())
            .execute(tx.conn())
            .await
            .unwrap();
        tx.save().await.unwrap();
    }
    let mut tx = TenantTx::begin(&db, tenant(1)).await.unwrap();
    let seen: Vec<Uuid> = sqlx::query_scalar("SELECT tenant_id FROM app.tenants").fetch_all(tx.conn()).await.unwrap();
    assert_eq!(seen, [tenant(1).as_uuid()]);
    drop(tx);
    // Outside a transaction the same connection is nobody.
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM app.tenants").fetch_one(db.app()).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_dropped_transaction_keeps_nothing_and_a_system_access_leaves_its_trace() {
    let test = TestDb::new().await;
    let mut tx = TenantTx::begin(&test.db, tenant(1)).await.unwrap();
    sqlx::query("INSERT INTO app.tenants (tenant_id, name, created_at) VALUES ($1, 'x', now())")
        .bind(tenant(1).as_uuid())
        .execute(tx.conn())
        .await
        .unwrap();
    drop(tx);
    let mut tx = SystemTx::begin(&test.db, SystemReason::Housekeeping).await.unwrap();
    let tenants: Vec<String> = sqlx::query_scalar("SELECT name FROM app.tenants").fetch_all(tx.conn()).await.unwrap();
    assert_eq!(tenants, ["Tillway"], "the platform's own and no other");
    drop(tx);
    let mut admin = test.superuser().await;
    let reasons: Vec<String> =
        sqlx::query_scalar("SELECT reason FROM platform.system_access").fetch_all(&mut admin).await.unwrap();
    assert_eq!(reasons, ["housekeeping"]);
}

#[tokio::test]
async fn serving_with_a_role_that_could_go_back_to_more_is_refused() {
    let test = TestDb::new().await;
    let urls = Urls::assume(&test.url("postgres")).unwrap();
    let db = Db::open(&urls, Limits { app: 1, platform: 1, ..Limits::default() });
    let error = db.preflight().await.unwrap_err().to_string();
    assert!(error.contains("postgres, a superuser"), "{error}");
    // A command may do so, to make a tenant as the owner.
    TenantTx::begin(&db, tenant(1)).await.unwrap();
    let owner = Urls::assume(&test.url("tw_owner")).unwrap();
    let db = Db::open(&owner, Limits { app: 1, platform: 1, ..Limits::default() });
    let error = db.preflight().await.unwrap_err().to_string();
    assert!(error.contains("owns tables"), "{error}");
}

#[tokio::test]
async fn a_schema_that_is_behind_is_refused_with_the_command_to_run() {
    let test = TestDb::new().await;
    let mut admin = test.superuser().await;
    admin.execute("DELETE FROM migrations._sqlx_migrations WHERE version = 4").await.unwrap();
    let error = test.db.preflight().await.unwrap_err().to_string();
    assert!(error.contains("control-plane migrate") && error.contains("(1 migrations)"), "{error}");
}

#[tokio::test]
async fn migrate_takes_an_administrators_address_and_runs_twice() {
    let test = TestDb::new().await;
    let mut admin = test.superuser().await;
    let name = format!("{}_external", test.name());
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
    let url = |role: &str| test.url(role).replace(&format!("/{}", test.name()), &format!("/{name}"));
    let version = migrate(&url("postgres")).await.unwrap();
    assert!(version >= 5);
    assert_eq!(migrate(&url("postgres")).await.unwrap(), version);
    let db = Db::open(&Urls::parse(&url("tw_app"), &url("tw_platform")).unwrap(), Limits::default());
    db.preflight().await.unwrap();
    db.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test]
async fn errors_are_sorted_by_what_to_do_about_them() {
    let test = TestDb::new().await;
    let mut tx = TenantTx::begin(&test.db, tenant(1)).await.unwrap();
    let insert = "INSERT INTO app.tenants (tenant_id, name, created_at) VALUES ($1, 'x', now())";
    sqlx::query(insert).bind(tenant(1).as_uuid()).execute(tx.conn()).await.unwrap();
    let taken = sqlx::query(insert).bind(tenant(1).as_uuid()).execute(tx.conn()).await.unwrap_err();
    assert!(matches!(DbError::from(taken), DbError::Taken { constraint } if constraint == "tenants_pkey"));
    drop(tx);
    let db = Db::open(&test.urls(), Limits { statement: std::time::Duration::from_millis(50), ..Limits::default() });
    let mut tx = TenantTx::begin(&db, tenant(1)).await.unwrap();
    let slow = sqlx::query("SELECT pg_sleep(5)").execute(tx.conn()).await.unwrap_err();
    assert!(matches!(DbError::from(slow), DbError::Busy(_)));
    drop(tx);
    let nobody = Urls::parse(&test.url("tw_nobody"), &test.url("tw_nobody")).unwrap();
    let error = Db::open(&nobody, Limits::default()).ping().await.unwrap_err().to_string();
    assert!(error.contains("tw_nobody") && error.contains("control-plane migrate"), "{error}");
    let alone = Urls::assume(&test.url("tw_platform")).unwrap();
    let error = Db::open(&alone, Limits::default()).ping().await.unwrap_err().to_string();
    assert!(error.contains("--platform-url"), "{error}");
    let nowhere = test.urls().app.socket("/nonexistent");
    let db = Db::open(&Urls { app: nowhere.clone(), platform: nowhere }, Limits::default());
    assert!(matches!(db.ping().await, Err(DbError::Unavailable(_))));
}
