//! Failovers and a full disk of the Redis of the intake.

use super::{entries, entries::State, stage::Stage};
use balance_test_support::{
    process::{free_port, until},
    servers::{PASSWORD, Proxy, Redis},
};
use rand::RngExt;

impl Stage {
    pub(super) fn fail_over_to_lagging_redis(&mut self) {
        let replica = Redis::start_on(Some(&self.machine));
        self.redis(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
        let link = Proxy::start(self.intake().port);
        replica.command(0, &["CONFIG", "SET", "masterauth", PASSWORD]);
        replica.command(0, &["REPLICAOF", "127.0.0.1", &link.port.to_string()]);
        let is_up = |line: &String| line.trim() == "master_link_status:up";
        until("the replica to follow its master", || {
            replica
                .command(0, &["INFO", "replication"])
                .iter()
                .any(is_up)
        });
        self.viewers().until_acknowledged(20);
        let persists_meanwhile: bool = self.rng.random();
        if !persists_meanwhile {
            self.freeze_workers();
            self.viewers().until_acknowledged(20);
        }
        link.mute(true);
        self.viewers().until_acknowledged(30);
        self.until_replication_is_checked();
        if persists_meanwhile {
            self.freeze_workers();
            self.viewers().until_acknowledged(10);
        }
        let old = self.die();
        replica.command(0, &["REPLICAOF", "NO", "ONE"]);
        self.replace(replica, &old);
        until("the API processes to report the lag", || {
            let mut apis = self.apis.iter();
            apis.all(|api| api.stderr().contains("a replica of Redis that lagged"))
        });
    }

    /// Waits until each API process has checked the replication of the server.
    fn until_replication_is_checked(&self) {
        let calls = || {
            let lines = self.redis(&["INFO", "commandstats"]);
            let line = lines.iter().find(|line| line.starts_with("cmdstat_info:"));
            let (_, calls) = line.unwrap().split_once("calls=").unwrap();
            calls.split(',').next().unwrap().parse::<usize>().unwrap()
        };
        let (before, mut own) = (calls(), 0);
        // Two checks of each process, so that both have made one.
        until("the API processes to check the server", || {
            own += 1;
            calls() >= before + own + 2 * self.apis.len()
        });
    }

    pub(super) fn fail_over_to_empty_redis(&mut self) {
        let other = Redis::start_on(Some(&self.machine));
        self.freeze_workers();
        self.viewers().until_acknowledged(30);
        let old = self.die();
        self.replace(other, &old);
        self.until_not_ready("`balance events adopt`");
        let adopted = self.env.balance(&["events", "adopt"]).run().succeeded();
        assert!(adopted.stdout.contains(&self.env.identity()), "{adopted:?}");
    }

    /// Kills the server of the intake. Returns what its disk has.
    fn die(&self) -> State {
        let old = self.intake();
        old.daemon.kill();
        // No process connects to it meanwhile.
        self.intake_proxy.switch(free_port());
        old.daemon.restart();
        old.until_ready();
        let state = self.entries();
        old.daemon.kill();
        state
    }

    /// Lets the address of the intake lead to another server.
    fn replace(&mut self, server: Redis, old: &State) {
        let kept: Vec<entries::Id> = entries::read(&self.env, &server, &self.stream)
            .entries
            .iter()
            .map(|entry| entry.id)
            .collect();
        let gone = old.entries.iter().filter(|entry| !kept.contains(&entry.id));
        self.gone = gone.map(|entry| old.gone(entry)).collect();
        self.loses_replies = true;
        self.intake_proxy.switch(server.port);
        self.intakes.push(server);
        self.continue_workers();
    }

    /// Lets the address lead to a server without the stream, and back.
    pub(super) fn mistake_address(&mut self) {
        self.intake().daemon.kill();
        self.intake_proxy.switch(self.env.servers.redis.port);
        self.until_not_ready("`balance events adopt`");
        until("the event writers to name the reason", || {
            let mut workers = self.fleet.workers.iter();
            workers.all(|worker| worker.stderr().contains("has no event stream"))
        });
        self.intake().daemon.restart();
        self.intake().until_ready();
        self.intake_proxy.switch(self.intake().port);
    }

    pub(super) fn fill_disk_of_redis(&mut self) {
        self.machine.fill_disk(true);
        // Redis acknowledges nothing that is not on disk: it ends.
        until("Redis to end", || self.intake().daemon.has_ended());
        self.until_not_ready("is unavailable");
        self.machine.fill_disk(false);
        self.intake().daemon.restart();
        self.intake().until_ready();
    }
}
