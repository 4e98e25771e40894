//! What a security review asked for: whoever has only the password, or only a part of the rights, takes no second factor
//! off, and nothing here starves the rest of head office.

use std::time::Duration;

use super::*;
use crate::db::{Db, Limits};

#[tokio::test]
async fn a_passkey_is_asked_for_with_one_connection() {
    let ground = Ground::lay().await;
    let token = ground.token().await;
    let limits = Limits { platform: 1, acquire: Duration::from_secs(3), ..Limits::default() };
    let narrow = docs::router(App { db: Db::open(&ground.test.urls(), limits), ..ground.app.clone() });
    let begun = call(&narrow, Method::POST, "/v1/me/mfa/passkeys", Some(&token), &json!({})).await;
    assert_eq!(begun.status, StatusCode::OK, "a second transaction beside the first waits for itself: {begun:?}");
}
