//! What all cheats share: the positions that they have claimed, and their requests.

use crate::fraud::actor::{Account, Request, Scene};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

pub(super) const S: i64 = 1_000_000;

/// A cheat with one account.
pub(super) struct Cheat {
    pub(super) scene: Arc<Scene>,
    pub(super) user: usize,
    pub(super) rng: ChaCha8Rng,
    positions: Vec<i64>,
}

impl Cheat {
    pub(super) fn new(account: &Account) -> Self {
        Self {
            scene: Arc::clone(&account.scene),
            user: account.users[0],
            rng: ChaCha8Rng::seed_from_u64(account.seed),
            positions: vec![0; account.scene.durations_s.len()],
        }
    }

    /// Whether the run is over at an instant.
    pub(super) fn is_over(&self, at_micros: i64) -> bool {
        at_micros >= self.scene.until_micros
    }

    pub(super) const fn play(&self, video: usize) -> Request {
        Request::play(self.user, video)
    }

    /// Pauses a video at a position.
    pub(super) fn pause(&mut self, video: usize, current_s: i64) -> Request {
        let current_s = current_s.clamp(0, self.last_s(video));
        self.positions[video] = current_s;
        Request::pause(self.user, video, current_s)
    }

    /// Claims further seconds of a video. At its end it seeks back to the beginning instead.
    pub(super) fn claim(&mut self, video: usize, seconds: i64) -> Request {
        let current_s = match self.is_at_end(video) {
            true => 0,
            false => self.positions[video] + seconds,
        };
        self.pause(video, current_s)
    }

    pub(super) fn is_at_end(&self, video: usize) -> bool {
        self.positions[video] >= self.last_s(video)
    }

    pub(super) fn position_s(&self, video: usize) -> i64 {
        self.positions[video]
    }

    /// Returns the last position that does not close the session.
    fn last_s(&self, video: usize) -> i64 {
        self.scene.durations_s[video] - 1
    }

    /// Returns the slot after a position.
    pub(super) fn slot_after(&self, position_s: i64) -> i64 {
        let interval_s = i64::from(self.scene.rules.ad_interval_s);
        (position_s / interval_s + 1) * interval_s
    }

    /// Returns a random number below `below`.
    pub(super) fn random(&mut self, below: usize) -> usize {
        self.rng.random_range(0..below)
    }
}
