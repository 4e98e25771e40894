//! Every table and every verb, as a foreign tenant, from PostgreSQL's own catalogue: the tables of tomorrow too.

use control_plane::db::testing::TestDb;
use control_plane::db::testing::isolation::probe;

#[tokio::test(flavor = "multi_thread")]
async fn no_verb_reaches_a_row_of_another_tenant() {
    let test = TestDb::new().await;
    let found = probe(&test).await.unwrap();
    assert!(found.breaches.is_empty(), "{:#?}", found.breaches);
    assert!(found.tables.len() >= 15, "only these tables were tried: {:?}", found.tables);
    // Read, change, remove, plant, give away, upsert, empty: eleven tries and more for each table.
    assert!(found.tries >= found.tables.len() * 12, "{} tries over {} tables", found.tries, found.tables.len());
}
