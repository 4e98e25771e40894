//! Every route of head office, three times: as a stranger, with a session that has ended, and as somebody of another
//! tenant who names what is not theirs. What is not theirs does not exist, and nothing of it changes.

use std::collections::BTreeSet;

use reqwest::header::{ACCEPT, COOKIE, ORIGIN};
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::cases::{Body, Case, Foreign, Who, api, fill, filled, missing, pages};
use crate::ground::{Ground, Heard, Side, client, file, form, heard};

/// As whom a request is sent.
#[derive(Clone, Copy, Debug)]
enum As<'s> {
    Stranger,
    Ended(&'s Side),
    Owner(&'s Side),
}

fn all_have_cases(kind: &str, routes: Vec<(String, String)>, cases: &[Case]) {
    let routes: BTreeSet<(String, String)> = routes.into_iter().collect();
    let known: BTreeSet<(String, String)> =
        cases.iter().map(|case| (case.method.to_owned(), case.path.to_owned())).collect();
    assert_eq!(known.len(), cases.len(), "a case of {kind}() stands there twice");
    let without: Vec<String> = routes.difference(&known).map(|(method, path)| missing(kind, method, path)).collect();
    assert!(without.is_empty(), "\n{}", without.join("\n"));
    let gone: Vec<_> = known.difference(&routes).collect();
    assert!(gone.is_empty(), "these routes are no more; take their cases out of {kind}(): {gone:?}");
}

#[test]
fn every_route_has_its_case() {
    all_have_cases("api", control_plane::http::docs::routes_of_all(), &api());
    all_have_cases("pages", control_plane::web::routes_of_all(), &pages());
}

#[test]
fn a_route_without_a_case_is_named_and_one_too_many_too() {
    let cases = api();
    let mut routes: Vec<(String, String)> =
        cases.iter().map(|case| (case.method.to_owned(), case.path.to_owned())).collect();
    all_have_cases("api", routes.clone(), &cases);
    routes.push(("GET".to_owned(), "/v1/new".to_owned()));
    let said = std::panic::catch_unwind(|| all_have_cases("api", routes, &cases)).unwrap_err();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(said.contains("GET /v1/new has no case") && said.contains("cases.rs"), "{said}");
    assert!(std::panic::catch_unwind(|| all_have_cases("api", Vec::new(), &api())).is_err());
}

fn request(ground: &Ground, case: &Case, page: bool, who: As<'_>, names: &Side) -> RequestBuilder {
    let base = ground.cloud.url();
    let method = Method::from_bytes(case.method.as_bytes()).unwrap();
    let mut request = client().request(method, format!("{base}{}", filled(case, names)));
    let mut csrf = "";
    if page {
        request = request.header(ORIGIN, base).header(ACCEPT, "text/html");
        match who {
            As::Stranger => {}
            As::Ended(side) => request = request.header(COOKIE, &side.ended_cookie),
            As::Owner(side) => {
                csrf = &side.csrf;
                request = request.header(COOKIE, &side.cookie);
            }
        }
    } else {
        match who {
            As::Stranger => {}
            As::Ended(side) => request = request.bearer_auth(&side.ended_token),
            As::Owner(side) => request = request.bearer_auth(side.hq.token()),
        }
        if ["PUT", "PATCH", "DELETE"].contains(&case.method) {
            request = request.header("if-match", "*");
        }
        if case.method != "GET" {
            request = request.header(
                "idempotency-key",
                format!("{} {} {who:.0?}", case.method, case.path).chars().take(60).collect::<String>(),
            );
        }
    }
    match &case.body {
        Body::None => request,
        Body::Json(value) => request.json(value),
        Body::Csv(text) => request.header("content-type", "text/csv").body(*text),
        Body::File(text) => file(request, csrf, text),
        Body::Form(pairs) => {
            let pairs: Vec<(&str, String)> =
                pairs.iter().map(|(name, value)| (*name, fill(value, case.path, names))).collect();
            let mut pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
            pairs.push(("csrf", csrf));
            form(request, &pairs)
        }
    }
}

impl std::fmt::Debug for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.marker)
    }
}

/// Nobody who is nobody gets further than the door.
fn refused(case: &Case, page: bool, heard: &Heard, who: &str) {
    let said = format!("{} {} as {who}: {} {}", case.method, case.path, heard.status, heard.text);
    match case.who {
        Who::Everybody(why) => assert!(!heard.status.is_server_error() && !why.is_empty(), "{said}"),
        Who::SignedIn if page => {
            assert!(heard.status == StatusCode::SEE_OTHER && heard.location.starts_with("/sign-in"), "{said}");
        }
        Who::SignedIn => assert_eq!(heard.status, StatusCode::UNAUTHORIZED, "{said}"),
    }
}

/// No word of a side in an answer that is not for it. The names that were asked with are not told apart from an echo.
fn silent(case: &Case, heard: &Heard, of: &Side, asked: &str) {
    let mut text = heard.text.clone();
    if asked.contains(&of.code)
        || matches!(&case.body, Body::Form(pairs) if pairs.iter().any(|(_, value)| *value == "{code}"))
    {
        text = text.replace(&of.code, "");
    }
    for secret in of.secrets() {
        let echoed = case.path.contains('{') && asked.contains(&secret) && heard.location.contains(&secret);
        assert!(echoed || !text.contains(&secret), "{} {asked} tells {secret} of {}: {text}", case.method, of.marker);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_does_not_exist() {
    let mut ground = Ground::lay().await;
    // Quiet from here on: nodes that report would change rows of their own tenant while we compare.
    ground.alpha.store.stop().await;
    ground.beta.store.stop().await;
    settle(&ground).await;
    let before = ground.rows_of(&ground.alpha).await;
    let filled_tables = before.values().filter(|(count, _)| *count > 0).count();
    assert!(filled_tables >= 10, "the comparison would say little: {before:?}");
    let (alpha, beta) = (&ground.alpha, &ground.beta);
    for (page, case) in api().into_iter().map(|case| (false, case)).chain(pages().into_iter().map(|case| (true, case)))
    {
        let asked = filled(&case, alpha);
        for (who, name) in [(As::Stranger, "a stranger"), (As::Ended(alpha), "an ended session")] {
            let answer = heard(request(&ground, &case, page, who, alpha)).await;
            refused(&case, page, &answer, name);
            let quiet = Heard { location: String::new(), ..answer };
            silent(&case, &quiet, alpha, &asked);
        }
        if matches!(case.foreign, Foreign::NotTried(_)) || matches!(case.who, Who::Everybody(_)) {
            continue;
        }
        let answer = heard(request(&ground, &case, page, As::Owner(beta), alpha)).await;
        let said = format!("{} {asked} as {}: {} {}", case.method, beta.marker, answer.status, answer.text);
        match case.foreign {
            Foreign::Missing | Foreign::Platform => assert_eq!(answer.status, StatusCode::NOT_FOUND, "{said}"),
            Foreign::Own => {
                let denied = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status);
                assert!(!denied && !answer.status.is_server_error(), "{said}");
            }
            Foreign::NotTried(_) => {}
        }
        silent(&case, &answer, alpha, &asked);
    }
    assert_eq!(ground.rows_of(alpha).await, before, "somebody who is not of {} changed its rows", alpha.marker);
    // The cases are alive: their owner gets through where the others did not.
    for case in api().iter().filter(|case| case.foreign == Foreign::Missing && case.method == "GET") {
        let answer = heard(request(&ground, case, false, As::Owner(alpha), alpha)).await;
        assert_eq!(answer.status, StatusCode::OK, "{} as its owner: {}", case.path, answer.text);
    }
    for case in pages().iter().filter(|case| case.foreign == Foreign::Missing && case.method == "GET") {
        let answer = heard(request(&ground, case, true, As::Owner(alpha), alpha)).await;
        assert_eq!(answer.status, StatusCode::OK, "{} as its owner: {}", case.path, answer.text);
    }
    ground.cloud.stop().await;
}

/// Waits until the goodbyes of the nodes are written down.
async fn settle(ground: &Ground) {
    let mut last = ground.rows_of(&ground.alpha).await;
    let began = std::time::Instant::now();
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let now = ground.rows_of(&ground.alpha).await;
        if now == last {
            return;
        }
        assert!(began.elapsed().as_secs() < 30, "the rows of {} do not come to rest", ground.alpha.marker);
        last = now;
    }
}
