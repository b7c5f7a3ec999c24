//! Fault injection for the crash tests: kills the process at a chosen commit, freezes it inside the
//! transaction of a chunk, or holds it before one. Compiled only with the feature `fault-injection`,
//! never in a release.

#[cfg(feature = "fault-injection")]
pub(crate) use injected::{after_commit, before_chunk, before_chunk_commit, before_commit};

#[cfg(not(feature = "fault-injection"))]
pub(crate) const fn before_commit() {}

#[cfg(not(feature = "fault-injection"))]
pub(crate) const fn after_commit() {}

#[cfg(not(feature = "fault-injection"))]
pub(crate) const fn before_chunk_commit() {}

#[cfg(not(feature = "fault-injection"))]
pub(crate) fn before_chunk() -> std::future::Ready<()> {
    std::future::ready(())
}

#[cfg(feature = "fault-injection")]
mod injected {
    use std::{
        io::Write,
        path::PathBuf,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    static COMMITS: AtomicU64 = AtomicU64::new(0);

    /// The commit to kill the process at. `BALANCE_KILL_AT=before:7` kills it before the 7th commit
    /// of this process, `after:7` after it.
    struct KillAt {
        before: bool,
        commit: u64,
    }

    /// Returns the value of a test's environment variable.
    #[expect(
        clippy::disallowed_methods,
        reason = "fault injection is not part of the settings"
    )]
    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn kill_at() -> Option<&'static KillAt> {
        static KILL_AT: OnceLock<Option<KillAt>> = OnceLock::new();
        KILL_AT
            .get_or_init(|| {
                let text = variable("BALANCE_KILL_AT")?;
                let (side, commit) = text.split_once(':')?;
                Some(KillAt {
                    before: side == "before",
                    commit: commit.parse().ok()?,
                })
            })
            .as_ref()
    }

    pub(crate) fn before_commit() {
        let commit = COMMITS.fetch_add(1, Ordering::SeqCst) + 1;
        if kill_at().is_some_and(|at| at.before && at.commit == commit) {
            die();
        }
    }

    pub(crate) fn after_commit() {
        let commit = COMMITS.load(Ordering::SeqCst);
        if kill_at().is_some_and(|at| !at.before && at.commit == commit) {
            die();
        }
    }

    /// Stops the process before it commits a chunk, with the transaction open, until it receives
    /// SIGCONT. `BALANCE_FREEZE_AT_CHUNK=7` chooses the 7th chunk of this process.
    pub(crate) fn before_chunk_commit() {
        static CHUNKS: AtomicU64 = AtomicU64::new(0);
        static FREEZE_AT: OnceLock<Option<u64>> = OnceLock::new();
        let chunk = CHUNKS.fetch_add(1, Ordering::SeqCst) + 1;
        let freeze_at = FREEZE_AT.get_or_init(|| variable("BALANCE_FREEZE_AT_CHUNK")?.parse().ok());
        if *freeze_at == Some(chunk) {
            signal_to_self("-STOP");
        }
    }

    /// Waits before the transaction of a chunk, while the file exists that `BALANCE_HOLD_CHUNKS`
    /// names. Leases are renewed meanwhile.
    pub(crate) async fn before_chunk() {
        static HOLD: OnceLock<Option<PathBuf>> = OnceLock::new();
        let hold = HOLD.get_or_init(|| variable("BALANCE_HOLD_CHUNKS").map(PathBuf::from));
        while hold.as_ref().is_some_and(|path| path.exists()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn signal_to_self(signal: &str) {
        let _ = std::process::Command::new("kill")
            .args([signal, &std::process::id().to_string()])
            .status();
    }

    /// Sends SIGKILL to this process, so that no destructor runs and no buffer is flushed.
    fn die() {
        signal_to_self("-KILL");
        // Reached only on a system without signals.
        std::process::abort();
    }

    /// Writes the number of commits to the file that `BALANCE_COUNT_COMMITS` names.
    pub(crate) fn report_commits() {
        if let Some(path) = variable("BALANCE_COUNT_COMMITS")
            && let Ok(mut file) = std::fs::File::create(path)
        {
            let _ = write!(file, "{}", COMMITS.load(Ordering::SeqCst));
        }
    }
}

/// Writes the number of commits for the tests. Called when the store closes.
pub(crate) fn report_commits() {
    #[cfg(feature = "fault-injection")]
    injected::report_commits();
}
