//! What the box knows of itself: its host name and its addresses on the shop's network, for the certificate that
//! terminals will see. Read from /proc; a box that does not tell gets a certificate with fewer names.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use protocol::limits;

/// The host name, if it has one.
pub(crate) fn hostname() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty() && name != "(none)" && name != "localhost").then(|| name.to_owned())
}

/// The addresses others on the network may reach this box by: no loopback, no link-local, no temporary ones.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let v4 = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let mut found: Vec<IpAddr> = local_v4(&v4).into_iter().map(IpAddr::V4).collect();
    found.extend(local_v6(&v6).into_iter().map(IpAddr::V6));
    found.sort();
    found.dedup();
    found.truncate(limits::NODE_ADDRESSES);
    found
}

/// In the routing trie a leaf `|-- ADDRESS` is followed by what it is; `/32 host LOCAL` is an address of ours.
fn local_v4(trie: &str) -> Vec<Ipv4Addr> {
    let mut leaf = None;
    let mut found = Vec::new();
    for line in trie.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line.starts_with("/32 host LOCAL") {
            found.extend(leaf.take().filter(|address| !address.is_loopback() && !address.is_link_local()));
        }
    }
    found
}

/// Lines of `ADDRESS index prefix scope flags name`; scope 00 is global, flag 01 a temporary address.
fn local_v6(table: &str) -> Vec<Ipv6Addr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let bits = u128::from_str_radix(words.next()?, 16).ok()?;
        let flags = u8::from_str_radix(words.nth(3)?, 16).ok()?;
        let address = Ipv6Addr::from_bits(bits);
        let useful = !address.is_loopback() && !address.is_unicast_link_local() && flags & 1 == 0;
        useful.then_some(address)
    };
    table.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_the_kernels_tables() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 192.168.1.0/24 2 0 2\n        \
                    |-- 192.168.1.0\n           /24 link UNICAST\n        |-- 192.168.1.9\n           /32 host LOCAL\n        \
                    |-- 192.168.1.255\n           /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n";
        assert_eq!(local_v4(trie), [Ipv4Addr::new(192, 168, 1, 9)]);
        let table = "00000000000000000000000000000001 01 80 10 80       lo\n\
                     fe80000000000000021122fffe334455 02 40 20 80     eth0\n\
                     fd000000000000000000000000000009 02 40 00 80     eth0\n\
                     20010db8000000000000000000000abc 02 40 00 01     eth0\nnonsense\n";
        assert_eq!(local_v6(table), ["fd00::9".parse::<Ipv6Addr>().unwrap()]);
    }

    #[test]
    fn this_machine_tells_something_or_nothing_and_never_loopback() {
        assert!(addresses().iter().all(|address| !address.is_loopback()));
        assert_ne!(hostname().as_deref(), Some(""));
    }
}
