//! The network of a player: delays, lost requests and lost replies.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Delays and losses of a network.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// The longest delay of a request and of a reply, in milliseconds.
    pub delay_ms: i64,
    /// Whether each delay is 0 or the longest one: the worst case.
    pub is_extreme: bool,
    /// Requests and replies that are lost, in thousandths. A request is lost at most once.
    pub lost: u32,
    /// The time after which the player sends a request again, in milliseconds.
    pub timeout_ms: i64,
}

impl Network {
    /// A network without delays and losses.
    pub const PERFECT: Self = Self {
        delay_ms: 0,
        is_extreme: false,
        lost: 0,
        timeout_ms: 1_000,
    };
    /// The network of a commuter. A request arrives at most 2 s late.
    pub const FLAKY: Self = Self {
        delay_ms: 1_000,
        is_extreme: false,
        lost: 50,
        timeout_ms: 1_000,
    };

    /// Returns a delay in microseconds.
    pub(super) fn delay_micros(&self, rng: &mut ChaCha8Rng) -> i64 {
        let longest = self.delay_ms * 1_000;
        match self.is_extreme {
            true => longest * i64::from(rng.random_bool(0.5)),
            false => rng.random_range(0..=longest),
        }
    }

    /// Returns the delay in microseconds until a request arrives, with the repetition of a lost one.
    pub(super) fn arrival_micros(&self, rng: &mut ChaCha8Rng) -> i64 {
        let lost = match self.loses(rng) {
            true => self.timeout_ms * 1_000,
            false => 0,
        };
        lost + self.delay_micros(rng)
    }

    /// Returns whether a request or reply is lost.
    pub(super) fn loses(&self, rng: &mut ChaCha8Rng) -> bool {
        self.lost > 0 && rng.random_ratio(self.lost, 1_000)
    }
}
