//! The one line, the figures and the span of every request. Knows the template of a route, never the path that was
//! asked for: paths carry ids and codes.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method, StatusCode};

use super::spans::{self, Moment};
use super::{millis, trace};
use crate::http::context::Context;

/// What is noted of a request before it is served.
pub struct Asked {
    begun: Instant,
    from: Option<Moment>,
    traceparent: Option<HeaderValue>,
    method: Method,
    route: Option<MatchedPath>,
}

impl Asked {
    /// Notes it.
    pub fn of(request: &Request) -> Self {
        Self {
            begun: Instant::now(),
            from: spans::now(),
            traceparent: request.headers().get("traceparent").cloned(),
            method: request.method().clone(),
            route: request.extensions().get().cloned(),
        }
    }

    /// One line for people, one count and one time for the graphs, one span. Probes are not worth a line.
    pub fn answered(&self, context: &Context, status: StatusCode) {
        let route = self.route.as_ref().map_or("unknown", MatchedPath::as_str);
        let (method, status, took) = (told(&self.method), status.as_u16(), self.begun.elapsed());
        count(method, route, status, took);
        let caller = context.caller();
        trace::request(trace::Request {
            id: context.id(),
            from: self.from,
            header: self.traceparent.as_ref().and_then(|header| header.to_str().ok()),
            method,
            route,
            status,
            tenant: caller.map(|caller| caller.tenant.to_string()),
        });
        if matches!(route, "/healthz" | "/health" | "/readyz") && status == 200 {
            return;
        }
        tracing::info!(
            target: "access",
            request_id = %context.id(),
            tenant = caller.map(|caller| tracing::field::display(caller.tenant)),
            user = caller.map(|caller| tracing::field::display(caller.person)),
            module = module_of(route),
            action = action_of(&self.method, route),
            method,
            route,
            address = %context.address(),
            status,
            duration_ms = millis(took),
            "request"
        );
    }
}

fn count(method: &'static str, route: &str, status: u16, took: Duration) {
    let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
    metrics::counter!("tillway_http_requests_total", &labels).increment(1);
    metrics::histogram!("tillway_http_request_seconds", "route" => route.to_owned()).record(took);
}

/// The method as a label. Anybody can invent methods; each would be a row in every graph for ever.
const fn told(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The noun a route belongs to: its first word, below the version. The first page is that of live sales.
fn module_of(route: &str) -> &str {
    let words = route.strip_prefix("/v1/").unwrap_or(route);
    words.split('/').find(|word| !word.is_empty()).unwrap_or("live")
}

/// What is done to what, such as `imports.create`: the last word of the route that is not a parameter, and the method.
fn action_of(method: &Method, route: &str) -> String {
    let what = route.rsplit('/').find(|word| !word.is_empty() && !word.starts_with('{')).unwrap_or("live");
    let verb = match *method {
        Method::GET | Method::HEAD => "read",
        Method::POST => "create",
        Method::PUT => "replace",
        Method::PATCH => "change",
        Method::DELETE => "delete",
        _ => "other",
    };
    format!("{what}.{verb}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_names_its_module_and_what_is_done() {
        for (method, route, module, action) in [
            (Method::POST, "/v1/catalog/imports", "catalog", "imports.create"),
            (Method::PUT, "/v1/pricing/prices/{code}", "pricing", "prices.replace"),
            (Method::GET, "/v1/shops/{id}/completeness", "shops", "completeness.read"),
            (Method::GET, "/", "live", "live.read"),
            (Method::GET, "unknown", "unknown", "unknown.read"),
        ] {
            assert_eq!((module_of(route), action_of(&method, route).as_str()), (module, action), "{route}");
        }
        assert_eq!(told(&Method::from_bytes(b"MADEUP").unwrap()), "other");
    }
}
