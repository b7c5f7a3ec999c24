//! The restore of a fleet's database from a dump, while people join, register and play.

use crate::{
    env::TestEnv,
    playback::service::{HISTORY, SECRET, api, until_drained},
    worker::Fleet,
};
use balance_test_support::{
    http::{Client, ViewerRun},
    midnight::Midnight,
    process::{block_on, free_port, until},
    servers::{PASSWORD, Servers, is_installed},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    process::{Command, Stdio},
    rc::Rc,
    time::Duration,
};

/// Returns a call of a client program of MariaDB for the database of an environment.
fn client_program(env: &TestEnv, program: &str) -> (Command, String) {
    let name = env.database.value("SELECT DATABASE()");
    let mut command = Command::new(program);
    command
        .arg("--no-defaults")
        .args(["--host=127.0.0.1", "--user=balance"])
        .arg(format!("--port={}", env.servers.mariadb.port))
        .env("MYSQL_PWD", PASSWORD);
    (command, name)
}

/// Dumps the database, as docs/operations.md describes.
fn dump(env: &TestEnv, file: File) {
    let (mut command, name) = client_program(env, "mariadb-dump");
    let dumped = command.args(["--single-transaction", &name]).stdout(file);
    let dumped = dumped.stderr(Stdio::piped()).spawn().unwrap();
    let dumped = dumped.wait_with_output().unwrap();
    assert!(dumped.status.success(), "{dumped:?}");
}

/// Replaces the tables by those of a dump.
fn load(env: &TestEnv, file: File) {
    let (mut command, name) = client_program(env, "mariadb");
    let loaded = command.arg(&name).stdin(file).output().unwrap();
    assert!(loaded.status.success(), "{loaded:?}");
}

/// Lets viewers play a video, each of them once. Returns the number of plays.
async fn play(client: &Client, video: i64, tokens: &[&str]) -> u64 {
    for token in tokens {
        let path = format!("/videos/{video}/play");
        client.request("POST", &path, token).await.is(200);
    }
    tokens.len() as u64
}

/// The people and clips of the test.
#[derive(Default)]
struct Platform {
    /// All ids that were ever assigned.
    ids: HashSet<(&'static str, i64)>,
    /// The counted plays of each video.
    plays: BTreeMap<i64, u64>,
    owners: BTreeMap<i64, i64>,
}

impl Platform {
    async fn join(&mut self, client: &Client, name: &str) -> (i64, String) {
        let (id, token) = client.user(name).await;
        assert!(
            self.ids.insert(("user", id)),
            "user {id} was assigned before"
        );
        (id, token)
    }

    async fn create(&mut self, client: &Client, (owner, token): &(i64, String)) -> i64 {
        let id = client.video(token, "a clip", 600).await;
        assert!(
            self.ids.insert(("video", id)),
            "video {id} was assigned before"
        );
        self.owners.insert(id, *owner);
        id
    }

    async fn play(&mut self, client: &Client, video: i64, tokens: &[&str]) {
        *self.plays.entry(video).or_default() += play(client, video, tokens).await;
    }
}

/// Asserts that each process that could register or play is rejected until the restore is complete.
fn assert_nothing_starts(env: &TestEnv, ids: [i64; 2]) {
    let [user, video] = ids.map(|id| id.to_string());
    for command in [
        &["api"][..],
        &["serve"],
        &["worker"],
        &["settle"],
        &["clock", "repair"],
        &["admin", "create", "root", "--password-file", "/dev/null"],
    ] {
        let address = format!("127.0.0.1:{}", free_port());
        let rejected = env.balance(command).env("LISTEN_ADDR", address).run();
        rejected.failed(&["balance restore complete", &user, &video]);
    }
}

/// Waits until an API process that was not stopped notices the restored database. Asserts that it
/// registers nothing and plays nothing, not even a cached video.
async fn assert_rejects(client: &Client, video: i64, token: &str) {
    let ready = || async {
        client
            .send("GET", "/health/ready", &[], None)
            .await
            .unwrap()
    };
    while ready().await.status == 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let reply = ready().await;
    assert!(reply.text.contains("balance restore complete"), "{reply:?}");
    let path = format!("/videos/{video}/play");
    client.request("POST", &path, token).await.is(503);
    let body = json!({"title": "a clip", "duration": 600});
    let reply = client.send_json("POST", "/videos", token, &body).await;
    assert!(reply.is(503).text.contains("restore"));
    let body = json!({"username": "eve", "password": "correct horse"});
    let reply = client.send("POST", "/join", &[], Some(&body)).await;
    assert!(reply.unwrap().is(503).text.contains("restore"));
}

#[test]
fn after_a_restore_each_owner_is_paid_for_their_own_plays() {
    assert!(is_installed("mariadb-dump"), "Debian's mariadb-client");
    let servers = Servers::shared();
    let midnight = Midnight::after_s(45);
    let env = TestEnv::empty(&servers)
        .with("JWT_SECRET", SECRET)
        .with("BUSINESS_TIMEZONE", &midnight.zone)
        .with("INTAKE_SHARDS", 1)
        .with("LEASE_S", 2)
        .with_viewers();
    env.balance(&["migrate"]).run().succeeded();
    let env = Rc::new(env);
    let server = api(&env);
    let fleet = Fleet::start(&env, 1);
    let client = server.client();
    let mut platform = Platform::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.sql");
    let viewers = ViewerRun::start(client.clone(), 6, 100, Duration::from_millis(10));
    let (alice, carol, old_clip) = block_on(async {
        let alice = platform.join(&client, "alice").await;
        let carol = platform.join(&client, "carol").await;
        let clip = platform.create(&client, &alice).await;
        platform.play(&client, clip, &[&carol.1]).await;
        (alice, carol, clip)
    });
    viewers.until_acknowledged(20);
    dump(&env, File::create(&file).unwrap());
    viewers.until_acknowledged(20);
    // Of after the dump. Mallory creates a clip, and neither plays nor is played.
    let (dave, new_clip) = block_on(async {
        let dave = platform.join(&client, "dave").await;
        let clip = platform.create(&client, &alice).await;
        let tokens: [&str; 2] = [&carol.1, &dave.1];
        platform.play(&client, clip, &tokens).await;
        platform.play(&client, old_clip, &[&dave.1]).await;
        play(&client, clip, &[&alice.1]).await;
        let of_dave = platform.create(&client, &dave).await;
        platform.play(&client, of_dave, &[&carol.1]).await;
        let mallory = platform.join(&client, "mallory").await;
        platform.create(&client, &mallory).await;
        (dave, clip)
    });
    let watched = viewers.finish();
    fleet.end();
    load(&env, File::open(&file).unwrap());
    block_on(assert_rejects(&client, old_clip, &carol.1));

    let highest = env.servers.redis.command(
        env.number,
        &[
            "HMGET",
            &format!("{{{}:u0}}:highest", env.identity()),
            "user",
            "video",
        ],
    );
    let highest: Vec<i64> = highest.iter().map(|id| id.parse().unwrap()).collect();
    assert!(
        highest[0] >= dave.0 && highest[1] >= new_clip,
        "{highest:?}"
    );
    assert_nothing_starts(&env, [highest[0], highest[1]]);

    // The workers of the dump.
    until("the registered workers to expire", || {
        let alive = "SELECT COUNT(*) FROM worker WHERE alive_until_micros > \
                     UNIX_TIMESTAMP(NOW(6)) * 1000000";
        env.database.number(alive) == 0
    });
    let complete = || env.balance(&["restore", "complete"]).run().succeeded();
    let completed = complete();
    // Both clips of after the dump that were played.
    assert!(completed.stdout.starts_with("2 videos"), "{completed:#?}");
    assert!(complete().stdout.starts_with("0 videos"));
    env.balance(&["events", "replay", "--without-ads"])
        .run()
        .succeeded();

    until("the API to be ready", || block_on(client.is_ready()));
    block_on(async {
        for (_, token) in [&alice, &carol, &dave] {
            let reply = client.request("GET", "/videos", token).await.is(401);
            assert_eq!(reply.json()["code"], "token-outdated");
        }
        let alice = (alice.0, client.login("alice").await);
        let bob = platform.join(&client, "bob").await;
        let again = platform.join(&client, "dave").await;
        let clip = platform.create(&client, &bob).await;
        play(&client, clip, &[&bob.1]).await;
        platform.play(&client, clip, &[&alice.1, &again.1]).await;
        platform.play(&client, new_clip, &[&bob.1, &again.1]).await;
        platform.play(&client, old_clip, &[&bob.1]).await;
        play(&client, new_clip, &[&alice.1]).await;
    });
    let fleet = Fleet::start(&env, 1);
    env.until_settled_last(&midnight.day.to_string());
    until_drained(&env, &servers.redis, watched.replies.acknowledged.len());
    fleet.end();
    server.end().succeeded();

    let listed = |ids: Vec<String>| ids.join(", ");
    let clips = listed(platform.plays.keys().map(ToString::to_string).collect());
    let of_run = env
        .database
        .rows(&format!("{HISTORY} WHERE video_id NOT IN ({clips})"));
    watched.replies.assert_persisted(&of_run);
    let paid = env.database.rows(&format!(
        "SELECT v.id, v.owner_id, s.view_count, r.view_revenue FROM video v \
         JOIN video_statistics s ON s.video_id = v.id \
         JOIN video_revenue r ON r.video_id = v.id AND r.date = s.date \
         WHERE v.id IN ({clips}) AND s.date = '{}' ORDER BY v.id",
        midnight.day
    ));
    let expected: Vec<String> = platform
        .plays
        .iter()
        .map(|(video, plays)| format!("{video}|{}|{plays}|{}", platform.owners[video], plays * 100))
        .collect();
    assert_eq!(paid, expected, "each view is 1.00 won");
    let skipped = "SELECT COUNT(*) FROM rejected_item";
    assert_eq!(env.database.number(skipped), 0);
    env.balance(&["verify"]).run().succeeded();
}
