//! Who asks for passkeys: the name by which browsers reach head office. A passkey is made for a name and works for no
//! other, so the name comes from the configuration, never from a request.

use std::time::Duration;

use url::{Host, Url};
use webauthn_rs::prelude::{Webauthn, WebauthnBuilder};

use super::rules::CEREMONY_MILLIS;
use crate::app::App;
use crate::http::{ApiError, ApiResult};

/// The name that passkeys are for; none where head office is reached by an address of numbers, for which browsers make
/// no passkeys.
fn name(place: &str) -> Option<String> {
    let host = Url::parse(place).ok()?.host()?.to_owned();
    match host {
        Host::Domain(name) => Some(name),
        Host::Ipv4(address) if address.is_loopback() => Some("localhost".to_owned()),
        Host::Ipv6(address) if address.is_loopback() => Some("localhost".to_owned()),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// Whether browsers can make passkeys for this head office.
pub(super) fn is_known(app: &App) -> bool {
    of(app).is_ok()
}

/// The party of the ceremonies.
pub(super) fn of(app: &App) -> ApiResult<Webauthn> {
    let place = app.places().http.unwrap_or_else(|| "http://localhost".to_owned());
    let nameless = || {
        ApiError::conflict(
            "passkeys need head office to have a name: start it with --public-host NAME, and open it by that name",
        )
    };
    let name = name(&place).ok_or_else(nameless)?;
    let scheme = if name == "localhost" { "http" } else { "https" };
    let origin = Url::parse(&format!("{scheme}://{name}")).map_err(|_| nameless())?;
    let patience = Duration::from_millis(u64::try_from(CEREMONY_MILLIS).unwrap_or_default());
    // The port is the proxy's or ours: whoever has the name has them all.
    let builder = WebauthnBuilder::new(&name, &origin).map_err(|_| nameless())?;
    let mut builder = builder.rp_name("Tillway").allow_any_port(true).timeout(patience);
    let also = Url::parse(&format!("https://{name}")).map_err(|_| nameless())?;
    if scheme == "http" {
        builder = builder.append_allowed_origin(&also);
    }
    builder.build().map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_party_has_a_name() {
        assert_eq!(name("http://hq.example.com:8080").as_deref(), Some("hq.example.com"));
        assert_eq!(name("http://127.0.0.1:8080").as_deref(), Some("localhost"));
        assert_eq!(name("http://[::1]:8080").as_deref(), Some("localhost"));
        assert_eq!(name("http://192.168.1.7:8080"), None);
        assert_eq!(name("nonsense"), None);
    }
}
