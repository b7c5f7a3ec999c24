//! The suppressed counts of a fleet in the database match the responses to the clients, despite
//! killed workers.

use crate::{
    env::TestEnv,
    playback::service::{SECRET, api},
    worker::{Fleet, Worker},
};
use balance_test_support::{http::Client, process::until, servers::Servers};
use std::{collections::BTreeMap, rc::Rc};
use tokio::task::JoinSet;

const PERSISTED: &str = "SELECT video_id, reason, SUM(count) FROM refusal_count \
                    GROUP BY video_id, reason ORDER BY video_id, reason";
/// The position of each pause, in seconds: far beyond the credited seconds.
const PAUSED_AT_S: i64 = 500;

/// Suppressed counts by video and reason, computed from the responses.
type Expected = BTreeMap<(i64, &'static str), i64>;

/// Each user plays each video three times, and pauses once beyond the possible position.
async fn play_suppressed(
    client: &Client,
    owner: &str,
    viewers: &[String],
    videos: &[i64],
    is_first: bool,
) -> Expected {
    let mut users = JoinSet::new();
    for token in viewers.iter().chain([&owner.to_owned()]) {
        let (client, token, videos) = (client.clone(), token.clone(), videos.to_vec());
        let is_owner = token == owner;
        users.spawn(async move {
            let mut expected = Expected::new();
            let mut add =
                |video, reason, count| *expected.entry((video, reason)).or_default() += count;
            for video in videos {
                for _ in 0..3 {
                    let path = format!("/videos/{video}/play");
                    let reply = client.request("POST", &path, &token).await;
                    match (reply.status, is_owner) {
                        (200, true) => add(video, "own", 1),
                        (429, false) => add(video, "repeat", 1),
                        (status, _) => assert_eq!(status, 200, "{reply:?}"),
                    }
                }
                if is_first && !is_owner {
                    let path = format!("/videos/{video}/pause?currentPlayedAt={PAUSED_AT_S}");
                    let reply = client.request("POST", &path, &token).await.is(200);
                    let credited: i64 = reply.fact.unwrap().parse().unwrap();
                    add(video, "capped", PAUSED_AT_S - credited);
                }
            }
            expected
        });
    }
    let mut all = Expected::new();
    for expected in users.join_all().await {
        for (key, count) in expected {
            *all.entry(key).or_default() += count;
        }
    }
    all
}

fn rows(expected: &Expected) -> Vec<String> {
    expected
        .iter()
        .map(|((video, reason), count)| format!("{video}|{reason}|{count}"))
        .collect()
}

#[test]
fn suppressed_plays_are_counted_once_despite_killed_workers() {
    let env = TestEnv::new(&Servers::shared())
        .with("JWT_SECRET", SECRET)
        .with("INTAKE_SHARDS", 3)
        .with("VIEW_WINDOW_S", 3_600)
        .with("LEASE_S", 2);
    let env = Rc::new(env);
    let server = api(&env);
    let mut fleet = Fleet::start(&env, 2);
    let client = server.client();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (owner, viewers, videos) = runtime.block_on(async {
        let (_, owner) = client.user("owner").await;
        let (mut viewers, mut videos) = (Vec::new(), Vec::new());
        for number in 0..6 {
            viewers.push(client.user(&format!("viewer{number}")).await.1);
            videos.push(client.video(&owner, &format!("film {number}"), 600).await);
        }
        (owner, viewers, videos)
    });
    let mut expected = Expected::new();
    for round in 0..3 {
        let mut playing = JoinSet::new();
        let play = {
            let (client, owner) = (client.clone(), owner.clone());
            let (viewers, videos) = (viewers.clone(), videos.clone());
            async move { play_suppressed(&client, &owner, &viewers, &videos, round == 0).await }
        };
        playing.spawn_on(play, runtime.handle());
        // A worker is killed meanwhile; its replacement starts with a copy of the counts.
        until("some suppressed counts", || {
            !env.database.rows(PERSISTED).is_empty()
        });
        fleet.workers.remove(0).kill();
        let another = Worker::start(&env, env.balance(&["worker"]));
        fleet.workers.push(another);
        for (key, count) in runtime.block_on(playing.join_next()).unwrap().unwrap() {
            *expected.entry(key).or_default() += count;
        }
        until("all suppressed counts", || {
            env.database.rows(PERSISTED) == rows(&expected)
        });
    }
    assert_eq!(
        expected.len(),
        3 * videos.len(),
        "each video, for each reason"
    );
    fleet.end();

    // After a loss of the counts, a worker copies those of 90 days at its start.
    env.database.execute("DELETE FROM refusal_count");
    let fleet = Fleet::start(&env, 1);
    until("all suppressed counts again", || {
        env.database.rows(PERSISTED) == rows(&expected)
    });
    fleet.end();
    server.end().succeeded();
}
