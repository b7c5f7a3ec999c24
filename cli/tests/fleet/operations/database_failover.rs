//! A failover of the database: the server that the processes are connected to accepts no writes, then
//! does again. No process is restarted.

use crate::{
    env::TestEnv,
    operations::redis_failover::not_ready,
    playback::service::{HISTORY, SECRET, api},
    plays,
    worker::Fleet,
};
use balance_test_support::{
    process::{block_on, until},
    servers::{Database, PASSWORD, Proxy, Servers},
};
use std::rc::Rc;

const DAY: &str = "2024-03-30";

/// The connections of the processes.
const CONNECTIONS: &str = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'limited'";

#[test]
fn a_failover_of_the_database_needs_no_restart_in_either_direction() {
    let servers = Servers::start();
    let admin = Database::new(format!("{}/mysql", servers.mariadb.address(PASSWORD)));
    let set_read_only = |on: u8| admin.execute(&format!("SET GLOBAL read_only = {on}"));
    let env = TestEnv::new(&servers);
    let (_, name) = env.database.url.rsplit_once('/').unwrap();
    // The option does not restrict a user with the right READ_ONLY ADMIN.
    let url = format!("{}/{name}", servers.mariadb.limited_address());
    let env = env
        .without("DATABASE_URL")
        .with("DATABASE_URL", url)
        .with("JWT_SECRET", SECRET)
        .with("PARTITIONS", 8)
        .with("CHUNK_SIZE", 2)
        .with("LEASE_S", 2)
        .with("VIEW_WINDOW_S", 0);
    env.import(&plays::day(DAY, 2_000));
    let env = Rc::new(env);
    let server = api(&env);
    let client = server.client();
    let (owner, viewer, video) = block_on(async {
        let (_, owner) = client.user("owner").await;
        let (_, viewer) = client.user("viewer").await;
        let video = client.video(&owner, "a film", 600).await;
        (owner, viewer, video)
    });
    let play = format!("/videos/{video}/play");
    let fleet = Fleet::start(&env, 2);
    let chunks = "SELECT SUM(COMMIT_COUNT) FROM BATCH_STEP_EXECUTION WHERE STEP_NAME LIKE '%:%'";
    for direction in ["away", "again"] {
        until("some chunks to be committed", || {
            env.database.rows(chunks)[0].parse().unwrap_or(0) > 10
        });
        let before = admin.rows(CONNECTIONS);
        set_read_only(1);
        until("the API to report the option", || {
            not_ready(&client).is_some_and(|why| {
                why.contains("the database accepts no writes (the server has read_only)")
            })
        });
        let title = serde_json::json!({"title": "another film", "duration": 600});
        let refused = block_on(client.send_json("POST", "/videos", &owner, &title)).is(503);
        assert!(refused.retry_after.is_some(), "{direction}: {refused:?}");
        assert_eq!(refused.json()["code"], "store-unavailable", "{direction}");
        // Plays of a cached video continue.
        let accepted = env.database.rows(HISTORY).len() + 1;
        block_on(client.request("POST", &play, &viewer)).is(200);
        until("all connections to be replaced", || {
            let now = admin.rows(CONNECTIONS);
            // Of an idle pool, only the connections that are used again are replaced.
            before.iter().any(|one| !now.contains(one))
        });
        let failed = "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION WHERE STATUS = 'FAILED'";
        assert_eq!(env.database.number(failed), 0, "{direction}");
        set_read_only(0);
        until("the API to be ready again", || not_ready(&client).is_none());
        block_on(client.send_json("POST", "/videos", &owner, &title)).is(201);
        until("the event writer to persist the play", || {
            env.database.rows(HISTORY).len() == accepted
        });
    }
    env.until_settled(1, "the day after two failovers");
    env.assert_all_complete(1, "the day after two failovers");
    fleet.end();
    server.end().succeeded();
    env.balance(&["verify"]).run().succeeded();
}

#[test]
fn after_a_failover_every_process_uses_the_server_that_the_address_names() {
    let servers = Servers::start();
    let other = Servers::start();
    let proxy = Proxy::start(servers.mariadb.port);
    let env = TestEnv::new(&servers);
    let (_, name) = env.database.url.rsplit_once('/').unwrap();
    let address = servers.mariadb.limited_address();
    let through = address.replace(
        &format!(":{}", servers.mariadb.port),
        &format!(":{}", proxy.port),
    );
    let url = format!("{through}/{name}");
    // The other server has the same schema, and no rows.
    let twin = format!("{}/{name}", other.mariadb.address(PASSWORD));
    let admins = [&servers, &other]
        .map(|one| Database::new(format!("{}/mysql", one.mariadb.address(PASSWORD))));
    admins[1].execute(&format!("CREATE DATABASE {name}"));
    env.balance(&["migrate"])
        .env("DATABASE_URL", &twin)
        .run()
        .succeeded();
    let env = env
        .without("DATABASE_URL")
        .with("DATABASE_URL", url)
        .with("JWT_SECRET", SECRET)
        .with("LEASE_S", 2);
    let env = Rc::new(env);
    let server = api(&env);
    let client = server.client();
    let fleet = Fleet::start(&env, 1);
    let registered = |name: &str| {
        let worker = &fleet.workers[0].name;
        let sql = format!("SELECT COUNT(*) FROM {name}.worker WHERE name = '{worker}'");
        admins.each_ref().map(|admin| admin.number(&sql) == 1)
    };
    assert_eq!(registered(name_of(&env)), [true, false]);
    for (old, new) in [(0, 1), (1, 0)] {
        // A replica that lags would be rejected: it would assign ids of the old server again.
        let sequence = format!("{}.next_id", name_of(&env));
        let next = admins[old].value(&format!("SELECT id FROM {sequence} WHERE name = 'users'"));
        admins[new].execute(&format!(
            "UPDATE {sequence} SET id = {next} WHERE name = 'users'"
        ));
        // The old server still answers, and accepts no writes.
        admins[old].execute("SET GLOBAL read_only = 1");
        let port = [servers.mariadb.port, other.mariadb.port][new];
        proxy.switch(port);
        admins[old].execute(&format!("DELETE FROM {}.worker", name_of(&env)));
        until("the worker to be registered on the new server", || {
            registered(name_of(&env))[new]
        });
        until("the API to be ready", || not_ready(&client).is_none());
        let user = format!("user{new}");
        block_on(client.user(&user));
        let joined = format!(
            "SELECT COUNT(*) FROM {}.users WHERE username = '{user}'",
            name_of(&env)
        );
        assert_eq!(admins[new].number(&joined), 1, "{user}");
        assert_eq!(admins[old].number(&joined), 0, "{user}");
        admins[old].execute("SET GLOBAL read_only = 0");
    }
    fleet.end();
    server.end().succeeded();
}

/// Returns the name of the environment's database.
fn name_of(env: &TestEnv) -> &str {
    let (_, name) = env.database.url.rsplit_once('/').unwrap();
    name
}
