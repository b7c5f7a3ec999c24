//! Being asked to end: SIGTERM or Ctrl-C.

use tokio_util::task::TaskTracker;

/// The exit code of a process that was asked to end twice, as shells give it for SIGTERM.
const ENDED_AT_ONCE: i32 = 143;

/// Done when the process is asked to end. Being asked again ends it at once: leases run out.
pub(crate) async fn requested() {
    signal().await;
    TaskTracker::new().spawn(async {
        signal().await;
        crate::progress::line("asked to end again: ended at once; leases run out");
        std::process::exit(ENDED_AT_ONCE);
    });
}

async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
