//! Playback on `balance serve`: acknowledged plays survive kills, and each play is in one day.

use crate::env::{TestEnv, block_on, until};
use balance_test_support::{
    http::{EXAMPLE_SETTINGS, Server, ViewerRun, assert_original_examples},
    midnight::Midnight,
};
use std::{rc::Rc, time::Duration};

const HISTORY: &str = "SELECT user_id, video_id, counted FROM play_history";

fn serve(env: &Rc<TestEnv>, zone: &str) -> Server {
    let (env, zone) = (Rc::clone(env), zone.to_owned());
    Server::start(move || env.balance(&["serve"]).env("BUSINESS_TIMEZONE", &zone))
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
