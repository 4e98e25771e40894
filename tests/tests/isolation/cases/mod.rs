//! The cases: for every route of head office what fits it and who may use it. A person who adds a route adds its line to
//! `cases/<noun>.rs` (a new noun: a new file, one line in [`all`]); below stands how.

// - `get("/v1/shops/{id}").can(P::ShopsRead).names("shop")`: who holds the permission; `{id}` is a shop, and whoever may not
//   see that shop hears 404. Other placeholders (`{shop}`, `{node_id}`, ...; in path, query or body) are things of
//   `Side::things` in ground.rs; with such alone, say `.missing()`.
// - `get("/v1/shops").can(P::ShopsRead)`: names nothing; it answers about the caller's own, nothing of others is in it.
// - `post("/v1/notifications/{notice_id}/read").own("one's own notices").missing()`: whoever is signed in, about what is
//   theirs; a colleague who names it hears 404, too (unless `.of_the_company()`).
// - `post("/v1/auth/login").everybody("its body is the credential")`: no sign-in.
// - `.query("?..")`, `.json(json!({..}))`, `.form(&[..])`, `.csv(..)`, `.file(..)`: what is sent; it must be good, so that
//   nothing but the right stands in the way. `.refused(422)`: what a foreign id gets when it is not 404.
// - `.and_more()`: the permission is needed, and the handler asks for more than it.
// - `.not_tried("why")`: not as somebody else (it would end the session that tries, it never ends).

use control_plane::auth::policy::Permission;
use serde_json::Value;

use crate::ground::Side;

mod account;
mod analytics;
mod catalog;
mod company;
mod fleet;
mod identity;
mod notifications;
mod operators;
mod people;
mod roles;
mod sales;
mod shops;
mod sso;
mod staff;

/// Every case of every noun.
pub fn all() -> Vec<Case> {
    let nouns: [fn() -> Vec<Case>; 14] = [
        analytics::cases,
        catalog::cases,
        company::cases,
        fleet::cases,
        identity::cases,
        notifications::cases,
        operators::cases,
        roles::cases,
        sales::cases,
        shops::cases,
        sso::cases,
        staff::cases,
        people::cases,
        // Last: what people do to their own account may end other sessions of theirs.
        account::cases,
    ];
    nouns.iter().flat_map(|noun| noun()).collect()
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Everybody, for the reason given.
    Everybody(&'static str),
    /// Whoever is signed in, about what is their own: what that is.
    Own(&'static str),
    /// Who holds the permission.
    Can(Permission),
}

/// What somebody hears who names what is not theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// 404: it does not exist.
    Missing,
    /// Another refusal.
    Refused(u16),
    /// The route names nothing: it answers about the caller's own, and nothing of others is in it.
    Own,
    /// Not tried, for the reason given.
    NotTried(&'static str),
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Body {
    None,
    Json(Value),
    Csv(&'static str),
    /// A posted form; its proof of origin is added.
    Form(&'static [(&'static str, &'static str)]),
    /// A file, sent by a script of a page.
    File(&'static str),
}

/// One route with what fits it.
#[derive(Clone, Debug)]
pub struct Case {
    pub method: &'static str,
    pub path: &'static str,
    pub needs: Needs,
    pub foreign: Foreign,
    /// What `{id}` stands for.
    pub id: &'static str,
    /// Behind the path; `{...}` is filled as in the path.
    pub query: &'static str,
    pub body: Body,
    /// Whether what an `own` route names is the company's and not one person's.
    pub shared: bool,
    /// Whether holding the permission is not enough: the handler asks for more.
    pub more: bool,
}

const fn of(method: &'static str, path: &'static str) -> Case {
    let needs = Needs::Everybody("");
    Case { method, path, needs, foreign: Foreign::Own, id: "", query: "", body: Body::None, shared: false, more: false }
}

const fn get(path: &'static str) -> Case {
    of("GET", path)
}

const fn post(path: &'static str) -> Case {
    of("POST", path)
}

const fn put(path: &'static str) -> Case {
    of("PUT", path)
}

const fn patch(path: &'static str) -> Case {
    of("PATCH", path)
}

const fn delete(path: &'static str) -> Case {
    of("DELETE", path)
}

impl Case {
    fn can(self, permission: Permission) -> Self {
        Self { needs: Needs::Can(permission), ..self }
    }

    fn own(self, what: &'static str) -> Self {
        Self { needs: Needs::Own(what), ..self }
    }

    fn everybody(self, why: &'static str) -> Self {
        Self { needs: Needs::Everybody(why), ..self }
    }

    fn names(self, id: &'static str) -> Self {
        Self { id, foreign: Foreign::Missing, ..self }
    }

    fn missing(self) -> Self {
        Self { foreign: Foreign::Missing, ..self }
    }

    fn refused(self, status: u16) -> Self {
        Self { foreign: Foreign::Refused(status), ..self }
    }

    fn not_tried(self, why: &'static str) -> Self {
        Self { foreign: Foreign::NotTried(why), ..self }
    }

    fn of_the_company(self) -> Self {
        Self { shared: true, ..self }
    }

    fn and_more(self) -> Self {
        Self { more: true, ..self }
    }

    fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    fn json(self, body: Value) -> Self {
        Self { body: Body::Json(body), ..self }
    }

    fn form(self, pairs: &'static [(&'static str, &'static str)]) -> Self {
        Self { body: Body::Form(pairs), ..self }
    }

    fn csv(self, text: &'static str) -> Self {
        Self { body: Body::Csv(text), ..self }
    }

    fn file(self, text: &'static str) -> Self {
        Self { body: Body::File(text), ..self }
    }

    /// Whether it is a page, not JSON.
    pub fn page(&self) -> bool {
        !["/v1/", "/healthz", "/readyz"].iter().any(|start| self.path.starts_with(start))
    }

    /// Its name.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The things that it names, by placeholder.
    pub fn named(&self) -> Vec<&'static str> {
        let body = match &self.body {
            Body::Json(value) => value.to_string(),
            Body::Form(pairs) => pairs.iter().map(|(_, value)| *value).collect(),
            Body::None | Body::Csv(_) | Body::File(_) => String::new(),
        };
        let text = format!("{}{}{body}", self.path, self.query);
        let known = Side::THINGS.iter().copied();
        let mut named: Vec<&'static str> = known.filter(|thing| text.contains(&format!("{{{thing}}}"))).collect();
        if text.contains("{id}") {
            named.push(self.id);
        }
        named
    }

    /// A text with the things of a side in it; those in `foreign` are another side's.
    pub fn fill(&self, text: &str, own: &Side, swapped: &[&str], foreign: &Side) -> String {
        let thing = |name: &str| if swapped.contains(&name) { foreign.thing(name) } else { own.thing(name) };
        let mut text = text.to_owned();
        if text.contains("{id}") {
            assert!(!self.id.is_empty(), "{}: say what {{id}} is: .names(\"...\")", self.name());
            text = text.replace("{id}", &thing(self.id));
        }
        for name in Side::THINGS {
            let placeholder = format!("{{{name}}}");
            if text.contains(&placeholder) {
                text = text.replace(&placeholder, &thing(name));
            }
        }
        [
            ("{term}", "1"),
            ("{seq}", "1"),
            ("{hash}", "0"),
            ("{token}", "0"),
            ("{door}", "confirm"),
            ("{*name}", "style.css"),
        ]
        .iter()
        .fold(text, |text, (name, value)| text.replace(name, value))
    }

    /// The path and query with the things of a side in it.
    pub fn filled(&self, own: &Side, swapped: &[&str], foreign: &Side) -> String {
        let filled = self.fill(&format!("{}{}", self.path, self.query), own, swapped, foreign);
        assert!(!filled.contains('{'), "{filled} has a parameter that is no thing of a side: add it to ground.rs");
        filled
    }
}

/// The message for a route that has no case.
pub fn missing(method: &str, path: &str) -> String {
    format!(
        "{method} {path} has no case of isolation: add it to tests/tests/isolation/cases/<noun>.rs, such as \
         {}(\"{path}\").can(P::...).names(\"...\"); the head of cases/mod.rs says how",
        method.to_lowercase()
    )
}
