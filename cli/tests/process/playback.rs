//! Playback on `balance serve`: acknowledged plays survive kills, and each play is in one day.

use crate::{
    env::{TestEnv, block_on, until},
    plays::csv,
};
use balance_test_support::{
    http::{EXAMPLE_SETTINGS, Server, VIEWER_SETTINGS, ViewerRun, assert_original_examples},
    midnight::Midnight,
};
use std::{rc::Rc, time::Duration};

const HISTORY: &str = "SELECT user_id, video_id, counted FROM play_history";

fn serve(env: &Rc<TestEnv>, zone: &str) -> Server {
    let (env, zone) = (Rc::clone(env), zone.to_owned());
    Server::start(move || {
        let call = env.balance(&["serve"]).env("BUSINESS_TIMEZONE", &zone);
        VIEWER_SETTINGS
            .into_iter()
            .fold(call, |call, (name, value)| call.env(name, value))
    })
}

#[test]
fn the_original_examples() {
    let env = Rc::new(TestEnv::empty());
    let server = Server::start(move || {
        let call = env.balance(&["serve"]);
        EXAMPLE_SETTINGS
            .into_iter()
            .fold(call, |call, (name, value)| call.env(name, value))
    });
    block_on(assert_original_examples(&server.client()));
    server.end().succeeded();
}

#[test]
fn acknowledged_plays_survive_every_kill() {
    const KILLS: usize = 8;
    let env = Rc::new(TestEnv::empty());
    let mut server = serve(&env, "Asia/Seoul");
    let viewers = ViewerRun::start(server.client(), 24, 150, Duration::from_millis(2));
    for _ in 0..KILLS {
        viewers.until_acknowledged(200);
        server.kill();
        server.restart();
    }
    viewers.until_acknowledged(100);
    let ended = viewers.finish();
    let replies = &ended.replies;
    eprintln!(
        "{} acknowledged, {} without a reply, {KILLS} kills",
        replies.acknowledged.len(),
        replies.unknown.len()
    );
    replies.assert_persisted(&env.rows(HISTORY));
    ended.assert_replies_repeat();
    replies.assert_persisted(&env.rows(HISTORY));
    env.balance(&["verify"]).run().succeeded();
    server.end().succeeded();
}

#[test]
fn midnight_separates_the_plays_and_the_day_is_settled_while_viewers_play() {
    let env = Rc::new(TestEnv::empty());
    let midnight = Midnight::after_s(25);
    let server = serve(&env, &midnight.zone);
    let viewers = ViewerRun::start(server.client(), 16, 300, Duration::from_millis(40));
    let executions = "SELECT e.STATUS FROM BATCH_JOB_EXECUTION e";
    until("the day to be settled", || {
        env.rows(executions) == ["COMPLETED"]
    });
    viewers.until_acknowledged(100);
    let ended = viewers.finish();
    ended.replies.assert_persisted(&env.rows(HISTORY));
    assert_eq!(
        env.value("SELECT date FROM closed_through"),
        midnight.day.to_string()
    );
    let days = env.rows(&format!(
        "SELECT date, COUNT(*), SUM((occurred_at_micros < {}) <> (date = '{}')) \
         FROM play_history GROUP BY date ORDER BY date",
        midnight.at_micros, midnight.day
    ));
    assert_eq!(days.len(), 2, "before and after midnight: {days:?}");
    assert!(
        days.iter().all(|day| day.ends_with("|0")),
        "in another day: {days:?}"
    );
    let (settled, played) = (
        format!(
            "SELECT SUM(view_count) FROM video_statistics WHERE date = '{}'",
            midnight.day
        ),
        format!(
            "SELECT SUM(counted) FROM play_history WHERE date = '{}'",
            midnight.day
        ),
    );
    assert_eq!(env.value(&settled), env.value(&played));
    env.balance(&["verify"]).run().succeeded();
    server.end().succeeded();
}

#[test]
fn plays_continue_beside_commands_that_write_much() {
    let env = Rc::new(TestEnv::empty());
    let server = serve(&env, "Asia/Seoul");
    let file = env.file("plays.csv", csv(&["2024-03-30", "2024-03-31"], 20_000));
    let copy = env.folder().join("copy").display().to_string();
    let viewers = ViewerRun::start(server.client(), 4, 600, Duration::from_millis(20));
    viewers.until_acknowledged(10);
    for args in [
        &["import", "--ads", "2", &file][..],
        &["backup", &copy],
        &["import", "undo", "1"],
        &["import", "--ads", "2", &file],
        &["settle"],
    ] {
        env.balance(args).run().succeeded();
        viewers.until_acknowledged(1);
    }
    let ended = viewers.finish();
    assert_eq!(ended.replies.unknown.len(), 0, "requests without an answer");
    let live = format!("{HISTORY} WHERE import_id IS NULL");
    ended.replies.assert_persisted(&env.rows(&live));
    env.balance(&["verify"]).run().succeeded();
    server.end().succeeded();
}

#[test]
fn a_server_whose_clock_was_ahead_continues_after_one_command() {
    let env = Rc::new(TestEnv::empty());
    let server = serve(&env, "Asia/Seoul");
    let client = server.client();
    let (token, video) = block_on(async {
        let (_, owner) = client.user("owner").await;
        let (_, viewer) = client.user("viewer").await;
        (viewer, client.video(&owner, "film", 600).await)
    });
    let play = || {
        let path = format!("/videos/{video}/play");
        block_on(client.request("POST", &path, &token))
    };
    let ready = || block_on(client.request("GET", "/health/ready", ""));
    ready().is(200);
    // As a process leaves it that ran with a clock three days ahead.
    env.execute("UPDATE intake_clock SET last_micros = last_micros + 3 * 86400 * 1000000");
    let text = ready().is(503).json().to_string();
    assert!(text.contains("the last play or pause was at 2"), "{text}");
    assert!(text.contains("and the clock is at 2"), "{text}");
    assert!(text.contains("`balance clock repair`"), "{text}");
    assert!(play().is(503).retry_after.is_some());
    let repaired = env.balance(&["clock", "repair"]).run().succeeded().stdout;
    assert!(
        repaired.starts_with("set the last instant of the intake from 2"),
        "{repaired}"
    );
    ready().is(200);
    play().is(200);
    let repaired = env.balance(&["clock", "repair"]).run().succeeded().stdout;
    assert!(repaired.contains("nothing was ahead of it"), "{repaired}");
    server.end().succeeded();
}

#[test]
fn events_say_whether_the_account_is_new() {
    let env = Rc::new(TestEnv::empty());
    let server = serve(&env, "Asia/Seoul");
    let client = server.client();
    let (video, viewer) = block_on(async {
        let (_, owner) = client.user("owner").await;
        let video = client.video(&owner, "film", 600).await;
        (video, client.user("viewer").await.1)
    });
    let request = |path: &str, token: &str| {
        let path = format!("/videos/{video}/{path}");
        block_on(client.request("POST", &path, token)).is(200);
    };
    request("play", &viewer);
    env.execute("UPDATE users SET created_at = DATETIME(created_at, '-7 days')");
    request("pause?currentPlayedAt=3", &viewer);
    // The next token has the time of the account's creation from the database.
    let body = serde_json::json!({"username": "viewer", "password": "correct horse"});
    let login = block_on(client.send("POST", "/login", &[], Some(&body))).unwrap();
    let token = login.json()["accessToken"].as_str().unwrap().to_owned();
    request("pause?currentPlayedAt=6", &token);
    let ages = "SELECT new_account FROM play_history ORDER BY event_id";
    assert_eq!(env.rows(ages), ["1", "1", "0"]);
    server.end().succeeded();
}
