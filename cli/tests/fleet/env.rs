//! The environment of a fleet test: separate databases on MariaDB and Redis, a folder, and calls of
//! the program with their addresses.

use balance_batch::job::Job;
use balance_test_support::{
    day_job::RESULT_TABLES,
    http::VIEWER_SETTINGS,
    process::{Call, until},
    servers::{Database, PASSWORD, Servers, bound},
};
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;

pub(crate) struct TestEnv {
    pub(crate) servers: Arc<Servers>,
    pub(crate) database: Database,
    folder: TempDir,
    /// The number of the Redis database, unique for the servers.
    pub(crate) number: u32,
    settings: Vec<(&'static str, String)>,
}

impl TestEnv {
    /// Creates an empty database without a schema.
    pub(crate) fn empty(servers: &Arc<Servers>) -> Self {
        Self::empty_at(servers, &servers.mariadb.address(PASSWORD))
    }

    /// Creates an empty database on another server. The address has no database name.
    pub(crate) fn empty_at(servers: &Arc<Servers>, address: &str) -> Self {
        let number = servers.next_database();
        let name = format!("balance_{}_{number}", std::process::id());
        let server = Database::new(format!("{address}/mysql"));
        server.execute(&format!("CREATE DATABASE {name}"));
        let url = format!("{address}/{name}");
        Self {
            servers: Arc::clone(servers),
            database: Database::new(url.clone()),
            folder: tempfile::tempdir().unwrap(),
            number,
            settings: vec![
                ("DATABASE_URL", url),
                ("REDIS_URL", servers.redis.url(PASSWORD, number)),
            ],
        }
    }

    /// Creates a database with a schema and without plays.
    pub(crate) fn new(servers: &Arc<Servers>) -> Self {
        let env = Self::empty(servers);
        env.balance(&["migrate"]).run().succeeded();
        env
    }

    /// Sets a setting for all calls.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.settings.push((name, value.to_string()));
        self
    }

    /// Sets the rules under which the viewers of a run play as fast as they can.
    pub(crate) fn with_viewers(self) -> Self {
        let settings = VIEWER_SETTINGS.into_iter();
        settings.fold(self, |env, (name, value)| env.with(name, value))
    }

    /// Removes a setting.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.settings.retain(|(setting, _)| *setting != name);
        self
    }

    /// Returns the identity of the event stream.
    pub(crate) fn identity(&self) -> String {
        self.database
            .value("SELECT value FROM setting WHERE name = 'stream_identity'")
    }

    /// Returns the key of a shard's stream in Redis.
    pub(crate) fn stream(&self, shard: u16) -> String {
        format!("{{{}:u{shard}}}:events", self.identity())
    }

    /// Returns the key of a shard's stream of the layout by video.
    pub(crate) fn stream_by_video(&self, shard: u16) -> String {
        format!("{{{}:s{shard}}}:events", self.identity())
    }

    /// Returns the settings of this environment.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let settings = self.settings.iter();
        settings.map(|(name, value)| (*name, value.as_str()))
    }

    /// Returns a call of the program with only the settings of this environment.
    pub(crate) fn balance(&self, args: &[&str]) -> Call {
        let mut command = bound(env!("CARGO_BIN_EXE_balance"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("TMPDIR", self.folder.path())
            .envs(self.settings());
        Call::new(command)
    }

    /// Imports a file of plays, with two ads.
    pub(crate) fn import(&self, csv: &str) {
        let path: PathBuf = self.folder.path().join("plays.csv");
        std::fs::write(&path, csv).unwrap();
        let call = self.balance(&["import", "-", "--ads", "2"]).stdin(path);
        call.run().succeeded();
    }

    /// Returns the results of settlements.
    pub(crate) fn results(&self) -> Vec<String> {
        let of_table = |(table, order): (&str, &str)| {
            let rows = self
                .database
                .rows(&format!("SELECT * FROM {table} ORDER BY {order}"));
            let named = rows.into_iter().map(move |row| format!("{table}|{row}"));
            named.collect::<Vec<_>>()
        };
        RESULT_TABLES.into_iter().flat_map(of_table).collect()
    }

    /// Drops the database, for servers that outlive the tests.
    pub(crate) fn drop_database(self) {
        self.database
            .execute("SET @drop = CONCAT('DROP DATABASE ', DATABASE())");
        self.database
            .execute("PREPARE statement FROM @drop; EXECUTE statement");
    }

    /// Opens another connection to the database, for locks.
    pub(crate) fn another_connection(&self) -> Database {
        Database::new(self.database.url.clone())
    }

    /// Waits until exactly this number of executions exists and all are COMPLETED.
    #[track_caller]
    pub(crate) fn until_settled(&self, days: usize, what: &str) {
        let mut statuses = Vec::new();
        until(what, || {
            statuses = self
                .database
                .rows("SELECT STATUS FROM BATCH_JOB_EXECUTION ORDER BY JOB_EXECUTION_ID");
            let is_expected =
                |status: &String| matches!(status.as_str(), "STARTING" | "STARTED" | "COMPLETED");
            assert!(statuses.iter().all(is_expected), "{what}: {statuses:?}");
            assert!(statuses.len() <= days, "{what}: {statuses:?}");
            statuses == vec!["COMPLETED"; days]
        });
    }

    /// Waits until a day is settled, regardless of other days.
    pub(crate) fn until_settled_last(&self, day: &str) {
        let done = format!(
            "SELECT COUNT(*) FROM BATCH_JOB_EXECUTION e JOIN job_date_instance d \
             ON d.job_instance_id = e.JOB_INSTANCE_ID \
             WHERE d.date = '{day}' AND e.STATUS = 'COMPLETED'"
        );
        until("the last day to be settled", || {
            self.database.number(&done) == 1
        });
    }

    /// Waits until an execution has failed; returns its ID.
    pub(crate) fn until_failed(&self) -> i64 {
        let failed = "SELECT JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION WHERE STATUS = 'FAILED'";
        let mut found = Vec::new();
        until("an execution to fail", || {
            found = self.database.rows(failed);
            !found.is_empty()
        });
        found[0].parse().unwrap()
    }

    /// Creates a trigger that records the worker of each claim.
    pub(crate) fn record_claims(&self) {
        self.database.execute(
            "CREATE TABLE test_claim (step_execution_id BIGINT NOT NULL, \
             worker VARCHAR(255) NOT NULL) ENGINE = InnoDB",
        );
        self.database.execute(
            "CREATE TRIGGER test_claim AFTER UPDATE ON step_lease FOR EACH ROW BEGIN \
             IF NEW.claim_token IS NOT NULL AND NOT NEW.claim_token <=> OLD.claim_token THEN \
             INSERT INTO test_claim VALUES (NEW.step_execution_id, NEW.worker); END IF; END",
        );
    }

    /// Deletes all executions and results; the plays stay.
    pub(crate) fn reset_settlements(&self) {
        let mut tables = self.database.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
             AND table_name NOT LIKE '%\\_SEQ' AND (table_name LIKE 'BATCH\\_%' \
             OR table_name LIKE 'job\\_%' OR table_name LIKE 'step\\_%' \
             OR table_name = 'rejected_item')",
        );
        assert!(tables.len() >= 13, "{tables:?}");
        tables.extend(RESULT_TABLES.map(|(table, _)| table.to_owned()));
        let empty: String = tables
            .iter()
            .map(|table| format!("TRUNCATE TABLE {table};"))
            .collect();
        self.database.execute(&format!(
            "SET FOREIGN_KEY_CHECKS = 0; {empty} SET FOREIGN_KEY_CHECKS = 1; \
             UPDATE closed_through SET date = NULL"
        ));
    }

    /// Asserts that each day has one COMPLETED execution with all steps completed. No partition is
    /// unfinished, no lease is left, and no partition or video is set aside.
    #[track_caller]
    pub(crate) fn assert_all_complete(&self, days: usize, what: &str) {
        let executions = self
            .database
            .rows("SELECT STATUS, EXIT_CODE FROM BATCH_JOB_EXECUTION");
        assert_eq!(executions, vec!["COMPLETED|COMPLETED"; days], "{what}");
        let unfinished = self.database.rows(
            "SELECT STEP_NAME, STATUS, EXIT_MESSAGE FROM BATCH_STEP_EXECUTION \
             WHERE STATUS <> 'COMPLETED'",
        );
        assert!(unfinished.is_empty(), "{what}: {unfinished:?}");
        let steps = self.database.rows(
            "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION WHERE STEP_NAME NOT LIKE '%:%' \
             GROUP BY JOB_EXECUTION_ID",
        );
        let expected = Job::DayStatistics.steps().len().to_string();
        assert_eq!(steps, vec![expected; days], "{what}");
        for table in [
            "step_lease",
            "step_expiry",
            "step_quarantine",
            "rejected_item",
        ] {
            let left = self.database.rows(&format!("SELECT * FROM {table}"));
            assert!(left.is_empty(), "{what}: {table}: {left:?}");
        }
    }
}
