//! Replication, failovers and a full disk of MariaDB.

use super::stage::Stage;
use balance_test_support::{
    http::Server,
    process::{block_on, until},
    servers::{Database, MariaDb, PASSWORD},
};
use rand::RngExt;

/// The system database, as a user with all rights.
fn admin(server: &MariaDb) -> Database {
    Database::new(server.url(PASSWORD, "mysql"))
}

/// Makes a server a replica of another one, from the current position of that one.
pub(super) fn follow(replica: &MariaDb, primary: &MariaDb) {
    let status = admin(primary).value("SHOW MASTER STATUS");
    let mut columns = status.split('|');
    let (file, position) = (columns.next().unwrap(), columns.next().unwrap());
    admin(replica).execute(&format!(
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'balance', \
         MASTER_PASSWORD = '{PASSWORD}', MASTER_LOG_FILE = '{file}', MASTER_LOG_POS = {position}, \
         MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = no; SET GLOBAL read_only = 1; START SLAVE",
        primary.port
    ));
}

impl Stage {
    pub(super) fn fail_over_database(&mut self) {
        let servers = std::sync::Arc::clone(&self.env.servers);
        let (old, new) = (
            admin(&servers.mariadb),
            admin(self.replica.as_ref().unwrap()),
        );
        old.execute("SET GLOBAL read_only = 1");
        self.viewers().until_acknowledged(10);
        until("the replica to have all", || {
            new.value("SELECT @@gtid_slave_pos") == old.value("SELECT @@gtid_binlog_pos")
        });
        self.promote();
    }

    pub(super) fn fail_over_to_lagging_database(&mut self) {
        let new = admin(self.replica.as_ref().unwrap());
        new.execute("STOP SLAVE SQL_THREAD");
        self.viewers().until_acknowledged(40);
        self.until_persisted();
        let has_registered: bool = self.rng.random();
        if has_registered {
            block_on(self.apis[0].client().user("newcomer"));
        }
        self.promote();
        if has_registered {
            self.until_not_ready("`balance restore complete`");
        }
        self.restore();
    }

    /// Kills the primary, and lets the address of the database lead to the replica.
    fn promote(&mut self) {
        let replica = self.replica.as_ref().unwrap();
        self.env.servers.mariadb.daemon.kill();
        admin(replica).execute("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0");
        self.database_proxy.switch(replica.port);
    }

    /// Runs the commands of a restore.
    fn restore(&mut self) {
        self.apis.iter_mut().for_each(Server::kill);
        for worker in self.fleet.workers.drain(..) {
            worker.kill();
        }
        until("the registered workers to expire", || {
            let alive = "SELECT COUNT(*) FROM worker WHERE alive_until_micros > \
                         UNIX_TIMESTAMP(NOW(6)) * 1000000";
            self.env.database.number(alive) == 0
        });
        for command in [
            &["migrate"][..],
            &["restore", "complete"],
            &["events", "replay"],
            &["verify"],
        ] {
            self.env.balance(command).run().succeeded();
        }
        self.start_worker();
        self.start_worker();
        self.apis.iter_mut().for_each(Server::restart);
    }

    pub(super) fn fill_disk_of_database(&mut self) {
        self.database_machine.fill_disk(true);
        until("a worker to report the full disk", || {
            let mut workers = self.fleet.workers.iter();
            workers.any(|worker| worker.stderr().contains("the disk of the database is full"))
        });
        // Plays continue.
        self.viewers().until_acknowledged(20);
        self.database_machine.fill_disk(false);
    }
}
