//! Honest viewers on the embedded intake in simulated time.

use super::{
    player::{Habits, player},
    seen::{Seen, Shared, differences},
};
use crate::fraud::{actor::Scene, simulated::Simulated, totals::Counts};
use std::{collections::BTreeMap, sync::Arc};

/// The result of a run of honest viewers.
pub struct Watched {
    pub simulated: Simulated,
    /// What each viewer's players saw.
    pub seen: Vec<Seen>,
}

impl Watched {
    /// Runs viewers, each with the habits on one or more devices.
    pub async fn run(scene: &Arc<Scene>, viewers: Vec<Vec<Habits>>) -> Self {
        let simulated = Simulated::new(scene, viewers.len(), &BTreeMap::new()).await;
        let (mut clients, mut seen) = (Vec::new(), Vec::new());
        for devices in viewers {
            let shared = Shared::default();
            for habits in devices {
                clients.push(player(habits, scene, shared.clone()));
            }
            seen.push(shared);
        }
        simulated.run(clients).await;
        Self {
            simulated,
            seen: seen.iter().map(Shared::get).collect(),
        }
    }

    /// Returns the viewers whose history differs from what their players saw, as text.
    pub async fn differences(&self) -> Vec<String> {
        differences(&self.seen, &self.simulated.totals().await)
    }

    /// Returns the sums over all viewers.
    #[must_use]
    pub fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        for seen in &self.seen {
            sum.add(seen.counts());
        }
        sum
    }
}
