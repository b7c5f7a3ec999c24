//! Limits on attempts to log in and to join: by account and by address, in this process.

use crate::errors::problem::{ApiError, Code};
use balance_domain::{accounts::Username, clock::Clock};
use governor::{
    Quota, RateLimiter, clock::Clock as Ticks, middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};
use std::{hash::Hash, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

/// Keys that are remembered; beyond that, those whose minute is over are forgotten first.
const MAX_KEYS: usize = 100_000;
const MINUTE: Duration = Duration::from_secs(60);

/// How many attempts there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For one account, each minute, from wherever.
    pub account_per_minute: NonZeroU32,
    /// From one address, each minute, for whichever account.
    pub address_per_minute: NonZeroU32,
}

/// The injected clock as the limiter reads it: the time since 1970.
#[derive(Clone)]
struct Injected(Arc<dyn Clock>);

impl Ticks for Injected {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_micros(self.0.now_micros().try_into().unwrap_or_default())
    }
}

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, Injected, NoOpMiddleware<Duration>>;

/// Counts attempts.
pub(crate) struct Limiter {
    accounts: Keyed<String>,
    addresses: Keyed<IpAddr>,
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
    /// Where there were too many.
    pub(crate) fn attempt(&self, username: &Username, address: IpAddr) -> Result<(), ApiError> {
        // The address first: who asks too much does not fill the table of accounts as well.
        check(&self.addresses, &network(address))?;
        check(&self.accounts, &username.as_str().to_owned())
    }
}

fn keyed<K: Hash + Eq + Clone>(per_minute: NonZeroU32, clock: &Arc<dyn Clock>) -> Keyed<K> {
    let quota = Quota::per_minute(per_minute);
    RateLimiter::new(
        quota,
        DashMapStateStore::default(),
        Injected(Arc::clone(clock)),
    )
}

fn check<K: Hash + Eq + Clone>(limiter: &Keyed<K>, key: &K) -> Result<(), ApiError> {
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
        "Too many attempts to log in or to join; wait a while.",
    )
    .retry_after_s(wait.as_secs() + 1)
}

/// What one customer of a network has to itself: an IPv4 address, or a /64 of IPv6.
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
    use std::sync::atomic::{AtomicI64, Ordering};

    #[derive(Default)]
    struct SetClock(AtomicI64);

    impl Clock for SetClock {
        fn now_micros(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn limiter(account: u32, address: u32, clock: &Arc<SetClock>) -> Limiter {
        let limits = Limits {
            account_per_minute: account.try_into().unwrap(),
            address_per_minute: address.try_into().unwrap(),
        };
        let clock: Arc<dyn Clock> = Arc::<SetClock>::clone(clock);
        Limiter::new(limits, &clock)
    }

    #[test]
    fn an_account_and_an_address_have_so_many_attempts_a_minute() {
        let clock = Arc::new(SetClock(AtomicI64::new(1_700_000_000_000_000)));
        let limiter = limiter(2, 3, &clock);
        let name = |name| Username::parse(name).unwrap();
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        let there: IpAddr = "2001:db8::1".parse().unwrap();
        let beside: IpAddr = "2001:db8::2".parse().unwrap();
        limiter.attempt(&name("a"), here).unwrap();
        limiter.attempt(&name("a"), here).unwrap();
        let error = limiter.attempt(&name("a"), there).unwrap_err();
        assert_eq!(error.retry_after_s, Some(31), "every 30 s another one");
        limiter.attempt(&name("b"), here).unwrap();
        limiter.attempt(&name("c"), here).unwrap_err();
        limiter.attempt(&name("c"), there).unwrap();
        limiter.attempt(&name("d"), beside).unwrap();
        limiter.attempt(&name("e"), beside).unwrap_err();
        clock.0.fetch_add(31_000_000, Ordering::Relaxed);
        limiter.attempt(&name("a"), here).unwrap();
    }
}
