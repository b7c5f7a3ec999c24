//! The schedule: launches the next day that is due. It runs at each midnight of the business days,
//! every minute in case a midnight was missed, and after a day has been settled.

use crate::{clock_watch::ClockWatch, context::WorkerContext};
use apalis::prelude::{Data, WorkerBuilder, WorkerError};
use apalis_cron::{CronScheduler, Schedule, Tick};
use balance_domain::units::MICROS_PER_S;
use balance_service::jobs::launcher::Launcher;
use futures_util::{FutureExt, future::BoxFuture};
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;

/// How often the schedule checks for a day whose midnight was missed.
const POLL: Duration = Duration::from_secs(60);
/// The wait before an ended cron worker is replaced.
const RESTART_WAIT: Duration = Duration::from_secs(1);

/// Runs the schedule until the worker is asked to stop.
pub(crate) async fn run(context: &Arc<WorkerContext>) {
    tokio::join!(launch_due_days(context), wake_at_midnights(context));
}

async fn launch_due_days(context: &WorkerContext) {
    let mut ticks = tokio::time::interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = ClockWatch::default();
    loop {
        tokio::select! {
            () = context.stopping.cancelled() => return,
            _ = ticks.tick() => {}
            () = context.schedule_wake.notified() => {}
        }
        let launched = async {
            let limit_micros = watch.limit_micros(&context.launcher).await?;
            context.launcher.launch_due_by(limit_micros).await
        };
        if let Err(error) = launched.await {
            tracing::warn!(%error, "failed to launch the day that is due");
        }
    }
}

/// Wakes the schedule at each midnight until the worker is asked to stop. A tick that comes too
/// late ends the cron worker. This function replaces it, and the poll finds the missed day.
async fn wake_at_midnights(context: &Arc<WorkerContext>) {
    loop {
        let ended = cron_worker(Arc::clone(context)).await;
        if context.stopping.is_cancelled() {
            return;
        }
        let reason = ended
            .err()
            .map_or_else(String::new, |error| error.to_string());
        tracing::warn!(reason, "cron worker of the schedule ended; restarting");
        tokio::select! {
            () = context.stopping.cancelled() => return,
            () = tokio::time::sleep(RESTART_WAIT) => {}
        }
    }
}

fn cron_worker(context: Arc<WorkerContext>) -> BoxFuture<'static, Result<(), WorkerError>> {
    let stopping = context.stopping.clone();
    let schedule = Midnights(context.launcher.clone());
    let worker = WorkerBuilder::new(format!("{}-schedule", context.name()))
        .backend(CronScheduler::new(schedule))
        .data(context)
        .build(wake);
    worker
        .run_until(async move {
            stopping.cancelled().await;
            Ok::<(), WorkerError>(())
        })
        .boxed()
}

async fn wake(_: Tick, context: Data<Arc<WorkerContext>>) {
    context.schedule_wake.notify_one();
}

/// The midnights of the business days. A cron expression supports neither offsets with seconds nor
/// days that begin later because a clock change skips midnight.
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
