//! The restore of an SQLite database: ids never come back, and tokens of before are not valid.

use crate::env::{TestEnv, block_on};
use balance_test_support::http::{Client, SET_VIEWER_RULES, Server, ViewerRun};
use serde_json::{Value, json};
use std::{collections::HashSet, fs, rc::Rc, time::Duration};

fn serve(env: &Rc<TestEnv>) -> Server {
    let env = Rc::clone(env);
    Server::start(move || env.balance(&["serve"]))
}

/// Logs a user in; returns the access token and the refresh token.
async fn login(client: &Client, username: &str) -> [String; 2] {
    let body = json!({"username": username, "password": "correct horse"});
    let reply = client.send("POST", "/login", &[], Some(&body)).await;
    let tokens = reply.unwrap().is(200).json();
    ["accessToken", "refreshToken"].map(|name| tokens[name].as_str().unwrap().to_owned())
}

async fn reissue(client: &Client, refresh_token: &str) -> u16 {
    let body: Value = json!({"refreshToken": refresh_token});
    let reply = client.send("POST", "/reissue", &[], Some(&body)).await;
    reply.unwrap().status
}

async fn play(client: &Client, video: i64, token: &str) -> u16 {
    let path = format!("/videos/{video}/play");
    client.request("POST", &path, token).await.status
}

/// Asserts that tokens of before a restore are rejected, with a code of their own.
async fn assert_logged_out(client: &Client, [access, refresh]: &[String; 2]) {
    let reply = client.request("GET", "/videos", access).await.is(401);
    assert_eq!(reply.json()["code"], "token-outdated");
    assert_eq!(reissue(client, refresh).await, 401);
}

/// Replaces the database by a backup, as docs/operations.md describes.
fn replace(env: &TestEnv, backup: &str) {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let _ = fs::remove_file(env.folder().join(format!("balance.db{suffix}")));
    }
    fs::copy(backup, env.database()).unwrap();
}

#[test]
fn ids_never_come_back_and_users_log_in_again_after_a_restore() {
    let env = Rc::new(TestEnv::empty());
    env.balance(&["migrate"]).run().succeeded();
    env.balance(&SET_VIEWER_RULES).run().succeeded();
    let server = serve(&env);
    let client = server.client();
    let viewers = ViewerRun::start(client.clone(), 6, 60, Duration::from_millis(2));
    let (alice_id, _) = block_on(client.user("alice"));
    let alice = block_on(login(&client, "alice"));
    let clip = block_on(client.video(&alice[0], "before", 600));
    viewers.until_acknowledged(20);
    let backup = env.folder().join("backup.db").display().to_string();
    env.balance(&["backup", &backup]).run().succeeded();
    viewers.until_acknowledged(20);
    // Of after the backup: an account and a video whose ids the backup does not know.
    let (mallory_id, _) = block_on(client.user("mallory"));
    let mallory = block_on(login(&client, "mallory"));
    let lost = block_on(client.video(&alice[0], "after", 600));
    assert_eq!(block_on(play(&client, lost, &mallory[0])), 200);
    viewers.finish();
    server.end().succeeded();

    let mut seen = HashSet::from([
        ("user", alice_id),
        ("user", mallory_id),
        ("video", clip),
        ("video", lost),
    ]);
    let mut tokens = vec![alice, mallory];
    for _ in 0..2 {
        // The same backup twice: the tokens of between are not valid either.
        replace(&env, &backup);
        let before = fs::read(env.database()).unwrap();
        env.balance(&["verify"]).run().succeeded();
        assert!(fs::read(env.database()).unwrap() == before, "only read");
        let server = serve(&env);
        let stderr = server.stderr();
        assert!(stderr.contains("completed the restore"), "{stderr}");
        let client = server.client();
        tokens.push(block_on(async {
            for tokens in &tokens {
                assert_logged_out(&client, tokens).await;
            }
            let alice = login(&client, "alice").await;
            assert_eq!(reissue(&client, &alice[1]).await, 200);
            let (bob_id, bob) = client.user("bob").await;
            let video = client.video(&bob, "of bob", 600).await;
            assert_eq!(play(&client, video, &bob).await, 200, "not a view");
            assert_eq!(play(&client, video, &alice[0]).await, 200);
            assert_eq!(play(&client, clip, &bob).await, 200);
            assert_eq!(play(&client, lost, &bob).await, 404);
            for (kind, id) in [("user", bob_id), ("video", video)] {
                assert!(seen.insert((kind, id)), "{kind} {id} was assigned before");
                assert!(id < 9_007_199_254_740_991, "{id}");
            }
            alice
        }));
        server.end().succeeded();
        let owners = "SELECT v.title, h.user_id = v.owner_id, h.counted FROM play_history h \
                      JOIN video v ON v.id = h.video_id WHERE v.title = 'of bob' \
                      ORDER BY h.counted";
        assert_eq!(env.rows(owners), ["of bob|1|0", "of bob|0|1"]);
        let audit = "SELECT COUNT(*) FROM audit WHERE action = 'COMPLETE_RESTORE'";
        assert_eq!(env.value(audit), "1", "the second start restores nothing");
        env.balance(&["verify"]).run().succeeded();
    }
}

#[test]
fn the_restore_of_a_copy_that_another_program_made_is_completed_by_a_command() {
    let env = Rc::new(TestEnv::empty());
    let server = serve(&env);
    let client = server.client();
    let copy = env.folder().join("copy.db");
    block_on(client.user("alice"));
    let tokens = block_on(login(&client, "alice"));
    // Another process uses the database.
    let complete = || env.balance(&["restore", "complete"]).run();
    complete().failed(&["stop"]);
    server.end().succeeded();
    fs::copy(env.database(), &copy).unwrap();
    let server = serve(&env);
    let (lost, _) = block_on(server.client().user("lost"));
    server.end().succeeded();
    replace(&env, &copy.display().to_string());
    let completed = complete().succeeded();
    assert!(completed.stdout.contains("completed the restore"));
    // It can be repeated, and one of a backup that opening has completed is not done twice.
    complete().succeeded();
    let audit = "SELECT COUNT(*) FROM audit WHERE action = 'COMPLETE_RESTORE'";
    assert_eq!(env.value(audit), "2");
    let backup = env.folder().join("backup.db").display().to_string();
    env.balance(&["backup", &backup]).run().succeeded();
    replace(&env, &backup);
    complete().succeeded();
    assert_eq!(env.value(audit), "3");
    let server = serve(&env);
    let client = server.client();
    block_on(async {
        assert_logged_out(&client, &tokens).await;
        let (id, _) = client.user("bob").await;
        assert!(id > lost, "{id}");
    });
    server.end().succeeded();
}
