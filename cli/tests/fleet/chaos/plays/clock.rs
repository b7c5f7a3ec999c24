//! Steps of the clock of the machine that runs Balance and the Redis of the intake.

use super::stage::Stage;
use balance_test_support::process::until;
use chrono::TimeDelta;
use rand::RngExt;

/// What the API reports while the last entry of the stream is of the future.
const AHEAD: &str = "`balance clock repair`";

impl Stage {
    pub(super) fn step_ahead(&mut self) {
        self.machine.step_clock(TimeDelta::days(3));
        // The replies of one day are expired.
        self.expired = self.viewers().acknowledged();
        self.viewers().until_acknowledged(30);
        let has_killed: bool = self.rng.random();
        if has_killed {
            self.kill_worker_that_has_read();
        }
        self.machine.step_clock(TimeDelta::zero());
        self.expired.extend(self.viewers().acknowledged());
        self.until_not_ready(AHEAD);
        self.repair_clock();
    }

    /// Kills the workers while they have read entries that they cannot persist.
    fn kill_worker_that_has_read(&mut self) {
        let servers = std::sync::Arc::clone(&self.env.servers);
        servers.mariadb.daemon.signal("STOP");
        until("an event writer to read a group", || {
            !self.entries().pending.is_empty()
        });
        for worker in self.fleet.workers.drain(..) {
            worker.kill();
        }
        servers.mariadb.daemon.signal("CONT");
        self.start_worker();
        self.start_worker();
    }

    pub(super) fn step_back(&mut self) {
        self.machine.step_clock(TimeDelta::hours(-1));
        self.until_not_ready(AHEAD);
        self.machine.step_clock(TimeDelta::zero());
    }

    pub(super) fn step_over_midnight(&mut self) {
        self.machine.step_clock(TimeDelta::minutes(20));
        self.viewers().until_acknowledged(30);
        let is_settled: bool = self.rng.random();
        if is_settled {
            self.env.balance(&["settle"]).run().succeeded();
            self.viewers().until_acknowledged(10);
        }
        self.machine.step_clock(TimeDelta::zero());
        self.until_not_ready(AHEAD);
        self.repair_clock();
        self.is_abandoned = is_settled;
    }

    /// Runs the command until the entries of the wrong time are persisted, as it asks for.
    fn repair_clock(&self) {
        until("the clock to be repaired", || {
            let outcome = self.env.balance(&["clock", "repair"]).run();
            if !outcome.is_ok() {
                outcome.failed(&["start the workers, and repeat the command"]);
                return false;
            }
            assert!(outcome.stdout.contains("moved"), "{outcome:?}");
            true
        });
    }
}
