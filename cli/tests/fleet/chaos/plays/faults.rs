//! The kinds of faults, and those of processes, of the notifications and of operators.

use super::{
    entries::{StreamEntry, text},
    stage::Stage,
};
use balance_test_support::process::until;
use rand::{RngExt, seq::SliceRandom};

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// SIGKILL of one or all workers.
    WorkerKilled,
    /// SIGKILL of an API process.
    ApiKilled,
    /// FLUSHALL of the Redis of the notifications.
    QueueEmptied,
    /// The clock goes three days ahead, and back.
    ClockAhead,
    /// The clock goes back by an hour, and is corrected.
    ClockBack,
    /// The clock goes over midnight, the day is settled, and the clock is corrected.
    ClockOverMidnight,
    /// `maxmemory` of the Redis of the intake is reached, and lifted.
    OutOfMemory,
    /// XDEL of entries that are persisted.
    PersistedDeleted,
    /// XDEL of entries that no event writer has read.
    UnreadDeleted,
    /// XDEL of entries that an event writer has read; it is killed before it persists them.
    PendingDeleted,
    /// XTRIM of all entries except for the newest.
    Trimmed,
    /// Failover of the intake to a replica that lags.
    RedisReplicaLags,
    /// Failover of the intake to an empty server.
    RedisReplicaEmpty,
    /// The address of the intake leads to a server without the stream, and is corrected.
    RedisAddressWrong,
    /// Failover of the database to its replica.
    DatabaseReplica,
    /// Failover of the database to a replica that lags.
    DatabaseReplicaLags,
    /// A full disk of MariaDB.
    DatabaseDiskFull,
    /// A full disk of the Redis of the intake.
    RedisDiskFull,
}

pub(super) const KINDS: [Kind; 18] = [
    Kind::WorkerKilled,
    Kind::ApiKilled,
    Kind::QueueEmptied,
    Kind::ClockAhead,
    Kind::ClockBack,
    Kind::ClockOverMidnight,
    Kind::OutOfMemory,
    Kind::PersistedDeleted,
    Kind::UnreadDeleted,
    Kind::PendingDeleted,
    Kind::Trimmed,
    Kind::RedisReplicaLags,
    Kind::RedisReplicaEmpty,
    Kind::RedisAddressWrong,
    Kind::DatabaseReplica,
    Kind::DatabaseReplicaLags,
    Kind::DatabaseDiskFull,
    Kind::RedisDiskFull,
];

impl Kind {
    /// Whether the run needs a replica of the database.
    pub(super) const fn needs_replica(self) -> bool {
        matches!(self, Self::DatabaseReplica | Self::DatabaseReplicaLags)
    }
}

impl Stage {
    /// Injects a fault, and repairs it as docs/operations.md describes.
    pub(super) fn inject(&mut self, kind: Kind) {
        match kind {
            Kind::WorkerKilled => self.kill_workers(),
            Kind::ApiKilled => self.kill_api(),
            Kind::QueueEmptied => {
                let servers = &self.env.servers;
                servers.redis.command(self.env.number, &["FLUSHALL"]);
            }
            Kind::ClockAhead => self.step_ahead(),
            Kind::ClockBack => self.step_back(),
            Kind::ClockOverMidnight => self.step_over_midnight(),
            Kind::OutOfMemory => self.exhaust_memory(),
            Kind::PersistedDeleted => self.delete_persisted(),
            Kind::UnreadDeleted => self.delete_unread(),
            Kind::PendingDeleted => self.delete_pending(),
            Kind::Trimmed => self.trim(),
            Kind::RedisReplicaLags => self.fail_over_to_lagging_redis(),
            Kind::RedisReplicaEmpty => self.fail_over_to_empty_redis(),
            Kind::RedisAddressWrong => self.mistake_address(),
            Kind::DatabaseReplica => self.fail_over_database(),
            Kind::DatabaseReplicaLags => self.fail_over_to_lagging_database(),
            Kind::DatabaseDiskFull => self.fill_disk_of_database(),
            Kind::RedisDiskFull => self.fill_disk_of_redis(),
        }
    }

    fn kill_workers(&mut self) {
        for _ in 0..self.rng.random_range(1..=2) {
            self.fleet.workers.remove(0).kill();
        }
        self.viewers().until_acknowledged(20);
        while self.fleet.workers.len() < 2 {
            self.start_worker();
        }
    }

    fn kill_api(&mut self) {
        let victim = self.rng.random_range(0..self.apis.len());
        self.apis[victim].kill();
        self.viewers().until_acknowledged(20);
        self.apis[victim].restart();
    }

    fn exhaust_memory(&mut self) {
        self.redis(&["CONFIG", "SET", "maxmemory", "1mb"]);
        self.until_not_ready("Redis is out of memory");
        // Events are persisted meanwhile.
        self.until_persisted();
        self.redis(&["CONFIG", "SET", "maxmemory", "0"]);
    }

    /// Deletes some entries by XDEL.
    fn delete(&mut self, mut entries: Vec<StreamEntry>) -> Vec<StreamEntry> {
        entries.shuffle(&mut self.rng);
        entries.truncate(self.rng.random_range(1..=entries.len()));
        let ids: Vec<String> = entries.iter().map(|entry| text(entry.id)).collect();
        let ids = ids.iter().map(String::as_str);
        let command: Vec<&str> = ["XDEL", &self.stream].into_iter().chain(ids).collect();
        let deleted = self.redis(&command);
        assert_eq!(deleted, [entries.len().to_string()]);
        entries
    }

    fn delete_persisted(&mut self) {
        let mut state = self.entries();
        until("some entries to be persisted", || {
            state = self.entries();
            state.read().next().is_some()
        });
        self.delete(state.read().cloned().collect());
    }

    fn delete_unread(&mut self) {
        self.freeze_workers();
        self.viewers().until_acknowledged(30);
        let state = self.entries();
        let deleted = self.delete(state.unread().cloned().collect());
        self.gone = deleted.iter().map(|entry| state.gone(entry)).collect();
        self.viewers().until_acknowledged(10);
        self.continue_workers();
    }

    fn delete_pending(&mut self) {
        // The event writers have read a group, and cannot persist it.
        let servers = std::sync::Arc::clone(&self.env.servers);
        servers.mariadb.daemon.signal("STOP");
        let mut state = self.entries();
        until("an event writer to read a group", || {
            state = self.entries();
            !state.pending.is_empty()
        });
        self.freeze_workers();
        let state = self.entries();
        let is_pending = |entry: &&StreamEntry| state.pending.contains(&entry.id);
        let pending = state.entries.iter().filter(is_pending).cloned().collect();
        let deleted = self.delete(pending);
        for worker in self.fleet.workers.drain(..) {
            worker.signal("KILL");
            assert!(worker.wait().was_killed());
        }
        servers.mariadb.daemon.signal("CONT");
        self.gone = deleted.iter().map(|entry| state.gone(entry)).collect();
        // Other workers take over entries that were read 15 s ago.
        self.machine.step_clock(chrono::TimeDelta::seconds(16));
        self.start_worker();
        self.start_worker();
    }

    fn trim(&mut self) {
        self.freeze_workers();
        self.viewers().until_acknowledged(30);
        let state = self.entries();
        let newest = state.entries.len() - 1;
        let first_kept = self.rng.random_range(newest.saturating_sub(25)..=newest);
        let limit = text(state.entries[first_kept].id);
        self.redis(&["XTRIM", &self.stream, "MINID", "=", &limit]);
        let kept: Vec<_> = self
            .entries()
            .entries
            .iter()
            .map(|entry| entry.id)
            .collect();
        let gone = state
            .entries
            .iter()
            .filter(|entry| !kept.contains(&entry.id));
        self.gone = gone.map(|entry| state.gone(entry)).collect();
        self.continue_workers();
    }
}
