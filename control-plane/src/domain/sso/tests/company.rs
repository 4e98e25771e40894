//! An honest provider: added, tried, linked, used, enforced, removed.

use super::issuer::Lie;
use super::*;
use crate::http::testing::{ask, call, signed_in};
use axum::body::Body;
use axum::http::Method;

#[tokio::test]
async fn somebody_links_their_account_and_comes_in_by_it() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    // Nobody is linked yet: the same e-mail as somebody's is no proof of anything.
    let mut stranger = Browser::new(&rig.app);
    let refused = rig.visit(&mut stranger, &provider).await;
    assert!(refused.status == 403 && refused.text.contains("Nobody here is linked"), "{}", refused.text);
    assert!(!is_in(&mut stranger).await);

    rig.link(&provider).await;
    let mut browser = Browser::new(&rig.app);
    let back = rig.visit(&mut browser, &provider).await;
    assert_eq!((back.status, back.location()), (StatusCode::SEE_OTHER, "/shops"), "{}", back.text);
    let shops = browser.get("/shops").await;
    assert!(shops.text.contains(&rig.owner), "in as the owner, whatever e-mail the provider knows: {}", shops.text);
    let mine = browser.get("/me/sso").await;
    assert!(mine.text.contains("linked") && mine.text.contains("Take the link away"));

    let csrf = mine.hidden("csrf");
    assert_eq!(browser.post(&format!("/me/sso/{provider}/unlink"), &[("csrf", &csrf)]).await.status, 303);
    let mut again = Browser::new(&rig.app);
    assert_eq!(rig.visit(&mut again, &provider).await.status, 403, "the link is gone");
}

#[tokio::test]
async fn the_sign_in_finds_the_provider_by_company_and_by_e_mail() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    let mut browser = Browser::new(&rig.app);
    let start = format!("provider={provider}");
    let by_company = browser.get(&format!("/sign-in/sso?tenant={}&next=/shops", rig.tenant)).await;
    assert!(by_company.text.contains(&start) && by_company.text.contains("Bakers"), "{}", by_company.text);
    let by_email = browser.post("/sign-in/sso", &[("email", "Any.Body@BAKERS.example")]).await;
    assert!(by_email.text.contains(&start), "{}", by_email.text);
    let other = browser.post("/sign-in/sso", &[("email", "any@grocers.example")]).await;
    assert!(!other.text.contains("provider=") && other.text.contains("No company here"), "{}", other.text);
    assert_eq!(browser.post("/sign-in/sso", &[("email", "nonsense")]).await.status, 422);
    // A company that claims a domain in which none of its people has an e-mail is not offered.
    let thief = tenants::service::create(&rig.app, "Thieves", "owner@thieves.example", PASSWORD).await.unwrap();
    let mut theirs = Browser::signed_in(&rig.app, "owner@thieves.example", PASSWORD).await;
    let csrf = theirs.get("/settings/sso/new").await.hidden("csrf");
    let fields = [
        ("csrf", csrf.as_str()),
        ("label", "Bakers' account"),
        ("issuer", &rig.issuer.url),
        ("client_id", "x"),
        ("client_secret", "x"),
        ("domains", "bakers.example"),
        ("enabled", "1"),
    ];
    assert_eq!(theirs.post("/settings/sso", &fields).await.status, 303);
    let by_email = browser.post("/sign-in/sso", &[("email", "any@bakers.example")]).await;
    assert!(by_email.text.contains(&start) && !by_email.text.contains(&thief.tenant.to_string()), "{}", by_email.text);
}

#[tokio::test]
async fn providers_over_json_keep_their_secret_and_their_version() {
    let rig = Rig::new().await;
    let router = crate::http::docs::router(rig.app.clone());
    let (_, token, _) = signed_in(&rig.app, &router, "one").await;
    let (_, foreign, _) = signed_in(&rig.app, &router, "two").await;
    let new =
        json!({ "label": "One", "issuer": rig.issuer.url, "client_id": issuer::CLIENT, "client_secret": "hush-hush" });
    let made = call(&router, Method::POST, "/v1/sso/providers", Some(&token), &new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert!(!made.body.to_string().contains("hush"), "{made:?}");
    let twice = call(&router, Method::POST, "/v1/sso/providers", Some(&token), &new).await;
    assert_eq!(twice.code(), "CONFLICT");
    let path = format!("/v1/sso/providers/{}", made.body["data"]["id"].as_str().unwrap());
    let bearer = format!("Bearer {token}");
    let patch = |tag: &'static str| {
        let (router, path, bearer) = (router.clone(), path.clone(), bearer.clone());
        async move {
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("if-match", tag)];
            let headers = if tag.is_empty() { &headers[..2] } else { &headers[..] };
            ask(&router, Method::PATCH, &path, headers, Body::from(json!({ "enabled": false }).to_string())).await
        }
    };
    assert_eq!(patch("").await.status, StatusCode::PRECONDITION_REQUIRED);
    let changed = patch("\"1\"").await;
    assert_eq!((changed.status, &changed.body["data"]["version"]), (StatusCode::OK, &json!(2)), "{changed:?}");
    assert_eq!(patch("\"1\"").await.status, StatusCode::PRECONDITION_FAILED);
    let tested = call(&router, Method::POST, &format!("{path}/test"), Some(&token), &Value::Null).await;
    assert_eq!((&tested.body["data"]["ok"], &tested.body["data"]["algorithms"]), (&json!(true), &json!(["ES256"])));
    for (method, sub) in [(Method::GET, ""), (Method::POST, "/test")] {
        let answer = call(&router, method, &format!("{path}{sub}"), Some(&foreign), &Value::Null).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{sub}");
    }
    let over =
        json!({ "label": "x", "issuer": "https://127.0.0.1", "client_id": "x", "client_secret": "x", "version": 7 });
    assert_eq!(
        call(&router, Method::POST, "/v1/sso/providers", Some(&token), &over).await.status,
        422,
        "unknown field"
    );
    let mut public = rig.app.clone();
    public.outbound = Outbound::new(false);
    let router = crate::http::docs::router(public);
    for issuer in ["https://127.0.0.1", "https://[::ffff:10.0.0.1]/", "http://id.example", "https://169.254.169.254/x"]
    {
        let new = json!({ "label": "x", "issuer": issuer, "client_id": "x", "client_secret": "x" });
        let refused = call(&router, Method::POST, "/v1/sso/providers", Some(&token), &new).await;
        assert_eq!(refused.body["error"]["details"]["field"], "issuer", "{issuer}: {refused:?}");
    }
    // The database holds no secret in the clear.
    let mut admin = rig.test.superuser().await;
    let sealed: Vec<u8> =
        sqlx::query_scalar("SELECT client_secret FROM app.sso_providers").fetch_one(&mut admin).await.unwrap();
    assert!(!sealed.windows(4).any(|part| part == b"hush"));
}

#[tokio::test]
async fn a_provider_that_is_the_only_way_in_is_asked_for_and_never_gone_around() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    rig.link(&provider).await;
    let mut browser = rig.owner().await;
    let page = browser.get(&format!("/settings/sso/{provider}")).await;
    let (csrf, seen) = (page.hidden("csrf"), page.hidden("seen"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("seen", &seen),
        ("label", "Bakers' account"),
        ("client_id", issuer::CLIENT),
        ("domains", "bakers.example"),
        ("enabled", "1"),
        ("enforced", "1"),
    ];
    // Nobody locks the company out for the day the provider fails: an owner needs another way in first.
    let refused = browser.post(&format!("/settings/sso/{provider}"), &fields).await;
    assert!(refused.status == 422 && refused.text.contains("an owner needs a second factor"), "{}", refused.text);
    rig.second_owner_with_a_factor().await;
    let saved = browser.post(&format!("/settings/sso/{provider}"), &fields).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    assert!(browser.get("/settings/sso").await.text.contains("Passwords are off"));
    let mut late = Browser::new(&rig.app);
    let tried = late.post("/sign-in", &[("email", &rig.owner), ("password", PASSWORD)]).await;
    assert!(tried.status == 403 && tried.text.contains("not with a password"), "{} {}", tried.status, tried.text);
    assert!(!is_in(&mut late).await);
    let router = crate::http::docs::router(rig.app.clone());
    let login = json!({ "email": rig.owner, "password": PASSWORD });
    let refused = call(&router, Method::POST, "/v1/auth/login", None, &login).await;
    assert_eq!(refused.body["error"]["details"]["reason"], "sso_required", "{refused:?}");
    // The secret was left empty on the form, so the old one still works.
    assert_eq!(rig.visit(&mut late, &provider).await.location(), "/shops");
    // The provider fails: a clear page, and no way around it.
    rig.app.clock.advance_millis(3_600_000);
    rig.issuer.lies(Lie { discovery: "down", ..Lie::default() });
    let mut other = Browser::new(&rig.app);
    let down = other.get(&rig.start(&provider)).await;
    assert_eq!(down.status, 403, "a broken answer: {}", down.text);
    assert_eq!(other.post("/sign-in", &[("email", &rig.owner), ("password", PASSWORD)]).await.status, 403);
}

/// What the newest session proves: a second factor, and that somebody was there just now.
async fn newest(rig: &Rig) -> (bool, bool) {
    let mut admin = rig.test.superuser().await;
    let newest = "SELECT mfa_at IS NOT NULL, stepped_up_at IS NOT NULL FROM app.sessions WHERE method = 'sso'
        ORDER BY session_id DESC LIMIT 1";
    sqlx::query_as(newest).fetch_one(&mut admin).await.unwrap()
}

#[tokio::test]
async fn a_session_proves_what_the_provider_says_and_no_more() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    rig.link(&provider).await;
    let now = NOW.0 / 1_000;
    for (claims, proves) in [
        (json!({}), (false, false)),
        (json!({ "amr": ["pwd"], "auth_time": now - 3_600 }), (false, false)),
        (json!({ "amr": ["pwd", "otp"], "auth_time": now - 3_600 }), (true, false)),
        (json!({ "amr": ["pwd", "mfa"], "auth_time": now - 5 }), (true, true)),
        (json!({ "auth_time": now - 5, "acr": "gold" }), (false, true)),
    ] {
        rig.issuer.lies(Lie { claims: claims.clone(), ..Lie::default() });
        let mut browser = Browser::new(&rig.app);
        assert_eq!(rig.visit(&mut browser, &provider).await.location(), "/shops");
        assert_eq!(newest(&rig).await, proves, "{claims}");
        rig.app.clock.advance_millis(1);
    }
    // Whoever was long away at the provider may read and not change what is sensitive, until they prove themselves again.
    rig.issuer.lies(Lie::default());
    let mut browser = Browser::new(&rig.app);
    rig.visit(&mut browser, &provider).await;
    let aside = browser.get("/settings/sso/new").await;
    assert!(aside.location().starts_with("/me/confirm"), "{} {}", aside.status, aside.location());
    let away = browser.get(&format!("{}&anew=true", rig.start(&provider))).await;
    assert!(away.location().contains("prompt=login") && away.location().contains("max_age=0"), "{}", away.location());
    rig.issuer.lies(Lie { claims: json!({ "auth_time": now }), ..Lie::default() });
    assert_eq!(browser.get(&rig.issuer.visit(away.location())).await.location(), "/shops");
    assert_eq!(browser.get("/settings/sso/new").await.status, StatusCode::OK);
}

#[tokio::test]
async fn newcomers_come_in_with_a_role_and_nobody_s_e_mail_is_taken() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[("newcomer_role", "accountant")]).await;
    let says = |claims: Value| rig.issuer.lies(Lie { claims, ..Lie::default() });
    for (name, claims) in [
        // In the words for somebody whom nobody linked: who has an account here is nobody's business.
        ("not_linked", json!({ "sub": "mallory", "email": "OWNER@bakers.example" })),
        ("email_not_accepted", json!({ "sub": "mallory", "email": "mallory@elsewhere.example" })),
        ("email_not_accepted", json!({ "sub": "mallory", "email_verified": false })),
        ("email_not_accepted", json!({ "sub": "mallory", "email_verified": null })),
        ("email_not_accepted", json!({ "sub": "mallory", "email": null })),
    ] {
        says(claims.clone());
        let before = rig.rows().await;
        let refused = rig.visit(&mut Browser::new(&rig.app), &provider).await;
        assert!(refused.status == 403 && refused.text.contains(name), "{claims}: {}", refused.text);
        assert_eq!(rig.rows().await, before, "{claims}");
    }
    says(json!({}));
    let mut alice = Browser::new(&rig.app);
    assert_eq!(rig.visit(&mut alice, &provider).await.location(), "/shops");
    assert!(alice.get("/shops").await.text.contains("alice@bakers.example"));
    assert_eq!(alice.get("/settings/sso").await.status, StatusCode::FORBIDDEN, "an accountant sees no providers");
    // The same account is the same person, whatever its e-mail is now; and only once somebody new.
    says(json!({ "email": "alice.baker@bakers.example" }));
    let before = rig.rows().await;
    assert_eq!(rig.visit(&mut Browser::new(&rig.app), &provider).await.location(), "/shops");
    let after = rig.rows().await;
    assert_eq!((&after["people"], &after["identities"]), (&before["people"], &before["identities"]));
    // What was done stands in the record, with the doors' own entries.
    let mut admin = rig.test.superuser().await;
    let of = "SELECT array_agg(DISTINCT action) FROM app.audit WHERE tenant_id = $1 AND action LIKE 'sso.%'";
    let told: Vec<String> = sqlx::query_scalar(of).bind(rig.tenant.as_uuid()).fetch_one(&mut admin).await.unwrap();
    assert_eq!(told, ["sso.newcomer", "sso.provider_added", "sso.refused", "sso.signed_in"]);
    // Nobody brings newcomers in above themselves, or as an owner.
    let mut owner = rig.owner().await;
    let page = owner.get(&format!("/settings/sso/{provider}")).await;
    let (csrf, seen) = (page.hidden("csrf"), page.hidden("seen"));
    for role in ["owner", "platform_admin", "nonsense"] {
        let fields = [
            ("csrf", csrf.as_str()),
            ("seen", &seen),
            ("label", "x"),
            ("client_id", "x"),
            ("domains", "bakers.example"),
            ("enabled", "1"),
            ("newcomer_role", role),
        ];
        assert_eq!(owner.post(&format!("/settings/sso/{provider}"), &fields).await.status, 422, "{role}");
    }
}
