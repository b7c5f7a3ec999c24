//! What a fleet's intake refuses is counted in the database: as often as clients were refused,
//! whichever worker dies.

use crate::{
    common::{client::Client, program::until},
    env::TestEnv,
    fleet::{Fleet, Worker},
    playback::{SECRET, api},
    servers::Servers,
};
use std::{collections::BTreeMap, rc::Rc};
use tokio::task::JoinSet;

const KEPT: &str = "SELECT video_id, reason, SUM(count) FROM refusal_count \
                    GROUP BY video_id, reason ORDER BY video_id, reason";
/// Where every pause is, in seconds: far beyond what the clock allows.
const PAUSED_AT_S: i64 = 500;

/// How often what was refused, as clients saw it.
type Seen = BTreeMap<(i64, &'static str), i64>;

/// Everybody plays every video a few times and pauses once where nobody can be yet.
async fn be_refused(
    client: &Client,
    owner: &str,
    viewers: &[String],
    videos: &[i64],
    is_first: bool,
) -> Seen {
    let mut people = JoinSet::new();
    for token in viewers.iter().chain([&owner.to_owned()]) {
        let (client, token, videos) = (client.clone(), token.clone(), videos.to_vec());
        let is_owner = token == owner;
        people.spawn(async move {
            let mut seen = Seen::new();
            let mut add = |video, reason, count| *seen.entry((video, reason)).or_default() += count;
            for video in videos {
                for _ in 0..3 {
                    let path = format!("/videos/{video}/play");
                    let reply = client.ask("POST", &path, &token).await;
                    match (reply.status, is_owner) {
                        (200, true) => add(video, "own", 1),
                        (429, false) => add(video, "repeat", 1),
                        (status, _) => assert_eq!(status, 200, "{reply:?}"),
                    }
                }
                if is_first && !is_owner {
                    let path = format!("/videos/{video}/pause?currentPlayedAt={PAUSED_AT_S}");
                    let reply = client.ask("POST", &path, &token).await.is(200);
                    let credited: i64 = reply.fact.unwrap().parse().unwrap();
                    add(video, "capped", PAUSED_AT_S - credited);
                }
            }
            seen
        });
    }
    let mut all = Seen::new();
    for seen in people.join_all().await {
        for (key, count) in seen {
            *all.entry(key).or_default() += count;
        }
    }
    all
}

fn rows(seen: &Seen) -> Vec<String> {
    seen.iter()
        .map(|((video, reason), count)| format!("{video}|{reason}|{count}"))
        .collect()
}

#[test]
fn refusals_are_counted_once_whoever_dies() {
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
        for number in 0..8 {
            viewers.push(client.user(&format!("viewer{number}")).await.1);
            videos.push(client.video(&owner, &format!("film {number}"), 600).await);
        }
        (owner, viewers, videos)
    });
    let mut seen = Seen::new();
    for round in 0..3 {
        let refused = {
            let (client, owner) = (client.clone(), owner.clone());
            let (viewers, videos) = (viewers.clone(), videos.clone());
            runtime.spawn(async move {
                be_refused(&client, &owner, &viewers, &videos, round == 0).await
            })
        };
        // A worker dies while they are refused; the next one begins with a look at the counts.
        until("some refusals to be kept", || {
            !env.database.rows(KEPT).is_empty()
        });
        fleet.workers.remove(0).kill();
        let another = Worker::start(&env, env.balance(&["worker"]));
        fleet.workers.push(another);
        for (key, count) in runtime.block_on(refused).unwrap() {
            *seen.entry(key).or_default() += count;
        }
        until("every refusal to be kept", || {
            env.database.rows(KEPT) == rows(&seen)
        });
    }
    assert_eq!(seen.len(), 3 * videos.len(), "each video, for each reason");
    fleet.end();

    // Restored without its counts: the first look of a worker brings back those of 90 days.
    env.database.execute("DELETE FROM refusal_count");
    let fleet = Fleet::start(&env, 1);
    until("every refusal to be kept again", || {
        env.database.rows(KEPT) == rows(&seen)
    });
    fleet.end();
    server.end().succeeded();
}
