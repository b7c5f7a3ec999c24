//! The refusals of a fleet's intake: keeps its counts in the database, where they outlive it. Whole
//! counts are written, not what was added, so that whoever dies in between, and however many do it
//! at a time, each refusal is counted once.

use crate::{claims::pool::ClaimPool, events::writer::Events};
use balance_store::{
    events::SuppressedCount,
    playback::{SUPPRESSED_DAYS, SuppressedReason},
};
use chrono::{Days, NaiveDate};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;

/// How often the counts are looked at.
const LOOK: Duration = Duration::from_secs(10);
/// Counts of a page.
const PAGE: u32 = 500;
/// Counts that are remembered, so that only what has changed is written; others are written again.
const REMEMBERED: usize = 100_000;
/// The clocks of those who count may be as far away from ours, in days.
const AWAY: Days = Days::new(1);

/// What this worker knows to be in the database.
#[derive(Default)]
struct Keeper {
    kept: HashMap<(NaiveDate, i64, SuppressedReason), i64>,
    /// The last day on which everything was kept.
    through: Option<NaiveDate>,
}

/// Keeps the counts until the worker is asked to end.
pub(crate) async fn run(pool: Arc<ClaimPool>, events: Events) {
    let mut keeper = Keeper::default();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = pool.ending.cancelled() => return,
            _ = looks.tick() => {}
        }
        if let Err(reason) = keeper.look(&pool, &events).await {
            tracing::warn!(reason, "refusals are not kept; tried again");
        }
    }
}

impl Keeper {
    /// Keeps what was counted since the last look: at the first one of all days there can be, later
    /// of those that can still change.
    async fn look(&mut self, pool: &ClaimPool, events: &Events) -> Result<(), String> {
        let launcher = &pool.launcher;
        let today = launcher.timezone.day_of(launcher.clock.now_micros());
        let today = today.map_err(|error| error.to_string())?.date;
        let first = self
            .through
            .map_or(today - Days::new(u64::from(SUPPRESSED_DAYS)), |through| {
                through.min(today)
            });
        let days = (first - AWAY).iter_days();
        for date in days.take_while(|date| *date <= today + AWAY) {
            for shard in 0..events.stream.shards() {
                self.keep(pool, events, shard, date).await?;
            }
        }
        self.through = Some(today);
        self.kept.retain(|(date, _, _), _| *date >= today - AWAY);
        Ok(())
    }

    /// Keeps what a shard has counted on a day, page by page.
    async fn keep(
        &mut self,
        pool: &ClaimPool,
        events: &Events,
        shard: u16,
        date: NaiveDate,
    ) -> Result<(), String> {
        let mut cursor = Some(0);
        while let Some(from) = cursor
            && !pool.ending.is_cancelled()
        {
            let page = events.stream.suppressed(shard, date, from, PAGE).await;
            let page = page.map_err(|error| error.to_string())?;
            let changed: Vec<SuppressedCount> = page
                .counts
                .into_iter()
                .filter(|one| self.kept.get(&key(one)) != Some(&one.count))
                .collect();
            if !changed.is_empty() {
                let store = &pool.launcher.store;
                let kept = store.save_suppressed(&changed).await;
                kept.map_err(|error| error.to_string())?;
            }
            for one in &changed {
                if self.kept.len() < REMEMBERED || self.kept.contains_key(&key(one)) {
                    self.kept.insert(key(one), one.count);
                }
            }
            cursor = page.next;
        }
        Ok(())
    }
}

const fn key(one: &SuppressedCount) -> (NaiveDate, i64, SuppressedReason) {
    (one.date, one.video_id.0, one.reason)
}
