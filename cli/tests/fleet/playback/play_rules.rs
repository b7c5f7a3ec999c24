//! The rules of plays in a fleet: each event carries what was decided when it happened, and running
//! processes take up new rules.

use crate::{
    env::TestEnv,
    playback::service::{SECRET, api, until_drained},
    worker::Fleet,
};
use balance_test_support::{
    http::Client,
    process::{block_on, free_port, until},
    servers::{Proxy, Servers},
};
use std::rc::Rc;

const ADS: &str = "SELECT slot_s, ad_id FROM ad_history ORDER BY user_id, slot_s";

fn env(settings: &[(&'static str, &str)]) -> Rc<TestEnv> {
    let env = TestEnv::new(&Servers::shared())
        .with("JWT_SECRET", SECRET)
        .with("LEASE_S", 2);
    let with = |env: TestEnv, (name, value): &(&'static str, &str)| env.with(name, value);
    Rc::new(settings.iter().fold(env, with))
}

/// A new viewer watches the first 130 seconds of a video.
async fn watch(client: &Client, video: i64, name: &str) {
    let (_, viewer) = client.user(name).await;
    let play = format!("/videos/{video}/play");
    client.request("POST", &play, &viewer).await.is(200);
    let pause = format!("/videos/{video}/pause?currentPlayedAt=130");
    client.request("POST", &pause, &viewer).await.is(200);
}

async fn video(client: &Client) -> i64 {
    let (_, owner) = client.user("owner").await;
    client.video(&owner, "film", 600).await
}

fn register_ad(env: &TestEnv) {
    env.database
        .execute("INSERT INTO ad (id, title, created_at) VALUES (3, 'ad', NOW(6))");
}

/// Returns the ads and the rules of the newest entry, if it is a pause.
fn newest_pause(env: &TestEnv) -> Vec<String> {
    let key = env.stream(0);
    let command = ["XREVRANGE", &key, "+", "-", "COUNT", "1"];
    let mut fields = env.servers.redis.command(env.number, &command);
    let ads = fields.iter().position(|field| field == "ads");
    let mut fields = fields.split_off(ads.unwrap_or(fields.len()));
    fields.truncate(4);
    fields
}

/// New viewers watch until a pause has these fields.
fn until_pause_has(env: &TestEnv, client: &Client, video: i64, name: &str, fields: [&str; 4]) {
    let mut viewers = 0;
    until("the API to read the database", || {
        viewers += 1;
        block_on(watch(client, video, &format!("{name}{viewers}")));
        newest_pause(env) == fields
    });
}

#[test]
fn an_ad_that_is_registered_after_a_pause_is_not_shown_by_it() {
    let env = env(&[("AD_INTERVAL_S", "60"), ("MAX_PLAYBACK_RATE", "0")]);
    let server = api(&env);
    let client = server.client();
    let video = block_on(video(&client));
    block_on(watch(&client, video, "first"));
    register_ad(&env);
    let fleet = Fleet::start(&env, 1);
    until_drained(&env, &env.servers.redis, 2);
    assert_eq!(env.database.rows(ADS), [""; 0]);
    let shown = ["ads", "60:3,120:3", "rules", "1"];
    until_pause_has(&env, &client, video, "later", shown);
    until_drained(&env, &env.servers.redis, 4);
    fleet.end();
    server.end().succeeded();
    let before = env.database.rows(ADS);
    assert_eq!(before[..2], ["60|3", "120|3"]);
    // A replay into a database that has lost the events shows the same ads.
    env.database.execute("DELETE FROM play_history");
    env.database.execute("DELETE FROM ad_history");
    env.balance(&["events", "replay"]).run().succeeded();
    assert_eq!(env.database.rows(ADS), before);
    env.balance(&["verify"]).run().succeeded();
}

#[test]
fn an_interval_that_changes_before_an_event_is_written_does_not_change_it() {
    let env = env(&[]);
    register_ad(&env);
    let set = |interval: &str| {
        let set = ["rules", "set", "--ad-interval-s", interval];
        let outcome = env.balance(&set).run().succeeded();
        assert!(outcome.stderr.contains("AD_INTERVAL_S"), "{outcome:#?}");
    };
    let rate = ["rules", "set", "--max-playback-rate", "0"];
    env.balance(&rate).run().succeeded();
    set("60");
    let server = api(&env);
    let client = server.client();
    let video = block_on(video(&client));
    block_on(watch(&client, video, "first"));
    set("100");
    // The running API uses the new rules without a restart.
    until_pause_has(
        &env,
        &client,
        video,
        "later",
        ["ads", "100:3", "rules", "4"],
    );
    // Redis also has an entry of an earlier version, which names neither ads nor rules.
    let key = env.stream(0);
    let id = "0123456789abcdef0123456789abcdef";
    let (number, viewer) = (video.to_string(), i64::MAX.to_string());
    let earlier = [
        "XADD", &key, "*", "id", id, "kind", "pause", "user", &viewer, "video", &number, "from",
        "0", "credited", "250", "reported", "250",
    ];
    env.servers.redis.command(env.number, &earlier);
    let fleet = Fleet::start(&env, 1);
    until_drained(&env, &env.servers.redis, 5);
    fleet.end();
    server.end().succeeded();
    let shown = |user: &str| {
        let of_user =
            format!("SELECT slot_s, ad_id FROM ad_history WHERE user_id = {user} ORDER BY 1");
        env.database.rows(&of_user)
    };
    let first = "(SELECT id FROM users WHERE username = 'first')";
    assert_eq!(shown(first), ["60|3", "120|3"]);
    assert_eq!(shown(&viewer), ["100|3", "200|3"], "by the newest rules");
    let versions = "SELECT DISTINCT rules_version FROM play_history ORDER BY 1";
    let versions = env.database.rows(versions);
    assert_eq!(
        (&versions[..2], versions.last().unwrap().as_str()),
        (&["0".to_owned(), "3".to_owned()][..], "4")
    );
    env.balance(&["verify"]).run().succeeded();
}

#[test]
fn during_an_outage_of_the_database_the_last_rules_stay_and_a_change_follows() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers);
    let (_, name) = env.database.url.rsplit_once('/').unwrap();
    let connections = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'limited' AND DB = '{name}'"
    );
    let proxy = Proxy::start(servers.mariadb.port);
    let through = servers.mariadb.limited_address().replace(
        &format!(":{}", servers.mariadb.port),
        &format!(":{}", proxy.port),
    );
    let (direct, through) = (env.database.url.clone(), format!("{through}/{name}"));
    let env = env
        .without("DATABASE_URL")
        .with("DATABASE_URL", through)
        .with("JWT_SECRET", SECRET)
        .with("LEASE_S", 2)
        .with("AD_INTERVAL_S", 60)
        .with("MAX_PLAYBACK_RATE", 0);
    register_ad(&env);
    let env = Rc::new(env);
    let server = api(&env);
    let client = server.client();
    let (video, viewer) = block_on(async {
        let video = video(&client).await;
        watch(&client, video, "first").await;
        (video, client.user("second").await.1)
    });
    let decided = ["ads", "60:3,120:3", "rules", "1"];
    assert_eq!(newest_pause(&env), decided);

    // No server listens there, and the open connections end while they are used or idle.
    proxy.switch(free_port());
    for id in env.database.rows(&connections) {
        env.database.try_rows(&format!("KILL {id}"));
    }
    let failures = || {
        let log = server.stderr();
        log.matches("failed to read the play rules").count()
    };
    until("the feed to fail", || failures() == 1);
    let set = ["rules", "set", "--ad-interval-s", "100"];
    let set = env.balance(&set).env("DATABASE_URL", direct);
    set.env("AD_INTERVAL_S", 60).run().succeeded();
    block_on(async {
        let play = format!("/videos/{video}/play");
        client.request("POST", &play, &viewer).await.is(200);
        let pause = format!("/videos/{video}/pause?currentPlayedAt=130");
        client.request("POST", &pause, &viewer).await.is(200);
    });
    assert_eq!(newest_pause(&env), decided);
    assert_eq!(failures(), 1, "one line for the outage");

    proxy.switch(servers.mariadb.port);
    until("the API to be ready again", || block_on(client.is_ready()));
    let changed = ["ads", "100:3", "rules", "2"];
    until_pause_has(&env, &client, video, "later", changed);
    assert_eq!(failures(), 1);
    server.end().succeeded();
}

#[test]
fn processes_with_other_rules_than_the_stored_ones_are_rejected() {
    let env = env(&[]);
    let of_others = |args: &[&str]| env.balance(args).env("AD_INTERVAL_S", 60).run();
    env.balance(&["settle"]).run().succeeded();
    for command in [
        &["settle"][..],
        &["events", "replay"],
        &["api"],
        &["worker"],
        &["serve"],
        &["import", "-"],
    ] {
        let words = [
            "AD_INTERVAL_S: 60",
            "from 300",
            "balance rules set --ad-interval-s 60",
        ];
        of_others(command).failed(&words);
    }
    let stored = "SELECT version, view_window_s, ad_interval_s, max_playback_rate FROM play_rules";
    assert_eq!(env.database.rows(stored), ["1|30|300|2000"]);
    of_others(&["migrate"]).succeeded();
    of_others(&["workers"]).succeeded();
}
