//! Access tokens that are not what they say, and the keys behind them.

use axum::http::StatusCode;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{Hq, text};
use crate::auth::token::{Access, KEY_MILLIS};
use crate::clock::utc;
use crate::db::{SystemReason, SystemTx};
use crate::http::testing::signed_in;
use crate::jobs::housekeeping;

/// The key that signs, as only the database knows it: the forger of these tests has stolen it.
async fn stolen(hq: &Hq) -> (String, Vec<u8>) {
    let mut tx = SystemTx::begin(&hq.app.db, SystemReason::Keys).await.unwrap();
    let newest = "SELECT key_id, secret FROM platform.signing_keys ORDER BY created_at DESC LIMIT 1";
    sqlx::query_as(newest).fetch_one(tx.conn()).await.unwrap()
}

fn claims(token: &str) -> Value {
    let rules = jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap();
    rules.claims
}

#[tokio::test]
async fn a_token_that_is_not_for_us_never_counts_even_with_our_signature() {
    let hq = Hq::new().await;
    let (_, token, refresh) = signed_in(&hq.app, &hq.router, "one").await;
    let (other, foreign, _) = signed_in(&hq.app, &hq.router, "two").await;
    let (kid, secret) = stolen(&hq).await;
    let good = claims(&token);
    assert_eq!((&good["aud"], &good["iss"]), (&json!("tillway-hq/api"), &json!("tillway-hq")));
    let sign = |typ: Option<&str>, algorithm: Algorithm, change: &[(&str, Value)]| {
        let mut claims = good.clone();
        for (name, value) in change {
            claims[*name] = value.clone();
        }
        let header = Header { kid: Some(kid.clone()), typ: typ.map(str::to_owned), ..Header::new(algorithm) };
        encode(&header, &claims, &EncodingKey::from_secret(&secret)).unwrap()
    };
    let typ = Some("at+jwt");
    assert_eq!(hq.me(&sign(typ, Algorithm::HS256, &[])).await.status, StatusCode::OK, "the forger forges well");
    let bad = [
        ("another audience", sign(typ, Algorithm::HS256, &[("aud", json!("somebody-else"))])),
        ("a ticket's audience", sign(typ, Algorithm::HS256, &[("aud", json!("tillway-hq/sign-in/choose"))])),
        ("no audience", sign(typ, Algorithm::HS256, &[("aud", Value::Null)])),
        ("another issuer", sign(typ, Algorithm::HS256, &[("iss", json!("tillway-edge"))])),
        ("another type", sign(Some("JWT"), Algorithm::HS256, &[])),
        ("a ticket's type", sign(Some("ticket+jwt"), Algorithm::HS256, &[])),
        ("no type", sign(None, Algorithm::HS256, &[])),
        ("another algorithm of the same key", sign(typ, Algorithm::HS512, &[])),
        ("the tenant of somebody else", sign(typ, Algorithm::HS256, &[("tid", json!(other))])),
        ("the session of somebody else", sign(typ, Algorithm::HS256, &[("sid", claims(&foreign)["sid"].clone())])),
        ("the person of somebody else", sign(typ, Algorithm::HS256, &[("sub", claims(&foreign)["sub"].clone())])),
        ("expired", sign(typ, Algorithm::HS256, &[("exp", json!(1_000))])),
        ("no signature", unsigned(&token, "none")),
        ("no signature, spelled otherwise", unsigned(&token, "NonE")),
        ("a refresh token", refresh.clone()),
    ];
    for (what, forged) in bad {
        let me = hq.me(&forged).await;
        assert_eq!((me.status.as_u16(), me.code()), (401, "AUTHN"), "{what}: {me:?}");
    }
    let access = Access {
        tenant: other,
        person: claims(&foreign)["sub"].as_str().unwrap().parse().unwrap(),
        session: uuid::Uuid::nil(),
    };
    let ticket = hq.app.keys.sign_ticket("choose", access, hq.app.clock.now()).unwrap();
    assert_eq!(hq.me(&ticket).await.status, StatusCode::UNAUTHORIZED, "a ticket opens nothing");
    assert!(hq.app.keys.verify_ticket(&hq.app.db, "second", &ticket, hq.app.clock.now()).await.is_err());
    assert!(hq.app.keys.verify_ticket(&hq.app.db, "choose", &token, hq.app.clock.now()).await.is_err());
    assert_eq!(hq.me(&token).await.status, StatusCode::OK, "nothing of this ended the session");
}

/// The same claims under a header that names another algorithm and without a signature.
fn unsigned(token: &str, algorithm: &str) -> String {
    let header = json!({ "alg": algorithm, "typ": "at+jwt" }).to_string();
    let header = base64(header.as_bytes());
    format!("{header}.{}.", token.split('.').nth(1).unwrap())
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0_u32, |n, byte| n << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        out.extend((0..=chunk.len()).map(|i| char::from(DIGITS[usize::try_from(n >> (18 - 6 * i)).unwrap() & 63])));
    }
    out
}

#[tokio::test]
async fn keys_change_by_themselves_and_at_once_when_told() {
    let hq = Hq::new().await;
    let (_, old, mut refresh) = signed_in(&hq.app, &hq.router, "one").await;
    let (first, _) = stolen(&hq).await;
    // By hand: the new key signs, what the old one signed is believed.
    hq.app.clock.advance_millis(1_000);
    hq.app.keys.rotate(&hq.app.db, false, hq.app.clock.now()).await.unwrap();
    let next = hq.refresh(&refresh).await;
    let (second, _) = stolen(&hq).await;
    assert_ne!(first, second);
    assert_eq!(hq.me(&old).await.status, StatusCode::OK);
    let new = text(&next, "access_token");
    assert_eq!(hq.me(&new).await.status, StatusCode::OK);
    // At once: nothing that was signed before counts, and the refresh token leads on.
    hq.app.clock.advance_millis(1_000);
    assert_eq!(hq.app.keys.rotate(&hq.app.db, true, hq.app.clock.now()).await.unwrap(), 2);
    for token in [&old, &new] {
        assert_eq!(hq.me(token).await.status, StatusCode::UNAUTHORIZED);
    }
    refresh = text(&next, "refresh_token");
    let next = hq.refresh(&refresh).await;
    assert_eq!(hq.me(&text(&next, "access_token")).await.status, StatusCode::OK);
    // By age: upkeep makes a new one, and a day later the old one's secret is gone.
    let (third, _) = stolen(&hq).await;
    hq.app.clock.advance_millis(KEY_MILLIS);
    housekeeping::once(&hq.app, hq.app.clock.now()).await.unwrap();
    let (fourth, _) = stolen(&hq).await;
    assert_ne!(third, fourth);
    hq.app.clock.advance_millis(25 * 3_600 * 1_000);
    housekeeping::once(&hq.app, hq.app.clock.now()).await.unwrap();
    let mut tx = SystemTx::begin(&hq.app.db, SystemReason::Keys).await.unwrap();
    let left: Vec<(String, bool)> = sqlx::query_as(
        "SELECT key_id, created_at > $1 FROM platform.signing_keys WHERE retired_at IS NULL
            OR secret <> decode(repeat('00', 32), 'hex')",
    )
    .bind(utc(hq.app.clock.now().plus_millis(-KEY_MILLIS)))
    .fetch_all(tx.conn())
    .await
    .unwrap();
    assert_eq!(left, vec![(fourth, true)], "of retired keys not even the secret is kept");
}
