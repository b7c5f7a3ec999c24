//! What the players of a viewer saw.

use crate::fraud::totals::{Counts, Totals};
use chrono::NaiveDate;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// The sums of a viewer's players, over all devices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Plays that were accepted as views.
    pub views: i64,
    /// Seconds of video that were watched and reported.
    pub seconds: i64,
    /// The ad slots that were watched: day, video, and position in seconds.
    pub slots: BTreeSet<(NaiveDate, usize, i64)>,
    /// Seconds of video that were reported and not credited.
    pub lost_s: i64,
    /// Requests that were rejected against the player's expectation.
    pub surprises: Vec<String>,
}

/// The sums of a viewer, shared by the viewer's devices.
#[derive(Debug, Clone, Default)]
pub struct Shared(Arc<Mutex<Seen>>);

impl Shared {
    /// Changes the sums.
    pub fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns the sums.
    #[must_use]
    pub fn get(&self) -> Seen {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Seen {
    /// Returns the counts that the history must have.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            views: self.views,
            credited_s: self.seconds,
            ad_views: i64::try_from(self.slots.len()).unwrap(),
        }
    }
}

/// Returns the viewers whose history differs from what their players saw, as text.
#[must_use]
pub fn differences(seen: &[Seen], history: &BTreeMap<usize, Totals>) -> Vec<String> {
    let mut differences = Vec::new();
    for (user, seen) in seen.iter().enumerate() {
        let found = history.get(&user).map(Totals::sum).unwrap_or_default();
        let expected = seen.counts();
        if found != expected || seen.lost_s != 0 || !seen.surprises.is_empty() {
            differences.push(format!(
                "user {user}: history {found:?}, players {expected:?}, {} s lost, {:?}",
                seen.lost_s, seen.surprises
            ));
        }
    }
    differences
}
