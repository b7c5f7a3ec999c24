//! Supervision of background tasks: a task that panics is started again.

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::FutureExt;
use std::{any::Any, panic::AssertUnwindSafe, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The shortest and the longest wait before a task is started again.
const MIN_WAIT: Duration = Duration::from_millis(100);
const MAX_WAIT: Duration = Duration::from_secs(5);
/// The lifetime after which the waits start again at their minimum.
const STABLE: Duration = Duration::from_secs(10);

/// Runs a task until it returns or is asked to stop. If it panics, logs the panic and starts the
/// task again after a wait. Calls `panicked` before each wait.
pub async fn supervise<Fut: Future<Output = ()>>(
    task: &'static str,
    stopping: &CancellationToken,
    mut run: impl FnMut() -> Fut,
    mut panicked: impl FnMut(),
) {
    let backoff = ExponentialBuilder::default()
        .with_min_delay(MIN_WAIT)
        .with_max_delay(MAX_WAIT)
        .without_max_times();
    let mut waits = backoff.build();
    loop {
        let began = Instant::now();
        let Err(reason) = caught(run()).await else {
            return;
        };
        tracing::error!(task, reason, "task panicked; restarting");
        panicked();
        if began.elapsed() >= STABLE {
            waits = backoff.build();
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(waits.next().unwrap_or(MAX_WAIT)) => {}
        }
    }
}

/// Runs a future to its end. Returns the message of its panic, if it panics. The state that the
/// future shares with others must stay valid, as at a cancellation.
///
/// # Errors
/// The message of the panic.
pub async fn caught<T>(run: impl Future<Output = T>) -> Result<T, String> {
    let result = AssertUnwindSafe(run).catch_unwind().await;
    result.map_err(|panic| message(panic.as_ref()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown panic".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_started_again_with_growing_waits() {
        let (runs, restarts) = (Cell::new(0), Cell::new(0));
        let began = Instant::now();
        let run = || async {
            runs.set(runs.get() + 1);
            assert!(runs.get() > 10, "run {}", runs.get());
        };
        let stopping = CancellationToken::new();
        supervise("test", &stopping, run, || restarts.set(restarts.get() + 1)).await;
        assert_eq!((runs.get(), restarts.get()), (11, 10));
        // 0.1, 0.2, 0.4, 0.8, 1.6 and 3.2 s, then 5 s each.
        assert_eq!(began.elapsed().as_millis() / 100, 263);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_during_a_shutdown_ends() {
        let stopping = CancellationToken::new();
        stopping.cancel();
        let run = || async { panic!("on purpose") };
        supervise("test", &stopping, run, || {}).await;
    }

    #[tokio::test]
    async fn a_panic_is_returned_with_its_message() {
        let text = caught(async { panic!("with {} argument", 1) }).await;
        assert_eq!(text, Err::<(), _>("with 1 argument".to_owned()));
        assert_eq!(caught(async { 7 }).await, Ok(7));
    }
}
