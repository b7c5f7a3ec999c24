//! The parameters of the demo's data.

use balance_domain::calendar::{BusinessDay, BusinessTimezone};
use chrono::{Days, NaiveDate};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// The parameters of the demo's data. Equal parameters generate equal data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DemoSpec {
    /// The seed of all random numbers.
    pub(crate) seed: u64,
    /// The minimum number of plays over all days. Plays of owners and cheats are added, so that at
    /// least this many remain outside the view window.
    pub(crate) play_count: usize,
    /// The first business day with plays.
    pub(crate) first_date: NaiveDate,
    /// The number of business days with plays.
    pub(crate) day_count: u32,
    pub(crate) timezone: BusinessTimezone,
}

impl DemoSpec {
    /// Returns a separate random number generator for each purpose. The plays of one day thus do
    /// not depend on the numbers drawn for another day.
    pub(super) fn rng(&self, stream: Stream) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(match stream {
            Stream::People => 0,
            Stream::Openings => 1,
            Stream::Day(index) => 2 + u64::from(index),
        });
        rng
    }

    /// Returns the business day with an index of 0 or more; none after the end of the calendar.
    pub(super) fn day(&self, index: u32) -> Option<BusinessDay> {
        let date = self
            .first_date
            .checked_add_days(Days::new(u64::from(index)))?;
        self.timezone.day(date).ok()
    }
}

/// The purpose of a random number generator.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    /// People and videos.
    People,
    /// Opening balances.
    Openings,
    /// The plays of the day with this index.
    Day(u32),
}
