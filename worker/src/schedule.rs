//! The schedule: looks for a day to settle at every midnight of the business days, every minute in
//! case one was missed, and whenever a day has been settled.

use crate::claims::pool::ClaimPool;
use apalis::prelude::{Data, WorkerBuilder, WorkerError};
use apalis_cron::{CronScheduler, Schedule, Tick};
use balance_service::jobs::launcher::Launcher;
use futures_util::{FutureExt, future::BoxFuture};
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;

/// How often a day that was missed is looked for.
const LOOK: Duration = Duration::from_secs(60);
/// How long after the schedule's worker ended another takes its place.
const AGAIN: Duration = Duration::from_secs(1);

const MICROS_PER_S: i64 = 1_000_000;

/// Runs until the worker is asked to end.
pub(crate) async fn run(pool: Arc<ClaimPool>) {
    tokio::join!(looks(&pool), clock(&pool));
}

async fn looks(pool: &ClaimPool) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = pool.ending.cancelled() => return,
            _ = ticks.tick() => {}
            () = pool.look.notified() => {}
        }
        if let Err(error) = pool.launcher.look().await {
            tracing::warn!(%error, "look failed");
        }
    }
}

/// Wakes the look at every midnight until the worker is asked to end. A tick that comes too late
/// ends the crate's worker, so it is replaced; what it missed is found by the look.
async fn clock(pool: &Arc<ClaimPool>) {
    loop {
        let ended = midnights(Arc::clone(pool)).await;
        if pool.ending.is_cancelled() {
            return;
        }
        let reason = ended
            .err()
            .map_or_else(String::new, |error| error.to_string());
        tracing::warn!(reason, "the schedule ended; another takes its place");
        tokio::select! {
            () = pool.ending.cancelled() => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

fn midnights(pool: Arc<ClaimPool>) -> BoxFuture<'static, Result<(), WorkerError>> {
    let ending = pool.ending.clone();
    let schedule = Midnights(pool.launcher.clone());
    let worker = WorkerBuilder::new(format!("{}-schedule", pool.settings.identity.name))
        .backend(CronScheduler::new(schedule))
        .data(pool)
        .build(midnight);
    worker
        .run_until(async move {
            ending.cancelled().await;
            Ok::<(), WorkerError>(())
        })
        .boxed()
}

async fn midnight(_: Tick, pool: Data<Arc<ClaimPool>>) {
    pool.look.notify_one();
}

/// The midnights of the business days: a cron expression knows no fixed offset with seconds, nor
/// the days that begin later because a clock change skips midnight.
#[derive(Clone)]
struct Midnights(Launcher);

impl fmt::Debug for Midnights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Midnights")
    }
}

impl<Tz> Schedule<Tz> for Midnights {
    fn next_tick(&mut self, _: &Tz) -> Option<Tick<Tz>> {
        let now = self.0.clock.now_micros();
        let micros = self.0.next_midnight_micros(now).ok()?;
        u64::try_from(micros / MICROS_PER_S).ok().map(Tick::new)
    }
}
