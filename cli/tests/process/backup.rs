//! `balance backup`: a copy while a server writes, its restoration, and what is rejected.

use crate::{
    env::{Call, TestEnv, block_on, until},
    plays::half_settled,
    rows::assert_same,
};
use balance_test_support::http::{SET_VIEWER_RULES, Server, ViewerRun};
use std::{
    collections::HashSet, fs, os::unix::fs::PermissionsExt, path::Path, process::Command, rc::Rc,
    time::Duration,
};

const HISTORY: &str = "SELECT user_id, video_id, counted FROM play_history";

fn serve(env: &Rc<TestEnv>) -> Server {
    let env = Rc::clone(env);
    Server::start(move || env.balance(&["serve"]))
}

/// Restores a backup into an empty folder.
fn restore(backup: &str) -> Rc<TestEnv> {
    let restored = TestEnv::empty();
    fs::copy(backup, restored.database()).unwrap();
    Rc::new(restored)
}

/// Runs the commands below a heading of docs/operations.md in the folder of the database.
fn run_documented(env: &TestEnv, heading: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, below) = page.split_once(&format!("{heading}\n")).expect(heading);
    let (_, block) = below.split_once("```sh\n").unwrap();
    let (script, _) = block.split_once("```").unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_balance")).parent().unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-e", "-u", "-c", script])
        .current_dir(env.folder())
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
        .env("DATABASE_URL", "sqlite://balance.db");
    Call::new(command).run().succeeded();
}

fn history(env: &TestEnv) -> HashSet<String> {
    env.rows(HISTORY).into_iter().collect()
}

#[test]
fn a_backup_of_a_running_server_is_restored_with_everything_that_was_acknowledged_before() {
    let env = half_settled();
    // Otherwise the server settles the other day during the test.
    env.balance(&["settle"]).run().succeeded();
    env.balance(&SET_VIEWER_RULES).run().succeeded();
    let env = Rc::new(env);
    let results = env.results();
    let server = serve(&env);
    let viewers = ViewerRun::start(server.client(), 12, 150, Duration::from_millis(10));
    viewers.until_acknowledged(150);
    let before_documented = history(&env);
    run_documented(&env, "## Backups");
    viewers.until_acknowledged(50);
    let folder = tempfile::tempdir().unwrap();
    let mut backups = Vec::new();
    for number in 0..2 {
        let before = history(&env);
        let path = folder.path().join(format!("backup-{number}.db"));
        let path = path.display().to_string();
        let outcome = env.balance(&["backup", &path]).run().succeeded();
        assert!(outcome.stdout.contains("integrity checked"), "{outcome:?}");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        backups.push((path, before));
        viewers.until_acknowledged(50);
    }
    viewers.finish();
    server.end().succeeded();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);

    let all = history(&env);
    env.balance(&["verify"]).run().succeeded();
    run_documented(&env, "### Restore an SQLite database");
    let restored = backups
        .into_iter()
        .map(|(path, before)| (restore(&path), before))
        .chain([(Rc::clone(&env), before_documented)]);
    for (restored, before) in restored {
        let found = history(&restored);
        assert!(found.is_superset(&before) && found.is_subset(&all));
        assert!(found.len() < all.len(), "the server wrote after the backup");
        assert_same(&restored.results(), &results, "the results");
        restored.balance(&["verify"]).run().succeeded();
        assert_usable(&restored);
        restored.balance(&["verify"]).run().succeeded();
    }
}

/// Asserts that accounts of before the backup log in, and that new ones play.
fn assert_usable(env: &Rc<TestEnv>) {
    let server = serve(env);
    let client = server.client();
    block_on(async {
        client.login("viewer0").await;
        let (_, owner) = client.user("new-owner").await;
        let (_, viewer) = client.user("new-viewer").await;
        let video = client.video(&owner, "a new film", 600).await;
        let path = format!("/videos/{video}/play");
        client.request("POST", &path, &viewer).await.is(200);
    });
    server.end().succeeded();
}

/// Asserts that a backup has the rows of its database and the mark of a backup.
#[track_caller]
fn assert_copied(backup: &TestEnv, env: &TestEnv) {
    let rows = backup.everything().into_iter();
    let (mark, rows): (Vec<_>, Vec<_>) = rows.partition(|row| row.starts_with("setting|restore|"));
    assert_eq!(mark, ["setting|restore|pending"]);
    assert_same(&rows, &env.everything(), "a backup");
}

#[test]
fn a_backup_without_a_server_equals_the_database_and_leaves_it_unchanged() {
    let env = half_settled();
    let before = fs::read(env.database()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup.db").display().to_string();
    env.balance(&["backup", &path]).run().succeeded();
    assert!(fs::read(env.database()).unwrap() == before);
    let restored = restore(&path);
    assert_copied(&restored, &env);
    let verify = |env: &TestEnv| {
        let found = env.balance(&["verify", "--json"]).run().succeeded();
        found.json()
    };
    assert_eq!(verify(&restored), verify(&env));
}

#[test]
fn a_backup_replaces_nothing_and_leaves_no_part_behind() {
    let env = half_settled();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("existing"), "kept").unwrap();
    std::os::unix::fs::symlink("nowhere", path("link")).unwrap();
    for (target, words) in [
        (path("existing"), "already exists"),
        (path("link"), "already exists"),
        (folder.path().display().to_string(), "already exists"),
        (path("missing/backup.db"), "No such file"),
        (env.database().display().to_string(), "already exists"),
    ] {
        env.balance(&["backup", &target]).run().failed(&[words]);
    }
    // A damaged database is reported, and the copy is not kept.
    let damaged = env.copy();
    let mut bytes = fs::read(damaged.database()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4_096].fill(0x5a);
    fs::write(damaged.database(), bytes).unwrap();
    let target = path("damaged.db");
    damaged
        .balance(&["backup", &target])
        .run()
        .failed(&["damaged"]);
    let empty = TestEnv::empty();
    empty
        .balance(&["backup", &path("none.db")])
        .run()
        .failed(&["does not exist"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert_eq!(fs::read_to_string(path("existing")).unwrap(), "kept");
    assert_eq!(fs::read_dir(empty.folder()).unwrap().count(), 0);
}

#[test]
fn a_killed_backup_leaves_one_folder() {
    let env = half_settled();
    env.execute(
        "INSERT INTO setting (name, value) WITH RECURSIVE n (i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) \
         SELECT 'filler ' || i, hex(randomblob(500000)) FROM n",
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup.db").display().to_string();
    let entries = || -> Vec<_> {
        let entries = fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let has_begun = || {
        let files = entries()
            .into_iter()
            .filter_map(|one| fs::read_dir(one).ok());
        files.flatten().any(|file| {
            let size = file.and_then(|file| file.metadata());
            size.is_ok_and(|file| file.len() > 1_000_000)
        })
    };
    for _ in 0..20 {
        let mut running = env.balance(&["backup", &path]).start();
        until("the copy to begin", || has_begun() || running.has_ended());
        running.kill();
        if running.wait().was_killed() {
            break;
        }
        fs::remove_file(&path).unwrap();
    }
    let left = entries();
    assert_eq!(left.len(), 1, "{left:?}");
    let name = left[0].file_name().unwrap().to_string_lossy();
    assert!(
        left[0].is_dir() && name.starts_with(".balance-backup-"),
        "{left:?}"
    );
}

#[test]
fn a_database_of_an_older_program_is_copied_as_it_is() {
    let env = half_settled();
    env.execute("DROP TABLE job_execution_trace; DELETE FROM _sqlx_migrations WHERE version = 12");
    let path = env.folder().join("backup.db").display().to_string();
    env.balance(&["backup", &path]).run().succeeded();
    assert_copied(&restore(&path), &env);
}

#[test]
fn names_of_the_files_beside_the_database_are_rejected() {
    let env = half_settled();
    let link = env.folder().join("link.db");
    std::os::unix::fs::symlink(env.database(), &link).unwrap();
    for suffix in ["-journal", "-wal", "-shm", ".lock", ".jwt-secret"] {
        let target = env.folder().join(format!("balance.db{suffix}"));
        let _ = fs::remove_file(&target);
        let target = target.display().to_string();
        for url in [env.database(), link.clone()] {
            let call = env.balance(&["backup", &target]);
            let call = call.env("DATABASE_URL", format!("sqlite://{}", url.display()));
            call.run().failed(&[&target, "beside the database"]);
        }
    }
}
