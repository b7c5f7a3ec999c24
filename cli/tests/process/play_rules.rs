//! `balance rules`, and the rules of plays that the database stores.

use crate::env::{TestEnv, block_on};
use balance_test_support::http::Server;
use std::rc::Rc;

const STORED: &str = "SELECT version, view_window_s, ad_interval_s, max_playback_rate \
                      FROM play_rules ORDER BY version";
const LIMITS: &str = "SELECT version, credit_burst_s, max_unconfirmed_s, min_watch_s, views_per_minute, \
                      view_burst, videos_per_hour, video_burst FROM play_rules ORDER BY version";
const HEADER: &str = "user_id,video_id,owner_id,started_at,play_time_s,video_duration_s\n";

fn import(env: &TestEnv, name: &str, play: &str) -> crate::env::Call {
    let file = env.file(name, format!("{HEADER}{play}\n"));
    env.balance(&["import", &file, "--ads", "1"])
}

#[test]
fn the_first_process_stores_its_rules_and_others_are_rejected() {
    let env = TestEnv::new();
    let none = "SELECT * FROM play_rules";
    for reading in [&["rules", "show"][..], &["verify"], &["jobs", "list"]] {
        let call = env.balance(reading).env("VIEW_WINDOW_S", 45);
        call.run().succeeded();
        assert!(env.rows(none).is_empty(), "{reading:?}");
    }
    let first = import(&env, "a.csv", "1,7,3,2026-03-01T12:00:00+09:00,400,600");
    first
        .env("VIEW_WINDOW_S", 45)
        .env("AD_INTERVAL_S", 200)
        .run()
        .succeeded();
    assert_eq!(env.rows(STORED), ["1|45|200|2000"]);
    let rows = "SELECT rules_version FROM play_history";
    assert_eq!(env.rows(rows), ["1"]);

    // The stored rules apply to a process to which none are given.
    let second = import(&env, "b.csv", "1,7,3,2026-03-01T12:00:40+09:00,400,600");
    let second = second.run().succeeded();
    assert!(second.stdout.contains("1 repeats"), "{second:#?}");
    for (name, given, read, stored, option) in [
        ("VIEW_WINDOW_S", "30", "30", "45", "--view-window-s"),
        ("AD_INTERVAL_S", "300", "300", "200", "--ad-interval-s"),
        (
            "MAX_PLAYBACK_RATE",
            "1.50",
            "1.5",
            "2",
            "--max-playback-rate",
        ),
        ("CREDIT_BURST_S", "6", "6", "5", "--credit-burst-s"),
        (
            "MAX_UNCONFIRMED_S",
            "60",
            "60",
            "14400",
            "--max-unconfirmed-s",
        ),
        ("MIN_WATCH_S", "1", "1", "0", "--min-watch-s"),
        ("VIEWS_PER_MINUTE", "31", "31", "30", "--views-per-minute"),
        ("VIEW_BURST", "61", "61", "60", "--view-burst"),
        ("VIDEOS_PER_HOUR", "61", "61", "60", "--videos-per-hour"),
        ("VIDEO_BURST", "101", "101", "100", "--video-burst"),
    ] {
        let differs = format!("{name}: {read} differs from {stored}");
        let advice = format!("balance rules set {option} {read}");
        let words = [differs.as_str(), "version 1", &advice];
        for command in [&["settle"][..], &["serve"], &["jobs", "restart", "1"]] {
            env.balance(command).env(name, given).run().failed(&words);
        }
        let by_option = env.balance(&["settle", option, given]).run();
        by_option.failed(&words);
        let third = import(&env, "c.csv", "2,7,3,2026-03-01T12:00:00+09:00,400,600");
        third.env(name, given).run().failed(&words);
        env.balance(&["jobs", "list"])
            .env(name, given)
            .run()
            .succeeded();
    }
    let equal = env.balance(&["settle"]).env("VIEW_WINDOW_S", 45);
    equal.env("MAX_PLAYBACK_RATE", "2.0").run().succeeded();
    let short = env.balance(&["settle"]).env("RESUME_TTL_S", 44).run();
    short.failed(&["RESUME_TTL_S: 44 is less than VIEW_WINDOW_S: 45"]);
    let both = env.balance(&["demo"]).env("RESUME_TTL_S", 29);
    let both = both.env("VIEW_WINDOW_S", 30).run();
    both.failed(&["RESUME_TTL_S: 29 is less than VIEW_WINDOW_S: 30"]);
    assert!(!env.folder().join("data").exists());
    assert_eq!(env.rows(STORED), ["1|45|200|2000"]);
}

#[test]
fn rules_are_set_and_shown_in_versions() {
    let env = TestEnv::new();
    let none = env.balance(&["rules", "show"]).run().succeeded();
    assert!(
        none.stdout.starts_with("no rules are stored yet"),
        "{none:#?}"
    );
    let none = env.balance(&["rules", "show", "--json"]).run().succeeded();
    assert!(none.json().is_null(), "{none:#?}");
    // The variables are version 1, and change nothing later.
    let set = |args: &[&str]| {
        let all = [&["rules", "set"], args].concat();
        env.balance(&all)
            .env("AD_INTERVAL_S", 120)
            .env("VIEW_WINDOW_S", 20)
            .run()
    };
    let stored = set(&["--view-window-s", "10"]).succeeded();
    assert!(
        stored
            .stdout
            .starts_with("stored version 2: view window 10 s"),
        "{stored:#?}"
    );
    for words in ["running processes", "of VIEW_WINDOW_S is", "next start"] {
        assert!(stored.stderr.contains(words), "{stored:#?}");
    }
    assert_eq!(env.rows(STORED), ["1|30|120|2000", "2|10|120|2000"]);
    let unchanged = set(&["--view-window-s", "10", "--max-playback-rate", "2.000"]).succeeded();
    assert!(
        unchanged.stdout.starts_with("unchanged: version 2"),
        "{unchanged:#?}"
    );
    let third = set(&[
        "--max-playback-rate=1.25",
        "--ad-interval-s=60",
        "--credit-burst-s=0",
        "--max-unconfirmed-s=600",
        "--min-watch-s=30",
        "--views-per-minute=1",
        "--view-burst=2",
        "--videos-per-hour=3",
        "--video-burst=4",
    ])
    .succeeded();
    assert!(third.stderr.contains("VIDEO_BURST"), "{third:#?}");
    assert_eq!(env.rows(STORED)[2..], ["3|10|60|1250"]);
    let limits = ["1|5|14400|0|30|60|60|100", "2|5|14400|0|30|60|60|100"];
    assert_eq!(env.rows(LIMITS)[..2], limits);
    assert_eq!(env.rows(LIMITS)[2..], ["3|0|600|30|1|2|3|4"]);
    let audited = env.rows("SELECT action, subject, user_id FROM audit ORDER BY id");
    let subject =
        |version: u32, rules: &str| format!("SET_PLAY_RULES|play rules {version}: {rules}|NULL");
    let expected = [
        subject(
            2,
            "view window 10 s, ad interval 120 s, rate 2, \
             credit burst 5 s, unconfirmed 14400 s, watch 0 s, views 30/min burst 60, \
             videos 60/h burst 100",
        ),
        subject(
            3,
            "view window 10 s, ad interval 60 s, rate 1.25, \
             credit burst 0 s, unconfirmed 600 s, watch 30 s, views 1/min burst 2, \
             videos 3/h burst 4",
        ),
    ];
    assert_eq!(audited, expected);

    let shown = env.balance(&["rules", "show"]).run().succeeded().stdout;
    assert!(shown.starts_with("version 3, set at 20"), "{shown}");
    for line in [
        "view window              10 s",
        "ad interval              60 s",
        "maximum playback rate    1.25",
        "credit burst             0 s",
        "maximum unconfirmed time 600 s",
        "minimum watch            30 s",
        "views per minute         1\n",
        "view burst               2\n",
        "videos per hour          3\n",
        "video burst              4\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let json = env
        .balance(&["rules", "show", "--json"])
        .run()
        .succeeded()
        .json();
    let set_at = json["setAt"].as_str().unwrap();
    assert!(set_at.ends_with('Z'), "{set_at}");
    let expected = serde_json::json!({
        "version": 3, "viewWindowS": 10, "adIntervalS": 60, "maxPlaybackRate": "1.25",
        "creditBurstS": 0, "maxUnconfirmedS": 600, "minWatchS": 30, "viewsPerMinute": 1, "viewBurst": 2,
        "videosPerHour": 3, "videoBurst": 4, "setAt": set_at,
    });
    assert_eq!(json, expected);
}

#[test]
fn invalid_rules_are_rejected() {
    let env = TestEnv::new();
    for (args, words) in [
        (&[][..], "required"),
        (&["--view-window-s", "86401"], "--view-window-s"),
        (&["--ad-interval-s", "0"], "--ad-interval-s"),
        (&["--max-playback-rate", "100.5"], "0 to 100"),
        (&["--max-playback-rate", "fast"], "0 to 100"),
        (&["--credit-burst-s", "3601"], "--credit-burst-s"),
        (&["--max-unconfirmed-s", "0"], "--max-unconfirmed-s"),
        (&["--max-unconfirmed-s", "86401"], "--max-unconfirmed-s"),
        (&["--min-watch-s", "86401"], "--min-watch-s"),
        (&["--views-per-minute", "0"], "--views-per-minute"),
        (&["--view-burst", "100001"], "--view-burst"),
        (&["--videos-per-hour", "0"], "--videos-per-hour"),
        (&["--video-burst", "100001"], "--video-burst"),
        (&["now"], "now"),
    ] {
        let all = [&["rules", "set"], args].concat();
        // The environment does not stand for an option.
        let outcome = env
            .balance(&all)
            .env("VIEW_WINDOW_S", 20)
            .run()
            .failed(&[words]);
        assert_eq!(outcome.status.code(), Some(2), "{outcome:#?}");
    }
    assert!(env.rows(STORED).is_empty());
}

#[test]
fn a_running_server_takes_up_new_rules() {
    let env = Rc::new(TestEnv::new());
    let of_server = Rc::clone(&env);
    let server = Server::start(move || of_server.balance(&["serve"]).env("VIEW_WINDOW_S", 30));
    let client = server.client();
    let (_, owner) = block_on(client.user("owner"));
    let video = block_on(client.video(&owner, "film", 600));
    let play = |token: &str| {
        let path = format!("/videos/{video}/play");
        block_on(client.request("POST", &path, token)).status
    };
    let (_, first) = block_on(client.user("first"));
    assert_eq!((play(&first), play(&first)), (200, 429));
    let set = ["rules", "set", "--view-window-s", "0"];
    env.balance(&set).run().succeeded();
    let (_, second) = block_on(client.user("second"));
    assert_eq!((play(&second), play(&second)), (200, 200));
    let versions = "SELECT rules_version FROM play_history ORDER BY event_id";
    assert_eq!(env.rows(versions), ["1", "2", "2"]);
    server.end().succeeded();
    // The variable of the server differs from the rule by now.
    let again = env.balance(&["serve"]).env("VIEW_WINDOW_S", 30).run();
    again.failed(&["VIEW_WINDOW_S: 30 differs from 0", "version 2"]);
}
