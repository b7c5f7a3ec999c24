//! The machine of some processes: its clock can be stepped, and its disk can be full. A library between
//! the processes and the system does so, without rights of an admin.

use chrono::{DateTime, TimeDelta, Utc};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};
use tempfile::TempDir;

const SOURCE: &str = include_str!("machine.c");
/// The place of the flag of a full disk, after that of the step of the clock.
const IS_FULL_AT: u64 = 8;

/// The machine of the processes that have its variables.
pub struct Machine {
    folder: TempDir,
    control: File,
    step: Mutex<TimeDelta>,
}

impl Machine {
    /// Creates a machine with the clock of this one. Requires a C compiler, as the build does.
    pub fn new() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("machine.c");
        std::fs::write(&source, SOURCE).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(folder.path().join("machine.so"))
            .arg(&source)
            .output()
            .expect("a C compiler");
        assert!(compiled.status.success(), "{compiled:?}");
        let control = File::create(folder.path().join("control")).unwrap();
        control.write_all_at(&[0; 16], 0).unwrap();
        Arc::new(Self {
            folder,
            control,
            step: Mutex::default(),
        })
    }

    /// Returns the variables of a process on this machine.
    pub fn variables(&self) -> [(&'static str, PathBuf); 2] {
        let file = |name: &str| self.folder.path().join(name);
        [
            ("LD_PRELOAD", file("machine.so")),
            ("TEST_MACHINE", file("control")),
        ]
    }

    /// Sets how far the clock is ahead of the right time.
    pub fn step_clock(&self, ahead: TimeDelta) {
        let micros = ahead.num_microseconds().unwrap();
        let bytes = micros.to_ne_bytes();
        self.control.write_all_at(&bytes, 0).unwrap();
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
    }

    /// Returns the time of the machine.
    pub fn now(&self) -> DateTime<Utc> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the processes of the test use the machine's clock"
        )]
        let now = Utc::now();
        now + *self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills the disk, or frees space.
    pub fn fill_disk(&self, is_full: bool) {
        let bytes = i64::from(is_full).to_ne_bytes();
        self.control.write_all_at(&bytes, IS_FULL_AT).unwrap();
    }
}
