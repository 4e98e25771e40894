//! The pages of head office: shell, assets, sessions of browsers, errors people can read. Knows no noun but identity and the bell.
//! A noun's `pages.rs` has `pub fn pages() -> Pages`, listed in `domain::pages()`; a handler looks like this:
//! `async fn list(State(app): State<App>, caller: PageCaller) -> PageResult { caller.page(&List { shell: Shell::new(&caller, Nav::Shops, "Shops"), shops }) }`
//! and its template begins `{% extends "web/templates/base.html" %}` and fills `{% block content %}`; the struct needs
//! a field `shell`. Forms: `{{ shell.csrf_field()|safe }}`, handler takes `PageCaller` and, last, `web::Form<T>`, and ends
//! with `caller.see_other("/shops", Flash::done("Saved"))`. `?` works on ApiError and DbError; ids of others are 404.

use std::collections::BTreeSet;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::app::App;

pub mod assets;
pub mod caller;
pub mod cookie;
pub mod error;
pub mod form;
pub mod format;
pub mod memory;
pub mod multipart;
pub mod nav;
pub mod respond;
pub mod shell;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use assets::asset;
pub use caller::{PageCaller, PageCan};
pub use error::{PageError, PageResult};
pub use form::{Form, OpenForm};
pub use memory::{Memory, Place};
pub use nav::Nav;
pub use shell::{Flash, Shell, icon};

/// Who may open a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// Somebody who is signed in; anybody else is sent to the sign-in.
    SignedIn,
    /// Everybody: the sign-in itself, styles and scripts.
    Open,
}

/// One page address, for the tests that must not miss one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageRoute {
    /// GET or POST.
    pub method: String,
    /// As the router has it, such as `/shops/{id}`.
    pub path: String,
    /// Who may open it.
    pub door: Door,
}

/// Pages with their addresses: a router that remembers what was put into it.
#[derive(Debug, Default)]
pub struct Pages {
    router: Router<App>,
    routes: BTreeSet<PageRoute>,
}

impl Pages {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A page for people who are signed in. The handler names [`PageCaller`] in its signature; the isolation test
    /// finds one that does not.
    #[must_use]
    pub fn route<H, T>(self, method: Method, path: &str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(method, path, Door::SignedIn, handler)
    }

    /// A page for everybody.
    #[must_use]
    pub fn open<H, T>(self, method: Method, path: &str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(method, path, Door::Open, handler)
    }

    /// Another noun's pages too.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.routes.extend(other.routes);
        self
    }

    fn add<H, T>(mut self, method: Method, path: &str, door: Door, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        // Pages are read and posted; whatever else is asked for is a POST's business.
        let filter = if method == Method::GET { MethodFilter::GET } else { MethodFilter::POST };
        let methods: MethodRouter<App> = on(filter, handler);
        self.router = self.router.route(path, methods);
        let method = if method == Method::GET { "GET" } else { "POST" };
        self.routes.insert(PageRoute { method: method.to_owned(), path: path.to_owned(), door });
        self
    }
}

fn all() -> Pages {
    Pages::new().open(Method::GET, "/assets/{hash}/{*name}", assets::serve).merge(crate::domain::pages())
}

/// Every page, for the router of head office.
pub fn router() -> Router<App> {
    all().router
}

/// Every page address with its door.
pub fn page_routes() -> Vec<PageRoute> {
    all().routes.into_iter().collect()
}

/// Every (method, path) of the pages, for the isolation test.
pub fn routes_of_all() -> Vec<(String, String)> {
    page_routes().into_iter().map(|route| (route.method, route.path)).collect()
}
