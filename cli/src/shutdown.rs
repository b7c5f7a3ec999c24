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

fn signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let mut terminate = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate()).ok()
    };
    async move {
        #[cfg(unix)]
        if let Some(terminate) = &mut terminate {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}
