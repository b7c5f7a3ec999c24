//! A full disk. A read-only folder has no test: containers run the tests as root, who can write to
//! every folder.

use crate::{
    env::{TestEnv, until},
    plays::{assert_all_complete, csv, imported_days, undisturbed},
    rows::assert_same,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A tiny file system; dropping it unmounts the file system.
struct TinyDisk {
    folder: TempDir,
}

impl TinyDisk {
    /// Mounts a file system. Returns `None` if the process has no right to mount.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "balance-test"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        eprintln!("SKIPPED: a full disk; run it as root where mounting a tmpfs is allowed");
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills the disk except for a number of bytes.
    fn fill_but(&self, left: u64) -> PathBuf {
        let path = self.path().join("filler");
        let full = std::fs::write(&path, vec![0; 16 << 20]);
        assert!(full.is_err(), "the disk is larger than expected");
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length - left).unwrap();
        path
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}

#[test]
fn an_import_that_fills_the_disk_fails_and_changes_nothing() {
    let Some(disk) = TinyDisk::mount("11m") else {
        return;
    };
    let env = TestEnv::with_database_in(disk.path().to_owned());
    env.balance(&["migrate"]).run().succeeded();
    // The first process that uses the rules of plays stores them.
    env.balance(&["settle"]).run().succeeded();
    let before = env.everything();
    let days = [
        "2024-03-30",
        "2024-03-31",
        "2024-04-01",
        "2024-04-02",
        "2024-04-03",
    ];
    let file = env.file("plays.csv", csv(&days, 3_000));
    env.balance(&["import", "--ads", "1", &file])
        .run()
        .failed(&["disk", "full"]);
    // Only the record is left: other processes may have seen some of the plays.
    assert_eq!(env.value("SELECT status FROM play_import"), "UNDONE");
    let is_record = |row: &String| row.starts_with("play_import|") || row.contains("|play_import|");
    let after: Vec<String> = env
        .everything()
        .into_iter()
        .filter(|row| !is_record(row))
        .collect();
    let before: Vec<String> = before.into_iter().filter(|row| !is_record(row)).collect();
    assert_same(&after, &before, "a full disk");
    // A smaller file fits.
    let file = env.file("plays.csv", csv(&days[..1], 5));
    env.balance(&["import", &file]).run().succeeded();
    env.balance(&["settle"]).run().succeeded();
    assert_all_complete(&env, 1);
}

#[test]
fn a_settlement_on_a_full_disk_reports_it_and_completes_later() {
    let Some(disk) = TinyDisk::mount("4m") else {
        return;
    };
    let unsettled = imported_days(&["2024-03-30"], 300);
    let expected = undisturbed(&unsettled);
    // Space for nothing, for the open, for the begin, for a step, for two steps.
    for left in [0, 100 << 10, 200 << 10, 300 << 10, 400 << 10] {
        for suffix in ["-wal", "-shm", ".lock"] {
            let _ = std::fs::remove_file(disk.path().join(format!("balance.db{suffix}")));
        }
        std::fs::copy(unsettled.database(), disk.path().join("balance.db")).unwrap();
        let env = TestEnv::with_database_in(disk.path().to_owned());
        let filler = disk.fill_but(left);
        let call = env
            .balance(&["settle"])
            .env("PARTITIONS", 2)
            .env("CHUNK_SIZE", 20);
        // If a lease cannot be released, it expires.
        let mut settling = call.env("LEASE_S", 2).start();
        until("the report of the full disk", || {
            settling.stderr().contains("disk of the database is full") || settling.has_ended()
        });
        std::fs::remove_file(filler).unwrap();
        // The settlement either fails with the reason, or waits for space and completes.
        let outcome = settling.wait();
        if !outcome.is_ok() {
            outcome.failed(&["the disk of the database is full"]);
            env.balance(&["settle"]).run().succeeded();
        }
        let newest =
            "SELECT STATUS FROM BATCH_JOB_EXECUTION ORDER BY JOB_EXECUTION_ID DESC LIMIT 1";
        assert_eq!(env.value(newest), "COMPLETED");
        assert_eq!(env.value("SELECT COUNT(*) FROM step_lease"), "0");
        assert_same(&env.results(), &expected, "after a full disk");
    }
}
