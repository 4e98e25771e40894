//! Which ports a node's doors get when nobody names them: the usual ones, or the next that are free, so that a second
//! node (or head office itself) on one machine does not keep the first from starting. Knows nothing of head office.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use firmware_config::{Mqtt, Terminal};

/// Where Prometheus usually reads a node.
pub const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9108);
/// How many ports after the usual one are tried.
const TRIES: u16 = 100;

/// `usual` if nobody listens there, else the first free port after it; `usual` again when none is.
pub fn free_from(usual: SocketAddr, taken: &[SocketAddr]) -> SocketAddr {
    (0..TRIES)
        .filter_map(|step| Some(SocketAddr::new(usual.ip(), usual.port().checked_add(step)?)))
        .filter(|door| taken.iter().all(|other| other.port() != door.port()))
        .find(|door| TcpListener::bind(door).is_ok())
        .unwrap_or(usual)
}

/// The doors of a node: those that were named, and free ones for the rest.
pub fn choose(
    https: Option<SocketAddr>,
    http: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
) -> (Terminal, SocketAddr) {
    let usual = Terminal::default();
    let https = https.unwrap_or_else(|| free_from(usual.https, &[]));
    let http = http.unwrap_or_else(|| free_from(usual.http, &[https]));
    let metrics = metrics.unwrap_or_else(|| free_from(METRICS, &[https, http]));
    (Terminal { https, http }, metrics)
}

/// The doors of the shop's MQTT, on ports that no door of `others` was promised.
pub fn choose_mqtt(tls: Option<SocketAddr>, plain: Option<SocketAddr>, others: &[SocketAddr]) -> Mqtt {
    let usual = Mqtt::default();
    let tls = tls.unwrap_or_else(|| free_from(usual.tls, others));
    let plain = plain.unwrap_or_else(|| free_from(usual.plain, &[others, &[tls]].concat()));
    Mqtt { tls, plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_that_somebody_holds_is_passed_over() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listener = TcpListener::bind(held).unwrap();
        let found = free_from(held, &[]);
        assert!(found.port() > held.port() && found.ip() == held.ip(), "{held} is taken, {found} was found");
        let further = free_from(held, &[found]);
        assert!(further.port() > found.port(), "{found} is promised to another door");
        drop(listener);
        assert_eq!(free_from(held, &[]), held, "free again");
    }

    #[test]
    fn what_a_person_names_is_taken_as_it_is() {
        let [https, http, metrics] = [1, 2, 3].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let (terminal, chosen) = choose(Some(https), Some(http), Some(metrics));
        assert_eq!((terminal.https, terminal.http, chosen), (https, http, metrics));
    }
}
