//! The pages of roles and regions in a browser's eyes: what an owner does, and what a form of old says.

use axum::http::StatusCode;
use protocol::timestamp::Timestamp;

use crate::clock::Clock;
use crate::db::testing::TestDb;
use crate::domain::tenants;
use crate::web::testing::Browser;

#[tokio::test]
async fn an_owner_makes_a_region_and_a_role_by_page() {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(Timestamp(1_800_000_000_000))).await;
    tenants::service::create(&app, "Bakers", "o@one.example", "correct horse").await.unwrap();
    let mut browser = Browser::signed_in(&app, "o@one.example", "correct horse").await;
    let empty = browser.get("/regions").await;
    assert!(empty.text.contains("No region yet"), "{}", empty.text);
    let csrf = empty.hidden("csrf");
    let shop = [("csrf", csrf.as_str()), ("name", "High Street"), ("timezone", "Europe/London"), ("currency", "GBP")];
    let made = browser.post("/shops", &shop).await;
    let shop = made.location().trim_start_matches("/shops/").to_owned();
    let made = browser.post("/regions", &[("csrf", &csrf), ("name", "North")]).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    let path = made.location().to_owned();
    let chosen = format!("s.{shop}");
    let fields = [("csrf", csrf.as_str()), ("name", "North"), ("seen", "1"), (chosen.as_str(), "on")];
    assert_eq!(browser.post(&path, &fields).await.location(), "/regions");
    let page = browser.get(&path).await;
    assert!(page.text.contains("checked") && page.text.contains("High Street"), "{}", page.text);
    let stale = browser.post(&path, &fields).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "somebody else's change is not lost: {}", stale.text);

    let role = [("csrf", csrf.as_str()), ("name", "Night"), ("p.shops.read", "on"), ("p.sales.read", "on")];
    assert_eq!(browser.post("/roles", &role).await.location(), "/roles");
    let roles = browser.get("/roles").await;
    assert!(roles.text.contains("Night") && roles.text.contains("your own"), "{}", roles.text);
    let taken = browser.post("/roles", &role).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    assert!(taken.text.contains("exists") && taken.text.contains("value=\"Night\""), "what was typed stays");
    let record = browser.get("/audit?action=roles").await;
    assert!(record.text.contains("roles created"), "{}", record.text);
}
