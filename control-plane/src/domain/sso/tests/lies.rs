//! A provider, or somebody between, that lies: each lie is refused, named, written down, and changes nothing.

use super::issuer::Lie;
use super::*;

/// Tries one lie with a browser of its own; answers the name of the refusal.
async fn lie(rig: &Rig, provider: &str, lie: Lie) -> String {
    let before = rig.rows().await;
    rig.app.sso.forget();
    rig.issuer.lies(lie);
    let mut browser = Browser::new(&rig.app);
    let away = browser.get(&rig.start(provider)).await;
    let page =
        if away.status == StatusCode::SEE_OTHER { browser.get(&rig.issuer.visit(away.location())).await } else { away };
    assert!(!is_in(&mut browser).await, "{}", page.text);
    assert_eq!(rig.rows().await, before, "nothing changed");
    for inner in [rig.issuer.url.as_str(), "127.0.0.1", "expected", "Invalid", "nonce mismatch", "sso_"] {
        assert!(!page.text.contains(inner), "{inner} in {}", page.text);
    }
    // Each of them by itself: failures in a row are another story.
    rig.app.clock.advance_millis(1);
    let mut admin = rig.test.superuser().await;
    sqlx::query("DELETE FROM app.sso_failures").execute(&mut admin).await.unwrap();
    let told = "SELECT diff->>'why' FROM app.audit WHERE action = 'sso.refused' ORDER BY audit_id DESC LIMIT 1";
    let told: String = sqlx::query_scalar(told).fetch_one(&mut admin).await.unwrap();
    assert!(page.text.contains(&told), "the record says {told}, the page {}", page.text);
    page.text.split("<span class=\"mono\">").nth(1).unwrap_or(&page.text).split('<').next().unwrap().to_owned()
}

fn claim(name: &str, value: Value) -> Lie {
    Lie { claims: json!({ name: value }), ..Lie::default() }
}

#[tokio::test]
async fn no_token_is_believed_that_is_not_for_us_now_from_them() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    rig.link(&provider).await;
    let now = NOW.0 / 1_000;
    let signed = |signed| Lie { signed, ..Lie::default() };
    let both = |a: Value, b: Value| Lie { claims: json!({ "aud": a, "azp": b }), ..Lie::default() };
    for (name, told) in [
        ("algorithm", signed("none")),
        ("algorithm", signed("HS256")),
        ("algorithm", signed("HS256 with our secret")),
        ("signature", signed("other")),
        ("audience", claim("aud", json!("somebody-else"))),
        ("audience", both(json!([issuer::CLIENT, "other"]), json!(issuer::CLIENT))),
        ("audience", claim("azp", json!("other"))),
        ("issuer", claim("iss", json!("https://evil.example"))),
        ("issuer", claim("iss", json!(format!("{}/", rig.issuer.url)))),
        ("nonce", claim("nonce", json!("another"))),
        ("nonce", claim("nonce", Value::Null)),
        ("expired", claim("exp", json!(now - 61))),
        ("expired", claim("iat", json!(now + 120))),
        ("expired", claim("iat", json!(now - 3_600))),
        ("expired", claim("auth_time", json!(now - 13 * 3_600))),
        ("no_token", claim("sub", json!(""))),
        ("signature", claim("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"))),
        ("mix_up", Lie { iss: Some("https://evil.example".to_owned()), ..Lie::default() }),
        (
            "mix_up",
            Lie { metadata: json!({ "authorization_response_iss_parameter_supported": true }), ..Lie::default() },
        ),
        ("not_linked", claim("sub", json!("mallory-7"))),
    ] {
        assert_eq!(lie(&rig, &provider, told.clone()).await, name, "{:?} {}", told.claims, told.signed);
    }
    // And the truth, to be sure that it is the lies that were refused: an expiry within the skew, too.
    rig.issuer.lies(claim("exp", json!(now - 50)));
    rig.app.sso.forget();
    let mut browser = Browser::new(&rig.app);
    assert_eq!(rig.visit(&mut browser, &provider).await.location(), "/shops");
    let right = Lie { iss: Some(rig.issuer.url.clone()), ..Lie::default() };
    rig.issuer.lies(right);
    assert_eq!(rig.visit(&mut Browser::new(&rig.app), &provider).await.location(), "/shops");
}

#[tokio::test]
async fn no_discovery_is_believed_that_leads_elsewhere_or_never_ends() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    let discovery = |discovery| Lie { discovery, ..Lie::default() };
    let says = |name: &str, value: Value| Lie { metadata: json!({ name: value }), ..Lie::default() };
    for (name, told) in [
        ("redirected", discovery("redirect")),
        ("too_large", discovery("huge")),
        ("metadata", discovery("down")),
        ("other_issuer", says("issuer", json!("https://evil.example"))),
        ("other_issuer", says("issuer", json!(format!("{}/", rig.issuer.url)))),
        ("algorithm", says("id_token_signing_alg_values_supported", json!(["none", "HS256"]))),
        ("address", says("token_endpoint", json!("http://169.254.169.254/latest"))),
        ("address", says("authorization_endpoint", json!("javascript://x/%0aalert(1)"))),
        ("address", says("jwks_uri", json!("http://169.254.169.254/keys"))),
        ("metadata", says("jwks_uri", json!(7))),
        ("metadata", says("token_endpoint", Value::Null)),
    ] {
        assert_eq!(lie(&rig, &provider, told).await, name);
    }
}

#[tokio::test]
async fn a_provider_that_never_answers_is_not_waited_for() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    let silent = Lie { discovery: "silent", ..Lie::default() };
    let began = std::time::Instant::now();
    assert_eq!(lie(&rig, &provider, silent).await, "provider_down");
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
}

#[tokio::test]
async fn a_state_is_good_once_for_the_browser_that_has_it_and_for_ten_minutes() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    rig.link(&provider).await;
    let mut browser = Browser::new(&rig.app);
    let away = browser.get(&rig.start(&provider)).await;
    let back = rig.issuer.visit(away.location());
    let asked = rig.issuer.asked();
    // Somebody else was given the address to come back to, with a browser that began something of its own.
    let mut other = Browser::new(&rig.app);
    other.get(&rig.start(&provider)).await;
    for thief in [&mut other, &mut Browser::new(&rig.app)] {
        let stolen = thief.get(&back).await;
        assert!(stolen.status == 403 && stolen.text.contains("other_browser"), "{}", stolen.text);
        assert!(!is_in(thief).await);
    }
    assert_eq!(rig.issuer.asked(), asked, "the code was not even sent");
    // The one that began is not harmed by that, and its state works once.
    assert_eq!(browser.get(&back).await.location(), "/shops");
    let again = browser.get(&back).await;
    assert!(again.status == 403 && again.text.contains("stale_state"), "{}", again.text);
    for state in ["", "tws_", "x", &format!("tws_{}_{}", "0".repeat(32), "0".repeat(64))] {
        let none = browser.get(&format!("/sign-in/sso/callback?code=c&state={state}")).await;
        assert!(none.status == 403 && none.text.contains("stale_state"), "{state}: {}", none.text);
    }
    let mut slow = Browser::new(&rig.app);
    let away = slow.get(&rig.start(&provider)).await;
    let back = rig.issuer.visit(away.location());
    rig.app.clock.advance_millis(10 * 60 * 1_000);
    assert!(slow.get(&back).await.text.contains("stale_state"));
    // Of two who come back at once with one state, one comes in.
    rig.app.clock.advance_millis(-10 * 60 * 1_000);
    let mut twice = Browser::new(&rig.app);
    let away = twice.get(&rig.start(&provider)).await;
    let back = rig.issuer.visit(away.location());
    let mut twin = twice.clone();
    let (one, two) = tokio::join!(twice.get(&back), twin.get(&back));
    let won = [&one, &two].into_iter().filter(|page| page.location() == "/shops").count();
    assert_eq!(won, 1, "{one:?} {two:?}");
}

#[tokio::test]
async fn the_third_failure_in_a_row_shuts_the_door_for_a_while() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    rig.link(&provider).await;
    let mut browser = Browser::new(&rig.app);
    rig.issuer.lies(Lie { signed: "other", ..Lie::default() });
    for _ in 0..2 {
        assert!(rig.visit(&mut browser, &provider).await.text.contains("signature"));
    }
    // A success in between makes it a new row.
    rig.issuer.lies(Lie::default());
    assert_eq!(rig.visit(&mut browser, &provider).await.location(), "/shops");
    browser.cookies.remove("tillway");
    rig.issuer.lies(Lie { signed: "other", ..Lie::default() });
    for _ in 0..3 {
        assert!(rig.visit(&mut browser, &provider).await.text.contains("signature"));
    }
    // Now the truth does not help, neither at the start nor with a sign-in that was begun before.
    rig.issuer.lies(Lie::default());
    let shut = browser.get(&rig.start(&provider)).await;
    assert!(shut.status == 429 && shut.text.contains("15 min"), "{} {}", shut.status, shut.text);
    assert!((890..=901).contains(&shut.headers["retry-after"].to_str().unwrap().parse::<i64>().unwrap()));
    // Another browser is not held up, and this one later neither.
    let mut other = Browser::new(&rig.app);
    assert_eq!(rig.visit(&mut other, &provider).await.location(), "/shops");
    rig.app.clock.advance_millis(15 * 60 * 1_000);
    rig.issuer
        .lies(Lie { claims: json!({ "iat": NOW.0 / 1_000 + 900, "exp": NOW.0 / 1_000 + 1_200 }), ..Lie::default() });
    assert_eq!(rig.visit(&mut browser, &provider).await.location(), "/shops");
}

#[tokio::test]
async fn linking_needs_the_session_it_began_in_and_an_account_that_nobody_has() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    let mut owner = rig.owner().await;
    let csrf = owner.get("/me/sso").await.hidden("csrf");
    let path = format!("/me/sso/{provider}/link");
    owner.site = "cross-site";
    assert_eq!(owner.post(&path, &[("csrf", &csrf)]).await.status, 403, "another site's form");
    owner.site = "same-origin";
    let onward = owner.post(&path, &[("csrf", &csrf)]).await;
    let url = onward.text.split("0;url=").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let back = rig.issuer.visit(&url);
    let before = rig.rows().await;
    // Signed out meanwhile.
    let session = owner.cookies.remove("tillway").unwrap();
    let refused = owner.get(&back).await;
    assert!(refused.text.contains("other_session"), "{}", refused.text);
    assert_eq!(rig.rows().await, before);
    owner.cookies.insert("tillway".to_owned(), session);
    rig.link(&provider).await;
    let linked = rig.rows().await;
    rig.link(&provider).await;
    assert_eq!(rig.rows().await["identities"], linked["identities"], "the same account again is no news");
}
