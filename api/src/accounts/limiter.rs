//! Limits on attempts to log in and to join, per account and per address, within this process.

use crate::errors::problem::{ApiError, Code};
use balance_domain::{accounts::Username, clock::Clock};
use governor::{
    Quota, RateLimiter, clock::Clock as GovernorClock, middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};
use std::{hash::Hash, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

/// The maximum number of keys. Beyond it, keys without a recent attempt are removed first.
const MAX_KEYS: usize = 100_000;
const MINUTE: Duration = Duration::from_secs(60);

/// The limits on attempts to log in and to join.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The maximum number of attempts per account and minute, from all addresses.
    pub account_per_minute: NonZeroU32,
    /// The maximum number of attempts per address and minute, for all accounts.
    pub address_per_minute: NonZeroU32,
}

/// The injected clock, as the time since 1970.
#[derive(Clone)]
struct InjectedClock(Arc<dyn Clock>);

impl GovernorClock for InjectedClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_micros(self.0.now_micros().try_into().unwrap_or_default())
    }
}

type KeyedLimiter<K> =
    RateLimiter<K, DashMapStateStore<K>, InjectedClock, NoOpMiddleware<Duration>>;

/// Limits attempts.
pub(crate) struct Limiter {
    accounts: KeyedLimiter<String>,
    addresses: KeyedLimiter<IpAddr>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, clock: &Arc<dyn Clock>) -> Self {
        Self {
            accounts: keyed(limits.account_per_minute, clock),
            addresses: keyed(limits.address_per_minute, clock),
        }
    }

    /// Counts an attempt for an account from an address.
    ///
    /// # Errors
    /// Returns `too-many-attempts` if a limit is exceeded.
    pub(crate) fn attempt(&self, username: &Username, address: IpAddr) -> Result<(), ApiError> {
        // The address first, so that a blocked address does not fill the table of accounts.
        check(&self.addresses, &network(address))?;
        check(&self.accounts, &username.as_str().to_owned())
    }
}

fn keyed<K: Hash + Eq + Clone>(per_minute: NonZeroU32, clock: &Arc<dyn Clock>) -> KeyedLimiter<K> {
    let quota = Quota::per_minute(per_minute);
    RateLimiter::new(
        quota,
        DashMapStateStore::default(),
        InjectedClock(Arc::clone(clock)),
    )
}

fn check<K: Hash + Eq + Clone>(limiter: &KeyedLimiter<K>, key: &K) -> Result<(), ApiError> {
    if limiter.len() >= MAX_KEYS {
        limiter.retain_recent();
        if limiter.len() >= MAX_KEYS {
            return Err(too_many(MINUTE));
        }
    }
    limiter.check_key(key).map_err(|until| {
        let now = limiter.clock().now();
        too_many(until.wait_time_from(now))
    })
}

fn too_many(wait: Duration) -> ApiError {
    ApiError::new(
        Code::TooManyAttempts,
        "Too many attempts to log in or to join; wait for Retry-After.",
    )
    .retry_after_s(wait.as_secs() + 1)
}

/// Returns the network of one customer: an IPv4 address, or a /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(bits.into())
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_test_support::TestClock;

    fn limiter(account: u32, address: u32, clock: &Arc<TestClock>) -> Limiter {
        let limits = Limits {
            account_per_minute: account.try_into().unwrap(),
            address_per_minute: address.try_into().unwrap(),
        };
        let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(clock);
        Limiter::new(limits, &clock)
    }

    #[test]
    fn attempts_per_account_and_address_are_limited() {
        let clock = TestClock::at(1_700_000_000_000_000);
        let limiter = limiter(2, 3, &clock);
        let name = |name| Username::parse(name).unwrap();
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        let there: IpAddr = "2001:db8::1".parse().unwrap();
        let beside: IpAddr = "2001:db8::2".parse().unwrap();
        limiter.attempt(&name("a"), here).unwrap();
        limiter.attempt(&name("a"), here).unwrap();
        let error = limiter.attempt(&name("a"), there).unwrap_err();
        assert_eq!(error.retry_after_s, Some(31), "one attempt every 30 s");
        limiter.attempt(&name("b"), here).unwrap();
        limiter.attempt(&name("c"), here).unwrap_err();
        limiter.attempt(&name("c"), there).unwrap();
        limiter.attempt(&name("d"), beside).unwrap();
        limiter.attempt(&name("e"), beside).unwrap_err();
        clock.advance(31_000_000);
        limiter.attempt(&name("a"), here).unwrap();
    }
}
