//! `balance verify`: its output, its exit codes, and no changes of the database.

use crate::{
    env::TestEnv,
    plays::{DAYS, half_settled, imported},
};

#[test]
fn a_correct_database_has_no_differences() {
    let env = half_settled();
    let before = env.everything();
    let verified = env.balance(&["verify"]).run().succeeded();
    assert!(
        verified.stdout.starts_with(
            "verified 2 days, 1 of them settled: 5 video days, 10 rows of weeks and months, \
             1 executions (0 pruned), in "
        ),
        "{verified:#?}"
    );
    assert!(verified.stdout.ends_with("no differences\n"));
    // Without a terminal there is no progress bar.
    assert_eq!(verified.stderr, "");
    let json = env.balance(&["verify", "--json"]).run().succeeded().json();
    let expected = serde_json::json!({
        "clean": true, "days": 2, "settledDays": 1, "videos": 5, "periodRows": 10,
        "executions": 1, "prunedExecutions": 0, "foreignStepExecutions": 0,
        "differences": [],
    });
    assert_eq!(json, expected);
    assert_eq!(env.everything(), before);
}

#[test]
fn an_empty_database_has_no_differences() {
    let verified = TestEnv::new().balance(&["verify"]).run().succeeded();
    assert!(
        verified.stdout.starts_with("verified 0 days"),
        "{verified:#?}"
    );
}

#[test]
fn differences_are_printed_counted_and_end_with_another_exit_code() {
    let env = half_settled();
    env.execute("UPDATE video_statistics SET total_play_time = total_play_time + 1");
    let verified = env.balance(&["verify", "--limit", "2"]).run();
    assert_eq!(verified.status.code(), Some(1), "{verified:#?}");
    assert_eq!(verified.stderr, "");
    let lines: Vec<&str> = verified.stdout.lines().collect();
    assert_eq!(lines[1], "statistics: 5 differences");
    let first = format!(
        "  video_statistics (date {}, video 1) total_play_time: expected ",
        DAYS[0]
    );
    assert!(lines[2].starts_with(&first), "{verified:#?}");
    assert!(lines[2].contains(", found "));
    assert_eq!(lines[4], "  and 3 more");
    assert_eq!(lines[5], "periods: 10 differences");
    assert_eq!(lines[8..], ["  and 8 more"]);

    let json = env
        .balance(&["verify", "--json", "--limit", "1"])
        .run()
        .json();
    assert_eq!(json["clean"], false);
    let kinds = json["differences"].as_array().unwrap();
    assert_eq!(kinds.len(), 2);
    assert_eq!(
        (&kinds[0]["kind"], &kinds[0]["total"]),
        (&"statistics".into(), &5.into())
    );
    let shown = kinds[0]["shown"].as_array().unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["table"], "video_statistics");
    assert_eq!(shown[0]["key"], format!("date {}, video 1", DAYS[0]));
    assert_eq!(shown[0]["column"], "total_play_time");
    let number = |key: &str| shown[0][key].as_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(number("expected") + 1, number("found"));

    let none = env.balance(&["verify", "--limit", "0"]).run();
    assert!(
        none.stdout
            .ends_with("periods: 10 differences\n  and 10 more\n"),
        "{none:#?}"
    );
}

#[test]
fn the_days_can_be_selected() {
    let env = imported(5);
    env.balance(&["settle"]).run().succeeded();
    env.execute(&format!(
        "UPDATE video_revenue SET ad_revenue = ad_revenue + 1 WHERE date = '{}'",
        DAYS[0]
    ));
    let verify = |args: &[&str]| env.balance(&[&["verify"], args].concat()).run();
    // The days are in two weeks and two months.
    assert!(verify(&["--from", DAYS[1]]).is_ok());
    assert!(verify(&["--from", "2024-05-01", "--to", "2024-05-31"]).is_ok());
    for args in [
        &["--to", DAYS[0]][..],
        &["--from", DAYS[0], "--to", DAYS[0]],
    ] {
        let found = verify(args);
        assert!(
            found.stdout.contains("revenue: 5 differences"),
            "{found:#?}"
        );
    }
}

#[test]
fn invalid_verifications_are_rejected_and_create_nothing() {
    let env = TestEnv::empty();
    env.balance(&["verify"]).run().failed(&["does not exist"]);
    assert_eq!(std::fs::read_dir(env.folder()).unwrap().count(), 0);
    let env = TestEnv::new();
    for (args, words) in [
        (&["--from", "2024-02-30"][..], "not a date"),
        (&["--to", "yesterday"], "not a date"),
        (&["--from", "1969-12-31"], "the year is not from 1970"),
        (&["--limit", "many"], "--limit"),
        (&["--limit", "10001"], "--limit"),
        (
            &["--from", "2024-02-02", "--to", "2024-02-01"],
            "2024-02-02 is after --to 2024-02-01",
        ),
    ] {
        let args = [&["verify"], args].concat();
        let rejected = env.balance(&args).run().failed(&[words]);
        assert_eq!(rejected.stdout, "", "{args:?}");
    }
}
