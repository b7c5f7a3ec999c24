//! The suppressed counts of the intake: copies them into the database, which outlives the intake.
//!
//! Whole counts are written, not differences. A crash in between, or several workers at the same
//! time, therefore never count a suppressed view twice.

use crate::{context::WorkerContext, settings::EventStreamSettings};
use balance_store::{
    events::{StreamLayout, SuppressedCount, SuppressedShard},
    playback::{SUPPRESSED_DAYS, SuppressedReason},
};
use chrono::{Days, NaiveDate};
use std::{collections::HashMap, time::Duration};
use tokio::time::MissedTickBehavior;

/// How often the counts are copied.
const PERIOD: Duration = Duration::from_secs(10);
/// Counts of a page.
const PAGE: u32 = 500;
/// The most saved counts that are remembered. A remembered count is written only if it changed; a
/// count beyond the limit is written each time.
const MAX_REMEMBERED: usize = 100_000;
/// The largest difference between the clocks of the intake and of this worker, in days.
const CLOCK_TOLERANCE: Days = Days::new(1);

type CountKey = (SuppressedShard, NaiveDate, i64, SuppressedReason);

/// The counts that this worker knows to be in the database.
#[derive(Default)]
struct SavedCounts {
    saved: HashMap<CountKey, i64>,
    /// The last day up to which all counts are saved.
    through: Option<NaiveDate>,
}

/// Copies the counts until the worker is asked to stop.
pub(crate) async fn run(context: &WorkerContext, events: &EventStreamSettings) {
    let mut counts = SavedCounts::default();
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = context.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(reason) = counts.update(context, events).await {
            tracing::warn!(reason, "failed to save suppressed counts; retrying");
        }
    }
}

impl SavedCounts {
    /// Saves the changed counts. The first update reads all days that have counts, later ones only
    /// the days that can still change.
    async fn update(
        &mut self,
        context: &WorkerContext,
        events: &EventStreamSettings,
    ) -> Result<(), String> {
        let launcher = &context.launcher;
        let today = launcher.timezone.day_of(launcher.clock.now_micros());
        let today = today.map_err(|error| error.to_string())?.date;
        let first = self
            .through
            .map_or(today - Days::new(u64::from(SUPPRESSED_DAYS)), |through| {
                through.min(today)
            });
        let days = (first - CLOCK_TOLERANCE).iter_days();
        for date in days.take_while(|date| *date <= today + CLOCK_TOLERANCE) {
            for shard in shards(events.stream.shards()) {
                self.save(context, events, shard, date).await?;
                if date < today - CLOCK_TOLERANCE && !context.stopping.is_cancelled() {
                    // All counts of the day are in the database.
                    let expired = events.stream.expire_suppressed(shard, date).await;
                    expired.map_err(|error| error.to_string())?;
                }
            }
        }
        self.through = Some(today);
        self.saved
            .retain(|(_, date, _, _), _| *date >= today - CLOCK_TOLERANCE);
        Ok(())
    }

    /// Saves the changed counts of a shard's day, page by page.
    async fn save(
        &mut self,
        context: &WorkerContext,
        events: &EventStreamSettings,
        shard: SuppressedShard,
        date: NaiveDate,
    ) -> Result<(), String> {
        let mut cursor = Some(0);
        while let Some(from) = cursor
            && !context.stopping.is_cancelled()
        {
            let page = events.stream.suppressed(shard, date, from, PAGE).await;
            let page = page.map_err(|error| error.to_string())?;
            let changed: Vec<SuppressedCount> = page
                .counts
                .into_iter()
                .filter(|one| self.saved.get(&key(one)) != Some(&one.count))
                .collect();
            if !changed.is_empty() {
                let store = &context.launcher.store;
                let saved = store.save_suppressed(&changed).await;
                saved.map_err(|error| error.to_string())?;
            }
            for one in &changed {
                if self.saved.len() < MAX_REMEMBERED || self.saved.contains_key(&key(one)) {
                    self.saved.insert(key(one), one.count);
                }
            }
            cursor = page.next;
        }
        Ok(())
    }
}

/// Returns the shards of both layouts. After an upgrade those by video keep their counts, which no process
/// raises any more.
fn shards(count: u16) -> impl Iterator<Item = SuppressedShard> {
    let layouts = [StreamLayout::ByVideo, StreamLayout::ByViewer];
    layouts
        .into_iter()
        .flat_map(move |layout| (0..count).map(move |number| SuppressedShard { layout, number }))
}

const fn key(one: &SuppressedCount) -> CountKey {
    (one.shard, one.date, one.video_id.0, one.reason)
}
