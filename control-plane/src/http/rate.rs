//! Rate limits: the generic cell rate algorithm, one number per address or tenant, in this process. Several
//! replicas allow several times as much; the limits protect us, they do not bill.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use protocol::id::TenantId;

use super::{ApiError, ApiResult};

/// Keys remembered per gate; beyond it those at rest are forgotten.
const KEYS: usize = 100_000;

/// A rate: `burst` at once, and one more every `micros`.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Microseconds that one request costs.
    pub micros: i64,
    /// How many may come at once.
    pub burst: i64,
}

impl Rate {
    /// So many a second, twice as many at once.
    pub const fn per_second(count: i64) -> Self {
        Self { micros: 1_000_000 / count, burst: count * 2 }
    }
}

/// The header that tells how much is left.
pub const LEFT: &str = "ratelimit";
/// The header that tells the limits.
pub const POLICY: &str = "ratelimit-policy";

/// What one gate still lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The most that may come at once.
    pub quota: i64,
    /// Seconds in which so many are let pass again.
    pub window: i64,
    /// How many may come now.
    pub remaining: i64,
    /// Seconds until all of them may.
    pub reset: i64,
}

/// One gate: remembers for each key when it will be at rest again.
#[derive(Debug)]
pub struct Gate<K> {
    rate: Rate,
    rests: Mutex<HashMap<K, i64>>,
}

impl<K: Eq + Hash> Gate<K> {
    /// A gate of this rate.
    pub fn new(rate: Rate) -> Self {
        Self { rate, rests: Mutex::default() }
    }

    /// Lets one pass, or tells after how many microseconds to come back.
    pub fn pass(&self, key: K, now_micros: i64) -> Result<(), i64> {
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        if rests.len() >= KEYS && !rests.contains_key(&key) {
            rests.retain(|_, rest| *rest > now_micros);
            if rests.len() >= KEYS {
                rests.clear(); // an attack from everywhere at once: better to count anew than to grow
                metrics::counter!("tillway_rate_gate_overflows_total").increment(1);
            }
        }
        let rest = rests.get(&key).copied().unwrap_or(now_micros).max(now_micros);
        let wait = rest - now_micros - self.rate.micros * (self.rate.burst - 1);
        if wait > 0 {
            return Err(wait);
        }
        rests.insert(key, rest + self.rate.micros);
        Ok(())
    }
}

impl<K: Eq + Hash> Gate<K> {
    /// What is left for a key.
    pub fn left(&self, key: &K, now_micros: i64) -> Left {
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = rests.get(key).map_or(0, |rest| (rest - now_micros).max(0));
        drop(rests);
        let Rate { micros, burst } = self.rate;
        Left {
            quota: burst,
            window: ceil(micros * burst, 1_000_000),
            remaining: (burst - ceil(busy, micros)).max(0),
            reset: ceil(busy, 1_000_000),
        }
    }
}

/// Division of numbers that are not negative, rounded up.
const fn ceil(number: i64, by: i64) -> i64 {
    (number + by - 1) / by
}

/// All gates of head office.
#[derive(Debug)]
pub struct Gates {
    address: Gate<IpAddr>,
    sign_in: Gate<IpAddr>,
    tenant: Gate<TenantId>,
    /// Time is counted from here: a clock that people set, or that a test holds still, must not open or shut a gate.
    since: Instant,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            address: Gate::new(Rate::per_second(1_000)),
            // A password costs a hash; a shop full of tills behind one address still gets through.
            sign_in: Gate::new(Rate { micros: 200_000, burst: 60 }),
            tenant: Gate::new(Rate::per_second(2_000)),
            since: Instant::now(),
        }
    }
}

impl Gates {
    /// Any request of an address.
    ///
    /// # Errors
    /// RATE_LIMIT with Retry-After.
    pub fn address(&self, address: IpAddr) -> ApiResult<()> {
        refuse("address", self.address.pass(network(address), self.micros()))
    }

    /// A sign-in, refresh or enrolment of an address.
    ///
    /// # Errors
    /// RATE_LIMIT with Retry-After.
    pub fn sign_in(&self, address: IpAddr) -> ApiResult<()> {
        refuse("sign_in", self.sign_in.pass(network(address), self.micros()))
    }

    /// Any request of a tenant's people.
    ///
    /// # Errors
    /// RATE_LIMIT with Retry-After.
    pub fn tenant(&self, tenant: TenantId) -> ApiResult<()> {
        refuse("tenant", self.tenant.pass(tenant, self.micros()))
    }

    /// Puts all gates at rest: for tests of what stands behind them.
    #[cfg(test)]
    pub(crate) fn forget(&self) {
        for rests in [&self.address.rests, &self.sign_in.rests] {
            rests.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// What is left for an address and, once it is known, its tenant: (`RateLimit-Policy`, `RateLimit`).
    pub fn told(&self, address: IpAddr, tenant: Option<TenantId>) -> (String, String) {
        let now = self.micros();
        let by_tenant = tenant.map(|tenant| ("tenant", self.tenant.left(&tenant, now)));
        let all = [Some(("address", self.address.left(&network(address), now))), by_tenant];
        let joined = |one: fn(&str, Left) -> String| {
            let parts: Vec<String> = all.into_iter().flatten().map(|(name, left)| one(name, left)).collect();
            parts.join(", ")
        };
        (
            joined(|name, left| format!("\"{name}\";q={};w={}", left.quota, left.window)),
            joined(|name, left| format!("\"{name}\";r={};t={}", left.remaining, left.reset)),
        )
    }

    fn micros(&self) -> i64 {
        i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

/// What is limited as one: an address, or the whole /64 of an IPv6 one. Whoever has one of those has all of them.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & (u128::MAX << 64))),
    }
}

fn refuse(gate: &'static str, passed: Result<(), i64>) -> ApiResult<()> {
    passed.map_err(|wait| {
        metrics::counter!("tillway_rate_limited_total", "gate" => gate).increment(1);
        let seconds = u32::try_from(wait / 1_000_000).unwrap_or(u32::MAX).saturating_add(1);
        ApiError::rate_limit("too many requests; slow down", seconds)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_and_keys_do_not_share() {
        let gate = Gate::new(Rate { micros: 1_000, burst: 3 });
        for _ in 0..3 {
            assert_eq!(gate.pass("a", 0), Ok(()));
        }
        assert_eq!(gate.pass("a", 0), Err(1_000));
        assert_eq!(gate.pass("b", 0), Ok(()));
        assert_eq!(gate.pass("a", 1_000), Ok(()));
        assert_eq!(gate.pass("a", 1_000), Err(1_000));
        assert_eq!(gate.left(&"a", 1_000), Left { quota: 3, window: 1, remaining: 0, reset: 1 });
        assert_eq!(gate.left(&"a", 2_500).remaining, 1);
        assert_eq!(gate.left(&"b", 9_000), Left { quota: 3, window: 1, remaining: 3, reset: 0 });
    }

    #[test]
    fn one_subscriber_of_ipv6_is_one() {
        let at = |text: &str| network(text.parse().unwrap());
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
        let gates = Gates::default();
        let tries =
            (0..200_u16).filter(|host| gates.sign_in(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, *host])).is_ok());
        assert!(tries.count() < 100, "another host number is no way around the gate");
    }

    #[test]
    fn memory_is_bounded() {
        let gate = Gate::new(Rate { micros: 1_000_000_000, burst: 1 });
        for key in 0..KEYS + 10 {
            assert_eq!(gate.pass(key, 0), Ok(()));
        }
        assert!(gate.rests.lock().unwrap().len() <= KEYS);
    }
}
