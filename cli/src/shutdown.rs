//! Being asked to end: SIGTERM or Ctrl-C.

use tokio_util::task::TaskTracker;

/// The exit code of a process that was asked to end twice, as shells give it for SIGTERM.
const ENDED_AT_ONCE: i32 = 143;

/// Done when the process is asked to end, which is heard from this call on. Being asked again ends it
/// at once: leases run out.
pub(crate) fn requested() -> impl Future<Output = ()> {
    let first = signal();
    async move {
        first.await;
        TaskTracker::new().spawn(async {
            signal().await;
            crate::progress::line("asked to end again: ended at once; leases run out");
            std::process::exit(ENDED_AT_ONCE);
        });
    }
}

#[cfg(unix)]
fn signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    // Both from now on, not from when they are first waited for.
    let [terminate, interrupt] = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
            let _ = tokio::signal::ctrl_c().await;
            return;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}
