//! Kills the process at a chosen commit, or freezes it inside a chunk's transaction, for the tests
//! that prove that no moment is a bad one.
//! Compiled only with the feature `fault-injection`; never in a released binary.

#[cfg(feature = "fault-injection")]
pub(crate) use injected::{after_commit, before_chunk_commit, before_commit};

#[cfg(not(feature = "fault-injection"))]
pub(crate) const fn before_commit() {}

#[cfg(not(feature = "fault-injection"))]
pub(crate) const fn after_commit() {}

#[cfg(not(feature = "fault-injection"))]
pub(crate) const fn before_chunk_commit() {}

#[cfg(feature = "fault-injection")]
mod injected {
    use std::{
        io::Write,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    static COMMITS: AtomicU64 = AtomicU64::new(0);

    /// `BALANCE_KILL_AT=before:7` or `after:7`: the 7th commit of this process.
    struct KillAt {
        before: bool,
        commit: u64,
    }

    /// What a test asks for.
    #[expect(
        clippy::disallowed_methods,
        reason = "a fault is no setting: it must not be readable from the settings' one place"
    )]
    fn asked(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn kill_at() -> Option<&'static KillAt> {
        static KILL_AT: OnceLock<Option<KillAt>> = OnceLock::new();
        KILL_AT
            .get_or_init(|| {
                let text = asked("BALANCE_KILL_AT")?;
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

    /// `BALANCE_FREEZE_AT_CHUNK=7`: SIGSTOP before the commit of this process's 7th chunk, its
    /// transaction open, until somebody sends SIGCONT.
    pub(crate) fn before_chunk_commit() {
        static CHUNKS: AtomicU64 = AtomicU64::new(0);
        static FREEZE_AT: OnceLock<Option<u64>> = OnceLock::new();
        let chunk = CHUNKS.fetch_add(1, Ordering::SeqCst) + 1;
        let freeze_at = FREEZE_AT.get_or_init(|| asked("BALANCE_FREEZE_AT_CHUNK")?.parse().ok());
        if *freeze_at == Some(chunk) {
            signal_to_self("-STOP");
        }
    }

    fn signal_to_self(signal: &str) {
        let _ = std::process::Command::new("kill")
            .args([signal, &std::process::id().to_string()])
            .status();
    }

    /// SIGKILL to this very process: no destructor, no flush, no goodbye.
    fn die() {
        signal_to_self("-KILL");
        // Never reached on a system that has signals; ends the process where it has none.
        std::process::abort();
    }

    /// Prints how many commits the process made, for the test that counts them.
    pub(crate) fn report() {
        if let Some(path) = asked("BALANCE_COUNT_COMMITS")
            && let Ok(mut file) = std::fs::File::create(path)
        {
            let _ = write!(file, "{}", COMMITS.load(Ordering::SeqCst));
        }
    }
}

/// Writes the number of commits where the tests want it; called when the store closes.
pub(crate) fn report() {
    #[cfg(feature = "fault-injection")]
    injected::report();
}
