//! What a process knows about restores of its database: the generation, and the ids that must not be
//! assigned again. As long as a restore is incomplete, no id is assigned and no fact about money is
//! written.

use crate::{StoreError, StoreResult, sql::new_id::NewId};
use balance_domain::{accounts::UserId, ids::ASSIGNED_IDS, videos::VideoId};
use std::{
    fmt,
    num::ParseIntError,
    str::FromStr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// The restore generation of a database: 0 until its first restore, then a random number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Generation(pub u64);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Generation {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// The generation that the process read last.
#[derive(Debug, Clone, Default)]
pub struct CurrentGeneration(Arc<AtomicU64>);

impl CurrentGeneration {
    #[must_use]
    pub fn get(&self) -> Generation {
        Generation(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn set(&self, Generation(generation): Generation) {
        self.0.store(generation, Ordering::SeqCst);
    }
}

/// The highest assigned ids; 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HighestIds {
    pub user: i64,
    pub video: i64,
}

impl HighestIds {
    /// Takes the ids of a play into account. Ignores ids that imports bring.
    pub fn see(&mut self, UserId(user): UserId, VideoId(video): VideoId) {
        let assigned = |id: i64| if ASSIGNED_IDS.contains(&id) { id } else { 0 };
        *self = self.max(Self {
            user: assigned(user),
            video: assigned(video),
        });
    }

    /// Returns the higher id of each kind.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            user: self.user.max(other.user),
            video: self.video.max(other.video),
        }
    }
}

enum State {
    /// Ids above these ones can be assigned.
    Above(HighestIds),
    Blocked(String),
}

/// Decides whether new ids can be assigned.
pub(crate) struct IdGuard {
    pub(crate) generation: CurrentGeneration,
    state: RwLock<State>,
}

impl Default for IdGuard {
    fn default() -> Self {
        Self {
            generation: CurrentGeneration::default(),
            state: RwLock::new(State::Above(HighestIds::default())),
        }
    }
}

impl IdGuard {
    /// Rejects every new id. Returns whether new ids were possible before.
    pub(crate) fn block(&self, reason: String) -> bool {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *state, State::Blocked(reason));
        matches!(before, State::Above(_))
    }

    /// Permits ids above the given ones only.
    pub(crate) fn allow(&self, above: HighestIds) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = State::Above(above);
    }

    /// Checks that new ids and new facts about money are possible.
    pub(crate) fn check(&self) -> StoreResult<HighestIds> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Above(above) => Ok(*above),
            State::Blocked(reason) => Err(StoreError::RestoreIncomplete(reason.clone())),
        }
    }

    /// Checks a new id. The database can have been replaced by an older one since the last check of its
    /// sequences.
    pub(crate) fn check_id(&self, of: NewId, id: i64) -> StoreResult<()> {
        let above = self.check()?;
        let highest = match of {
            NewId::User => above.user,
            NewId::Video => above.video,
            NewId::Ad => 0,
        };
        if id > highest {
            return Ok(());
        }
        Err(StoreError::RestoreIncomplete(format!(
            "the next id in {} is {id}, but {highest} was assigned before",
            of.table()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_above_the_highest_one_are_assigned() {
        let guard = IdGuard::default();
        guard.check_id(NewId::User, 1).unwrap();
        guard.allow(HighestIds { user: 7, video: 9 });
        guard.check_id(NewId::User, 8).unwrap();
        guard.check_id(NewId::Ad, 1).unwrap();
        for (kind, id) in [(NewId::User, 7), (NewId::Video, 9), (NewId::Video, 8)] {
            let error = guard.check_id(kind, id).unwrap_err();
            assert!(matches!(error, StoreError::RestoreIncomplete(_)), "{id}");
        }
        assert!(guard.block("blocked".to_owned()), "the first time");
        assert!(!guard.block("still".to_owned()));
        let error = guard.check_id(NewId::Ad, 1).unwrap_err();
        assert_eq!(error.to_string(), "still");
    }

    #[test]
    fn ids_of_imports_are_not_the_highest_ones() {
        let mut highest = HighestIds::default();
        highest.see(UserId(7), VideoId(i64::MAX));
        assert_eq!(highest, HighestIds::default());
        let (user, video) = (*ASSIGNED_IDS.start(), *ASSIGNED_IDS.end());
        highest.see(UserId(user), VideoId(video));
        highest.see(UserId(1), VideoId(user));
        assert_eq!(highest, HighestIds { user, video });
    }
}
