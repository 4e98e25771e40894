//! Addresses as they stand in configuration: a host, by name or number, and a port. Resolves nothing.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// A host and a port, such as `hq.example.org:4433`, `192.0.2.7:4433` or `[2001:db8::7]:4433`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

/// Why a text is not a host and a port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostPortError {
    /// There is no port.
    #[error("the port is missing; write host:port, e.g. hq.example.org:4433")]
    NoPort,
    /// The port is not 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    Port,
    /// The host is neither a DNS name nor an address.
    #[error("the host must be a DNS name, an IPv4 address or an IPv6 address in brackets")]
    Host,
}

impl HostPort {
    /// The host: a DNS name or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.parse::<Ipv6Addr>().is_ok() {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HostPort {
    type Err = HostPortError;

    fn from_str(text: &str) -> Result<Self, HostPortError> {
        let (host, port) = text.rsplit_once(':').ok_or(HostPortError::NoPort)?;
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) if inner.parse::<Ipv6Addr>().is_ok() => inner,
            Some(_) => return Err(HostPortError::Host),
            None if host.contains(':') => return Err(HostPortError::NoPort),
            None => host,
        };
        if !is_host(host) {
            return Err(HostPortError::Host);
        }
        match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(Self { host: host.to_owned(), port }),
            Ok(_) | Err(_) => Err(HostPortError::Port),
        }
    }
}

/// Whether a text is an address or a DNS name (labels of letters, digits and inner hyphens, 253 bytes).
pub fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || is_dns_name(text)
}

/// Whether a text is a DNS name that a certificate may carry.
pub fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // A name of digits alone at the end would be read as an address somewhere.
    let last_is_a_word = text.rsplit('.').next().is_some_and(|last| !last.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() <= 253 && last_is_a_word && text.split('.').all(label)
}

/// Whether a text is the base URL of an HTTP door: scheme, host, optional port, and nothing behind.
pub fn is_base_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let bracketed = authority.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    authority.parse::<HostPort>().is_ok()
        || is_host(authority)
        || bracketed.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_read_back() {
        for text in ["hq.example.org:4433", "127.0.0.1:1", "[::1]:65535", "localhost:8080"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]:7".parse::<HostPort>().unwrap().host(), "::1");
        assert_eq!(HostPort::from("[::1]:7".parse::<SocketAddr>().unwrap()).to_string(), "[::1]:7");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, error) in [
            ("hq.example.org", HostPortError::NoPort),
            ("::1", HostPortError::NoPort),
            ("hq.example.org:0", HostPortError::Port),
            ("hq.example.org:99999", HostPortError::Port),
            ("hq.example.org:https", HostPortError::Port),
            (":4433", HostPortError::Host),
            ("a b:4433", HostPortError::Host),
            ("-a:4433", HostPortError::Host),
            ("1.2.3:4433", HostPortError::Host),
            ("[nonsense]:4433", HostPortError::Host),
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(error), "{text}");
        }
    }

    #[test]
    fn base_urls() {
        for good in ["http://127.0.0.1:8000", "https://hq.example.org", "https://hq.example.org/", "https://[::1]:1"] {
            assert!(is_base_url(good), "{good}");
        }
        for bad in ["hq.example.org", "ftp://hq", "http://", "http://hq/path", "http://user@hq", "http://hq?x"] {
            assert!(!is_base_url(bad), "{bad}");
        }
    }
}
