//! Requests to end the process: SIGTERM and Ctrl-C.

use crate::progress;
use std::sync::LazyLock;
use tokio_util::sync::CancellationToken;

/// The exit code after the second request, which shells use for SIGTERM.
const FORCED: i32 = 143;

/// Cancelled by the first request. Signals concern the whole process.
static REQUESTED: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);

/// Completes at the first request to end. Signals are received from this call on.
pub(crate) fn requested() -> impl Future<Output = ()> {
    let first = signal();
    async move {
        first.await;
        REQUESTED.cancel();
    }
}

/// Runs the program's work; exits at the second request to end, and leases then expire.
pub(crate) async fn until_forced<T>(work: impl Future<Output = T>) -> T {
    let second = async {
        REQUESTED.cancelled().await;
        signal().await;
    };
    tokio::select! {
        result = work => result,
        () = second => {
            progress::line("second request to end: exiting without waiting; leases will expire");
            std::process::exit(FORCED)
        }
    }
}

#[cfg(unix)]
fn signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    // The handlers are registered here, before the future is first polled.
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
