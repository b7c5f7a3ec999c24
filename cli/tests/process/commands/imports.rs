//! `balance import list` and `balance import undo`.

use crate::{
    env::TestEnv,
    plays::{DAYS, HEADER, csv, imported},
    rows::assert_same,
};
use serde_json::Value;

const CONTENT: [&str; 4] = [
    "SELECT date, hex(event_id), video_id, user_id, counted, play_time FROM play_history",
    "SELECT date, video_id, user_id, slot_s, ad_id FROM ad_history",
    "SELECT id, title FROM ad",
    "SELECT id, owner_id FROM video",
];

fn content(env: &TestEnv) -> Vec<String> {
    CONTENT.iter().flat_map(|sql| env.rows(sql)).collect()
}

#[test]
fn imports_are_listed_and_undone() {
    let env = imported(20);
    let file = env.file("more.csv", csv(&["2024-04-05"], 5));
    let outcome = env.balance(&["import", &file]).run().succeeded();
    let id = "import 2; `balance import undo 2` removes it while its days are open";
    assert!(outcome.stdout.contains(id), "{outcome:#?}");

    let table = env.balance(&["import", "list"]).run().succeeded().stdout;
    for words in ["COMPLETED", "more.csv", "2024-04-05", DAYS[0], DAYS[1]] {
        assert!(table.contains(words), "{words}: {table}");
    }
    let json = |args: &[&str]| -> Value {
        let args = [&["import", "list", "--json"], args].concat();
        serde_json::from_str(&env.balance(&args).run().succeeded().stdout).unwrap()
    };
    let page = json(&["--limit", "1"]);
    let newest = &page["items"][0];
    assert_eq!(page["next"], 2);
    assert_eq!((&newest["id"], &newest["plays"]), (&2.into(), &11.into()));
    assert_eq!(newest["lastDate"], "2024-04-05");
    let oldest = json(&["--after", "2"]);
    assert_eq!(oldest["items"][0]["id"], 1);
    assert_eq!(oldest["items"][0]["ads"], 2);
    assert_eq!(oldest["next"], Value::Null);

    let outcome = env.balance(&["import", "undo", "2"]).run().succeeded();
    let removed = "import 2 is undone: 11 plays, 0 ad views and 0 ads removed";
    assert!(outcome.stdout.contains(removed), "{outcome:#?}");
    assert_eq!(json(&[])["items"][0]["status"], "UNDONE");
    let again = env.balance(&["import", "undo", "2"]).run();
    again.failed(&["import 2 is already undone"]);
    env.balance(&["settle"]).run().succeeded();
    let closed = env.balance(&["import", "undo", "1"]).run();
    closed.failed(&["import 1 begins on 2024-03-30", "closed through 2024-04-01"]);
    for args in [
        &["import", "--ads", "2", "list"][..],
        &["import", "undo", "one"],
        &["import", "undo"],
        &["import", "--link-accounts", "undo", "1"],
        &["import"],
    ] {
        let rejected = env.balance(args).run().failed(&[]);
        assert_eq!(rejected.status.code(), Some(2), "{args:?}");
    }
    env.balance(&["verify"]).run().succeeded();
}

#[test]
fn control_characters_in_names_of_files_are_escaped() {
    let env = TestEnv::new();
    let file = env.file("a\u{1b}[2J\u{202e}\nb.csv", format!("{HEADER}\n"));
    env.balance(&["import", &file]).run().succeeded();
    let table = env.balance(&["import", "list"]).run().succeeded().stdout;
    assert!(table.contains(r"a\u{1b}[2J\u{202e}\nb.csv"), "{table}");
    assert!(!table.contains(['\u{1b}', '\u{202e}']), "{table:?}");
}

#[test]
fn a_file_may_have_the_name_of_a_command() {
    let env = TestEnv::new();
    let file = env.file("list", format!("{HEADER}\n"));
    env.balance(&["import", &file]).run().succeeded();
}

#[test]
fn an_undo_that_is_killed_at_any_commit_is_completed_by_a_second_one() {
    let original = TestEnv::new();
    let file = original.file("plays.csv", csv(&DAYS, 700));
    original.balance(&["import", &file]).run().succeeded();
    let with_ads = |env: &TestEnv| {
        let import = env.balance(&["import", "--ads", "1", &file]);
        import.run().succeeded();
        content(env)
    };
    let expected = with_ads(&TestEnv::new());
    for commit in 1.. {
        for side in ["before", "after"] {
            let env = original.copy();
            let killed = env
                .balance(&["import", "undo", "1"])
                .env("BALANCE_KILL_AT", format!("{side}:{commit}"))
                .run();
            let is_done = env.value("SELECT status FROM play_import") == "UNDONE";
            let is_begun = env.value("SELECT status FROM play_import") == "UNDOING";
            if killed.is_ok() {
                assert!(is_done && commit > 4, "{commit} commits");
                return;
            }
            if is_begun {
                env.balance(&["import", &file])
                    .run()
                    .failed(&["import 1 is being undone"]);
            }
            if !is_done {
                env.balance(&["import", "undo", "1"]).run().succeeded();
            }
            let left = content(&env);
            assert!(left.iter().all(|row| !row.contains("2024")), "{left:?}");
            assert_same(&with_ads(&env), &expected, &format!("{side} {commit}"));
        }
    }
}

#[test]
fn an_import_that_is_killed_at_any_commit_is_repeated() {
    let file = TestEnv::new();
    let file = file.file("plays.csv", csv(&DAYS, 2_500));
    let import = |env: &TestEnv| env.balance(&["import", "--ads", "1", &file]);
    let whole = TestEnv::new();
    import(&whole).run().succeeded();
    let expected = content(&whole);
    for commit in 1.. {
        for side in ["before", "after"] {
            let env = TestEnv::new();
            let killed = import(&env)
                .env("BALANCE_KILL_AT", format!("{side}:{commit}"))
                .run();
            if killed.is_ok() {
                assert!(commit > 4, "{commit} commits");
                return;
            }
            assert!(killed.was_killed(), "{killed:#?}");
            let unfinished = "SELECT COUNT(*) FROM play_import WHERE status = 'RUNNING'";
            if commit % 2 == 0 && env.value(unfinished) == "1" {
                // The day is not settled with a part of its plays.
                env.balance(&["settle"]).run();
                assert_eq!(env.value("SELECT COUNT(*) FROM video_statistics"), "0");
            }
            import(&env).run().succeeded();
            assert_same(&content(&env), &expected, &format!("{side} {commit}"));
        }
    }
}

#[test]
fn ids_of_accounts_are_accepted_only_by_an_option() {
    let env = TestEnv::new();
    let password = env.file("password", "correct horse");
    let create = ["admin", "create", "boss", "--password-file", &password];
    let created = env.balance(&create).run().succeeded().stdout;
    assert!(created.contains("user 8000000000000001,"), "{created}");
    // An account of an older version, whose id the file contains as an owner.
    for (table, column) in [("users", "id"), ("credential", "user_id")] {
        env.execute(&format!("UPDATE {table} SET {column} = 9"));
    }
    // The first process that uses the rules of plays stores them.
    env.balance(&["settle"]).run().succeeded();
    let before = env.everything();
    let file = env.file("plays.csv", csv(&DAYS, 5));
    let import = env.balance(&["import", &file]).run();
    import.failed(&["ids of accounts: 9 (boss);", "--link-accounts"]);
    assert_same(&env.everything(), &before, "a rejected import");
    let linked = env.balance(&["import", "--link-accounts", &file]).run();
    linked.succeeded();
    assert_eq!(env.value("SELECT username FROM users WHERE id = 9"), "boss");
}
