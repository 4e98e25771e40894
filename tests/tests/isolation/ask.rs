//! One request of a case as somebody, as that somebody's browser or program would send it.

use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;
use reqwest::header::{ACCEPT, COOKIE, ORIGIN};

use crate::cases::{Body, Case};
use crate::ground::{Ground, Heard, Side, file, form, heard};

/// As whom a request is sent.
#[derive(Clone, Debug)]
pub struct Asker {
    pub name: &'static str,
    pub token: Option<String>,
    pub cookie: Option<String>,
    pub csrf: String,
}

impl Asker {
    pub fn nobody(name: &'static str) -> Self {
        Self { name, token: None, cookie: None, csrf: String::new() }
    }

    pub fn owner(side: &Side) -> Self {
        let (token, cookie) = (Some(side.hq.token()), Some(side.cookie.clone()));
        Self { name: "the owner", token, cookie, csrf: side.csrf.clone() }
    }

    pub fn ended(side: &Side) -> Self {
        let (token, cookie) = (Some(side.ended_token.clone()), Some(side.ended_cookie.clone()));
        Self { name: "an ended session", token, cookie, csrf: side.csrf.clone() }
    }
}

/// With whose things a request is filled: `own`, but for those in `swapped`, which are `foreign`'s.
#[derive(Clone, Copy)]
pub struct Names<'n> {
    pub own: &'n Side,
    pub swapped: &'n [&'static str],
    pub foreign: &'n Side,
}

impl<'n> Names<'n> {
    pub const fn of(side: &'n Side) -> Self {
        Self { own: side, swapped: &[], foreign: side }
    }

    fn fill(&self, case: &Case, text: &str) -> String {
        case.fill(text, self.own, self.swapped, self.foreign)
    }

    /// The path and query of a case.
    pub fn path(&self, case: &Case) -> String {
        case.filled(self.own, self.swapped, self.foreign)
    }
}

static KEY: AtomicUsize = AtomicUsize::new(0);

pub async fn ask(ground: &Ground, case: &Case, asker: &Asker, names: Names<'_>) -> Heard {
    let base = ground.cloud.url();
    let method = Method::from_bytes(case.method.as_bytes()).unwrap();
    let mut request = ground.client.request(method, format!("{base}{}", names.path(case)));
    if case.page() {
        request = request.header(ORIGIN, base).header(ACCEPT, "text/html");
        if let Some(cookie) = &asker.cookie {
            request = request.header(COOKIE, cookie);
        }
    } else {
        if let Some(token) = &asker.token {
            request = request.bearer_auth(token);
        }
        if ["PUT", "PATCH", "DELETE"].contains(&case.method) {
            request = request.header("if-match", "*");
        }
        if case.method != "GET" {
            request = request.header("idempotency-key", format!("case-{}", KEY.fetch_add(1, Ordering::Relaxed)));
        }
    }
    let request = match &case.body {
        Body::None => request,
        Body::Json(value) => {
            request.header("content-type", "application/json").body(names.fill(case, &value.to_string()))
        }
        Body::Csv(text) => request.header("content-type", "text/csv").body(*text),
        Body::File(text) => file(request, &asker.csrf, text),
        Body::Form(pairs) => {
            let pairs: Vec<(&str, String)> =
                pairs.iter().map(|(name, value)| (*name, names.fill(case, value))).collect();
            let mut pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
            pairs.push(("csrf", &asker.csrf));
            form(request, &pairs)
        }
    };
    heard(request).await
}
