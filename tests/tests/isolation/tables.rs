//! Every table and every verb, as a foreign tenant and as a foreign shop, from PostgreSQL's own catalogue: the tables of
//! tomorrow too. And the policies taken away one by one: the tries must notice.

use control_plane::clock::Clock;
use control_plane::db::testing::TestDb;
use control_plane::db::testing::isolation::{Planted, mutants};
use control_plane::jobs::watch;

use crate::tally;

#[tokio::test(flavor = "multi_thread")]
async fn no_verb_reaches_a_row_of_another_tenant() {
    let test = TestDb::new().await;
    let mut planted = Planted::plant(&test).await.unwrap();
    let found = planted.probe(None).await.unwrap();
    assert!(found.breaches.is_empty(), "{:#?}", found.breaches);
    assert!(found.tables.len() >= 30, "only these tables were tried: {:?}", found.tables);
    assert!(found.cases.len() >= found.tables.len() * 20, "{} tries", found.cases.len());
    tally::count("tables", found.cases.len());
    // The same ground with each policy gone: three of each kind, or all of them by command.
    let tried = mutants(&mut planted, tally::mutants()).await.unwrap();
    let survivors: Vec<_> = tried.iter().filter(|mutant| mutant.noticed.is_none()).collect();
    println!("mutants of policies: {} of {} noticed", tried.len() - survivors.len(), tried.len());
    assert!(tried.len() >= 15, "{tried:#?}");
    assert!(survivors.is_empty(), "nobody would notice: {survivors:#?}");
    let healed = planted.probe(None).await.unwrap();
    assert!(healed.breaches.is_empty(), "the mutants left something behind: {:#?}", healed.breaches);
}

/// The daily watch finds in production what the tests hold: something in the catalogue, something in the rows; and tells the
/// operators.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_astray_is_told() {
    let test = TestDb::new().await;
    let app = test.app(Clock::System).await;
    let now = app.clock.now();
    assert_eq!(watch::once(&app, now).await.unwrap(), Vec::<String>::new());
    let mut admin = test.superuser().await;
    sqlx::raw_sql(
        "INSERT INTO app.memberships (tenant_id, person_id, created_at)
         VALUES ('00000000-0000-7000-8000-000000000001', '00000000-0000-4000-8000-00000000000a', now());
         INSERT INTO app.tenants (tenant_id, name, created_at) VALUES ('00000000-0000-4000-8000-0000000000aa', 'x', now());
         INSERT INTO app.sessions (tenant_id, session_id, person_id, created_at, expires_at, address, user_agent)
         VALUES ('00000000-0000-4000-8000-0000000000aa', '00000000-0000-4000-8000-00000000000b',
                 '00000000-0000-4000-8000-00000000000a', now(), now() + interval '1 day', '', '');
         GRANT TRUNCATE ON app.tickets TO tw_app; DROP POLICY shop ON app.nodes",
    )
    .execute(&mut admin)
    .await
    .unwrap();
    let found = watch::once(&app, now).await.unwrap();
    for what in ["TRUNCATE on", "shop: ", "1 sessions that stand without a membership"] {
        assert!(found.iter().any(|finding| finding.contains(what)), "{what} in {found:#?}");
    }
    assert_eq!(found.len(), 4, "TRUNCATE breaks two rules, the others one: {found:#?}");
    let told: i64 =
        sqlx::query_scalar("SELECT count(*) FROM app.notices WHERE body LIKE '%TRUNCATE%' OR body LIKE '%shop%'")
            .fetch_one(&mut admin)
            .await
            .unwrap();
    assert_eq!(told, 1, "the operator was not told");
}
