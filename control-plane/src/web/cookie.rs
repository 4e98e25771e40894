//! Cookies of the pages: read by name, written with every flag that keeps them ours. Behind TLS the name has the prefix
//! `__Host-`, so that no other host and no plain connection can set it; on the loopback door, where there is no TLS, it
//! has not.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};

use crate::app::App;
use crate::domain::fleet::TlsDoor;
use crate::http::context::Context;

/// How the browser reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// TLS, ours or the proxy's.
    Tls,
    /// Plain, on this machine.
    Loopback,
    /// Plain, over a network: a session key does not belong there, and the browser is told to keep it for TLS only.
    Plain,
}

impl Way {
    /// How a request came.
    pub fn of(parts: &Parts, app: &App) -> Self {
        let proxied = app.trust_forwarded
            && parts.headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes() == b"https");
        if proxied || parts.extensions.get::<TlsDoor>().is_some() {
            return Self::Tls;
        }
        let address = parts.extensions.get::<Context>().map(Context::address);
        // Without a socket (tests) the address is unspecified: on this machine too.
        let here = address.is_none_or(|address: IpAddr| address.is_loopback() || address.is_unspecified());
        if here { Self::Loopback } else { Self::Plain }
    }

    /// The cookie's name on this way.
    pub const fn session_name(self) -> &'static str {
        match self {
            Self::Tls | Self::Plain => "__Host-tillway",
            Self::Loopback => "tillway",
        }
    }

    /// The name of a guest's cookie, beside their own.
    pub const fn guest_name(self) -> &'static str {
        match self {
            Self::Tls | Self::Plain => "__Host-tillway-guest",
            Self::Loopback => "tillway-guest",
        }
    }

    /// The name of the cookie by which a browser is known again after the session.
    pub const fn browser_name(self) -> &'static str {
        match self {
            Self::Tls | Self::Plain => "__Host-tillway-browser",
            Self::Loopback => "tillway-browser",
        }
    }

    /// What the browser's own cookie says.
    pub fn browser(self, headers: &HeaderMap) -> Option<&str> {
        read(headers, self.browser_name())
    }

    const fn secure(self) -> &'static str {
        match self {
            Self::Tls | Self::Plain => "; Secure",
            Self::Loopback => "",
        }
    }
}

/// The value of a cookie.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// A `Set-Cookie` that lives so many seconds; 0 removes it. The value is of our own making: hex and underscores.
pub fn write(way: Way, name: &str, value: &str, seconds: i64) -> HeaderValue {
    let secure = way.secure();
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&line).unwrap_or(HeaderValue::from_static("tillway=; Path=/; Max-Age=0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; xtillway=2;tillway=3"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=4"));
        assert_eq!(read(&headers, "tillway"), Some("3"));
        assert_eq!(read(&headers, "b"), Some("4"));
        assert_eq!(read(&headers, "c"), None);
        assert_eq!(read(&HeaderMap::new(), "a"), None);
    }

    #[test]
    fn only_the_loopback_door_goes_without_secure() {
        let text = |way: Way| write(way, way.session_name(), "x", 60).to_str().unwrap().to_owned();
        assert_eq!(text(Way::Tls), "__Host-tillway=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure");
        assert_eq!(text(Way::Plain), text(Way::Tls));
        assert_eq!(text(Way::Loopback), "tillway=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
    }
}
