//! The isolation of tenants, against a real PostgreSQL: every table there is and every rule that can be broken.

use super::testing::TestDb;
use super::*;

#[tokio::test]
async fn a_fresh_database_breaks_no_rule() {
    let test = TestDb::new().await;
    test.db.preflight().await.unwrap();
    let mut admin = test.superuser().await;
    assert_eq!(violations(&mut admin).await.unwrap(), []);
}
