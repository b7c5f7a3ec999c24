//! What each command does with a missing database, one of another program, one of another version,
//! and one that cannot be written.

use crate::{
    env::{Call, TestEnv, block_on, signal, until},
    inventory::{self, Inputs, READ, WITHOUT, words},
    plays::{HEADER, half_settled},
};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

/// The commands that create a missing file. `demo` creates one in a folder of its own.
const CREATE: [&str; 5] = ["demo", "import", "import-balances", "migrate", "serve"];

fn commands() -> Vec<(&'static str, &'static [&'static str])> {
    let env = TestEnv::empty();
    inventory::commands(&|args| env.balance(args).run().succeeded().stdout)
}

/// Returns a call of a command on the database of an environment. Its input files are elsewhere.
fn call(env: &TestEnv, input: &TestEnv, name: &str, args: &[&str]) -> Call {
    let row = "7,8,9,2024-05-01T00:00:00Z,1,100";
    let inputs = Inputs {
        csv: &input.file("input.csv", format!("{HEADER}\n{row}\n")),
        new: &input.folder().join("new").display().to_string(),
        folder: &env.folder().display().to_string(),
    };
    let words = words(name, args, &inputs);
    env.balance(&words).env("LISTEN_ADDR", "127.0.0.1:0")
}

/// Returns the names and the contents of the files of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    });
    entries.collect()
}

fn assert_unchanged(env: &TestEnv, before: &BTreeMap<String, Vec<u8>>, what: &str) {
    let after = files(env.folder());
    let names: Vec<_> = after.keys().collect();
    let expected: Vec<_> = before.keys().collect();
    assert_eq!(names, expected, "{what}");
    for (name, content) in before {
        // Every reader marks its place in the index of a journal.
        if !name.ends_with("-shm") {
            assert!(after[name] == *content, "{what} changed {name}");
        }
    }
}

/// The databases of another program: the statements that create them, and the suffixes of the files
/// that are copied from the running program.
const FOREIGN: [(&str, &[&str]); 4] = [
    ("PRAGMA journal_mode = DELETE;", &[""]),
    ("PRAGMA journal_mode = WAL;", &[""]),
    // Its newest rows, or all of them, are in the journal.
    (
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;",
        &["", "-wal"],
    ),
    (
        "PRAGMA journal_mode = DELETE; CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, \
         description TEXT, installed_on TIMESTAMP, success BOOLEAN, checksum BLOB, \
         execution_time BIGINT); INSERT INTO _sqlx_migrations VALUES (1, '', '', 1, x'00', 1);",
        &[""],
    ),
];

const FOREIGN_TABLES: &str = "CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT); \
    CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (1), (2);";

/// Creates a database of another program.
fn foreign(pragmas: &str, suffixes: &[&str]) -> TestEnv {
    let other = TestEnv::empty();
    let env = TestEnv::empty();
    let copy = || {
        for suffix in suffixes {
            let name = format!("balance.db{suffix}");
            fs::copy(other.folder().join(&name), env.folder().join(&name)).unwrap();
        }
    };
    block_on(async {
        let options = SqliteConnectOptions::new().filename(other.database());
        let mut connection = options.create_if_missing(true).connect().await.unwrap();
        let sql = format!("{pragmas} {FOREIGN_TABLES}");
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        sql.execute(&mut connection).await.unwrap();
        if suffixes.len() > 1 {
            copy();
        }
        connection.close().await.unwrap();
    });
    if suffixes.len() == 1 {
        copy();
    }
    env
}

#[test]
fn every_command_leaves_a_database_of_another_program_unchanged() {
    let input = TestEnv::empty();
    for (pragmas, suffixes) in FOREIGN {
        let env = foreign(pragmas, suffixes);
        let before = files(env.folder());
        for (name, args) in commands() {
            let outcome = call(&env, &input, name, args).run();
            let what = format!("{name} on {pragmas}");
            assert_unchanged(&env, &before, &what);
            if WITHOUT.contains(&name) {
                continue;
            }
            let path = env.database().display().to_string();
            outcome.failed(&[
                &path,
                "tables of another program",
                "accounts",
                "orders",
                "correct DATABASE_URL",
            ]);
        }
    }
}

#[test]
fn a_database_that_another_program_writes_to_is_unchanged() {
    let input = TestEnv::empty();
    for pragmas in [
        "PRAGMA journal_mode = WAL;",
        // A transaction of which a part is in the file already, and its old pages in the journal.
        "PRAGMA journal_mode = DELETE; CREATE TABLE accounts (name TEXT); \
         CREATE TABLE orders (id INTEGER); PRAGMA cache_size = 1; BEGIN; \
         INSERT INTO accounts WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
         WHERE i < 9999) SELECT printf('%0100d', i) FROM n;",
    ] {
        let env = TestEnv::empty();
        block_on(async {
            let options = SqliteConnectOptions::new().filename(env.database());
            let mut connection = options.create_if_missing(true).connect().await.unwrap();
            let tables = if pragmas.contains("BEGIN") {
                ""
            } else {
                FOREIGN_TABLES
            };
            let sql = sqlx::AssertSqlSafe(format!("{pragmas} {tables}"));
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            let before = files(env.folder());
            assert!(before.len() > 1, "a journal");
            for (name, args) in commands() {
                let outcome = call(&env, &input, name, args).run();
                assert_unchanged(&env, &before, name);
                if !WITHOUT.contains(&name) {
                    outcome.failed(&["2 tables of another program (accounts, orders)"]);
                }
            }
            drop(connection);
        });
    }
}

#[test]
fn only_the_commands_of_a_new_installation_create_a_database() {
    let input = TestEnv::empty();
    for (name, args) in commands() {
        if WITHOUT.contains(&name) || name == "demo" {
            continue;
        }
        let env = TestEnv::empty();
        let what = format!("{name}: {:?}", files(env.folder()).keys());
        if name == "serve" {
            let mut server = call(&env, &input, name, args).start();
            until("the server", || {
                server.has_ended() || server.stderr().contains("listening on")
            });
            signal(server.id(), "TERM");
            server.wait().succeeded();
            assert!(env.database().exists(), "{what}");
            continue;
        }
        let outcome = call(&env, &input, name, args).run();
        assert_eq!(env.database().exists(), CREATE.contains(&name), "{what}");
        if !CREATE.contains(&name) {
            let path = env.database().display().to_string();
            outcome.failed(&[&path, "does not exist"]);
            assert_eq!(files(env.folder()).len(), 0, "{what}");
        }
        // An empty file is not a database either.
        if !CREATE.contains(&name) && name != "backup" {
            fs::write(env.database(), "").unwrap();
            let outcome = call(&env, &input, name, args).run();
            outcome.failed(&["balance migrate"]);
            assert_eq!(fs::metadata(env.database()).unwrap().len(), 0, "{name}");
            assert_eq!(files(env.folder()).len(), 1, "{what}");
        }
    }
}

#[test]
fn commands_that_read_leave_the_database_unchanged() {
    let input = TestEnv::empty();
    let env = half_settled();
    let before = files(env.folder());
    for (name, args) in commands() {
        if READ.contains(&name) {
            call(&env, &input, name, args).run().succeeded();
            assert_unchanged(&env, &before, name);
        }
    }
    // A database that was migrated, and never opened by a command that stores the time zone.
    let env = TestEnv::new();
    env.execute("DELETE FROM setting");
    let before = files(env.folder());
    let zone = call(&env, &input, "verify", &[]).env("BUSINESS_TIMEZONE", "Europe/Paris");
    zone.run().succeeded();
    assert_unchanged(&env, &before, "verify without a time zone");
}

#[test]
fn a_schema_of_another_version_is_named_and_not_migrated_to_read() {
    let input = TestEnv::empty();
    let older = half_settled();
    // The schema before migration 15.
    older.execute("DELETE FROM _sqlx_migrations WHERE version >= 15; DROP TABLE play_import");
    older.execute("DELETE FROM next_id WHERE name = 'play_import'; DROP TABLE play_rules");
    older.execute("ALTER TABLE play_history DROP COLUMN rules_version");
    older.execute("ALTER TABLE play_history DROP COLUMN new_account; DROP TABLE viewer_budget");
    older.execute("ALTER TABLE watch_session ADD COLUMN is_open SMALLINT NOT NULL DEFAULT 1");
    older.execute("ALTER TABLE users DROP COLUMN video_tat_micros");
    for table in ["play_history", "ad_history", "ad", "users", "video"] {
        older.execute(&format!("ALTER TABLE {table} DROP COLUMN import_id"));
    }
    older.execute("ALTER TABLE intake_clock DROP COLUMN offset_micros");
    let newer = half_settled();
    newer.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999999, 'of the future', 1, x'00', 0)",
    );
    let (older_files, newer_files) = (files(older.folder()), files(newer.folder()));
    for (name, args) in commands() {
        if READ.contains(&name) {
            let outcome = call(&older, &input, name, args).run();
            outcome.failed(&["older than this program", "balance migrate"]);
            assert_unchanged(&older, &older_files, name);
        }
        // A backup is made before an upgrade, or before it is undone.
        if !WITHOUT.contains(&name) && name != "backup" {
            let outcome = call(&newer, &input, name, args).run();
            outcome.failed(&["newer than this program", "999999"]);
            assert_unchanged(&newer, &newer_files, name);
        }
    }
    older.balance(&["migrate"]).run().succeeded();
    older.balance(&["jobs", "list"]).run().succeeded();
}

/// The user and group of processes without any right.
const NOBODY: &str = "65534";

/// Returns a call of the binary by a user that cannot write to the folder of the database.
fn without_rights(env: &TestEnv, args: &[&str]) -> Call {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    let binary = env!("CARGO_BIN_EXE_balance");
    let mut command = if id == b"0\n" {
        // The rights of a file do not bind root.
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        command.arg(binary);
        command
    } else {
        Command::new(binary)
    };
    let url = format!("sqlite://{}", env.database().display());
    command
        .args(args)
        .current_dir("/")
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("DATABASE_URL", url)
        .stdin(Stdio::null());
    Call::new(command)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_read_only_database_can_be_reported_from() {
    let env = half_settled();
    let expected: Vec<String> = READ_CALLS
        .iter()
        .map(|args| env.balance(args).run().succeeded().stdout)
        .collect();
    // A copy that was made with its journal while a process wrote.
    let with_journal = TestEnv::empty();
    block_on(async {
        let mut connection = env.connect().await;
        let sql = "PRAGMA wal_autocheckpoint = 0; UPDATE setting SET value = value";
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let name = format!("balance.db{suffix}");
            let from = env.folder().join(&name);
            fs::copy(from, with_journal.folder().join(&name)).unwrap();
        }
        connection.close().await.unwrap();
    });
    for (env, folder_mode, file_mode) in [
        (&env, 0o755, 0o444),
        (&env, 0o555, 0o444),
        (&env, 0o555, 0o666),
        (&with_journal, 0o555, 0o444),
    ] {
        let before = files(env.folder());
        for name in before.keys() {
            set_mode(&env.folder().join(name), file_mode);
        }
        set_mode(env.folder(), folder_mode);
        for (args, expected) in READ_CALLS.iter().zip(&expected) {
            let outcome = without_rights(env, args).run().succeeded();
            if args[0] != "verify" {
                assert_eq!(outcome.stdout, *expected, "{args:?}");
            }
            assert_unchanged(env, &before, "a report");
        }
        set_mode(env.folder(), 0o755);
    }
    // A command that writes names the reason.
    set_mode(env.folder(), 0o555);
    let outcome = without_rights(&env, &["settle"]).run();
    outcome.failed(&["read-only"]);
    set_mode(env.folder(), 0o755);
}

const READ_CALLS: [&[&str]; 5] = [
    &["report", "revenue", "--date", "2024-05-01"],
    &["jobs", "list"],
    &["verify"],
    &["workers"],
    &["rates", "show"],
];

#[test]
fn settings_are_checked_before_a_database_is_created() {
    let env = TestEnv::empty();
    for (name, value, args) in [
        ("JWT_SECRET", "short", &["serve"][..]),
        ("CHUNK_TIMEOUT_S", "0", &["migrate"]),
        ("LEASE_S", "0", &["import", "-"]),
        ("CHUNK_SIZE", "0", &["serve"]),
    ] {
        let outcome = env.balance(args).env(name, value).run();
        assert!(!outcome.is_ok(), "{name}");
        assert_eq!(files(env.folder()).len(), 0, "{name}");
    }
}
