//! A failover of Redis: two servers behind one address, of which one is the master. No process is
//! restarted.

use crate::{
    env::TestEnv,
    playback::service::{HISTORY, SECRET, api},
    worker::Fleet,
};
use balance_redis::RedisStream;
use balance_service::events::stream::EventStream;
use balance_test_support::{
    http::{Client, Reply, Server},
    process::{block_on, until},
    servers::{PASSWORD, Proxy, Redis, Servers},
    stream::identity,
};
use std::rc::Rc;

/// Two servers behind a proxy.
struct Pair {
    servers: [Redis; 2],
    proxy: Proxy,
    master: usize,
}

impl Pair {
    fn start() -> Self {
        let servers = [Redis::start(), Redis::start()];
        let proxy = Proxy::start(servers[0].port);
        let pair = Self {
            servers,
            proxy,
            master: 0,
        };
        pair.follow(1, 0);
        pair
    }

    fn url(&self, database: u32) -> String {
        format!(
            "redis://:{PASSWORD}@127.0.0.1:{}/{database}",
            self.proxy.port
        )
    }

    /// Makes a server a replica of the other one, and waits until it has the same data.
    fn follow(&self, number: usize, master: usize) {
        let port = self.servers[master].port.to_string();
        let replica = &self.servers[number];
        replica.command(0, &["CONFIG", "SET", "masterauth", PASSWORD]);
        replica.command(0, &["REPLICAOF", "127.0.0.1", &port]);
        self.until_up(number);
    }

    fn until_up(&self, replica: usize) {
        let replica = &self.servers[replica];
        until("the replica to follow its master", || {
            replica
                .command(0, &["INFO", "replication"])
                .iter()
                .any(|line| line.trim() == "master_link_status:up")
        });
    }

    /// Swaps the roles. The address still leads to the old master.
    fn swap_roles(&mut self) {
        let (old, new) = (self.master, 1 - self.master);
        self.servers[new].command(0, &["REPLICAOF", "NO", "ONE"]);
        self.follow(old, new);
        self.master = new;
    }

    /// Lets the address lead to the master.
    fn switch_address(&self) {
        self.proxy.switch(self.servers[self.master].port);
    }
}

fn play(client: &Client, video: i64, token: &str) -> Reply {
    block_on(client.request("POST", &format!("/videos/{video}/play"), token))
}

/// Returns why the API is not ready; `None` if it is ready.
pub(crate) fn not_ready(client: &Client) -> Option<String> {
    let reply = block_on(client.send("GET", "/health/ready", &[], None)).unwrap();
    (reply.status != 200).then(|| reply.json()["errors"].to_string())
}

fn metric(server: &Server, line: &str) -> bool {
    let reply = block_on(server.client().send("GET", "/metrics", &[], None));
    reply.unwrap().text.lines().any(|one| one == line)
}

#[test]
fn a_failover_of_redis_needs_no_restart_in_either_direction() {
    let servers = Servers::shared();
    let mut pair = Pair::start();
    let env = TestEnv::new(&servers);
    let url = pair.url(env.number);
    let env = env
        .without("REDIS_URL")
        .with("REDIS_URL", url)
        .with("JWT_SECRET", SECRET)
        .with("VIEW_WINDOW_S", 0);
    let env = Rc::new(env);
    let server = api(&env);
    let fleet = Fleet::start(&env, 1);
    let client = server.client();
    let (owner, viewer, video) = block_on(async {
        let (_, owner) = client.user("owner").await;
        let (_, viewer) = client.user("viewer").await;
        let video = client.video(&owner, "a film", 600).await;
        (owner, viewer, video)
    });
    drop(owner);
    let mut accepted = 0;
    let is_written = |plays: usize| {
        until("the event writer to persist the plays", || {
            env.database.rows(HISTORY).len() == plays
        });
    };
    play(&client, video, &viewer).is(200);
    accepted += 1;
    is_written(accepted);
    for direction in ["to the replica", "back"] {
        pair.swap_roles();
        until("the API to report the replica", || {
            not_ready(&client).is_some_and(|why| why.contains("Redis is a replica, not a master"))
        });
        let refused = play(&client, video, &viewer).is(503);
        assert!(refused.retry_after.is_some(), "{direction}: {refused:?}");
        assert_eq!(refused.json()["code"], "store-unavailable");
        for store in ["stream", "queue"] {
            let down = format!("balance_store_up{{store=\"{store}\"}} 0");
            until("the metrics to report the replica", || {
                metric(&server, &down)
            });
        }
        pair.switch_address();
        until("plays to be accepted by the new master", || {
            let reply = play(&client, video, &viewer);
            accepted += usize::from(reply.status == 200);
            reply.status == 200
        });
        until("the API to be ready again", || not_ready(&client).is_none());
        for store in ["stream", "queue"] {
            let up = format!("balance_store_up{{store=\"{store}\"}} 1");
            until("the metrics of the new master", || metric(&server, &up));
        }
        is_written(accepted);
    }
    // The consumer of notifications reads from the master, too.
    let identity = env.identity();
    let queue_key = |name: &str| format!("{{balance:{identity}}}:steps:{name}");
    let active = queue_key("active");
    let list = ["LLEN", &active];
    let master = &pair.servers[pair.master];
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    master.command(env.number, &["HSET", &queue_key("data"), id, "nonsense"]);
    let metadata = queue_key(&format!("meta:{id}"));
    master.command(
        env.number,
        &[
            "HSET",
            &metadata,
            "attempts",
            "0",
            "max_attempts",
            "1",
            "status",
            "Pending",
        ],
    );
    master.command(env.number, &["RPUSH", &active, id]);
    until("the consumer to receive a notification", || {
        master.command(env.number, &list) == ["0"]
    });
    fleet.end();
    server.end().succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_to_a_replica_that_lags_is_noticed() {
    for lags in [false, true] {
        let mut pair = Pair::start();
        let link = Proxy::start(pair.servers[0].port);
        pair.servers[1].command(0, &["REPLICAOF", "127.0.0.1", &link.port.to_string()]);
        pair.until_up(1);
        let stream = RedisStream::open(&pair.url(0), identity(), 1).unwrap();
        stream.create().await.unwrap();
        assert_eq!(stream.lost_bytes().await.unwrap(), 0);
        let offset = |server: usize| {
            let info = pair.servers[server].command(0, &["INFO", "replication"]);
            let lines = info.iter().filter_map(|line| line.split_once(':'));
            let mut of_name = lines.filter(|(name, _)| *name == "master_repl_offset");
            of_name.next().unwrap().1.trim().parse::<u64>().unwrap()
        };
        until("the replica to have all", || offset(0) == offset(1));
        link.mute(lags);
        pair.servers[0].command(0, &["SET", "key", "value"]);
        if !lags {
            until("the replica to have all", || offset(0) == offset(1));
        }
        assert_eq!(stream.lost_bytes().await.unwrap(), 0);
        pair.servers[0].daemon.kill();
        pair.servers[1].command(0, &["REPLICAOF", "NO", "ONE"]);
        pair.master = 1;
        pair.switch_address();
        let mut lost = None;
        while lost.is_none() {
            lost = stream.lost_bytes().await.ok();
        }
        assert_eq!(lost.unwrap() > 0, lags, "{lost:?}");
        assert_eq!(stream.lost_bytes().await.unwrap(), 0, "reported once");
    }
}

#[test]
fn a_redis_without_memory_is_named_and_recovers_by_itself() {
    let servers = Servers::start();
    let env = TestEnv::new(&servers)
        .with("JWT_SECRET", SECRET)
        .with("VIEW_WINDOW_S", 0);
    let env = Rc::new(env);
    let server = api(&env);
    let fleet = Fleet::start(&env, 1);
    let client = server.client();
    let (viewer, video) = block_on(async {
        let (_, owner) = client.user("owner").await;
        let (_, viewer) = client.user("viewer").await;
        (viewer, client.video(&owner, "a film", 600).await)
    });
    play(&client, video, &viewer).is(200);
    let set_limit = |limit: &str| {
        let set = ["CONFIG", "SET", "maxmemory", limit];
        servers.redis.command(env.number, &set);
    };
    set_limit("1mb");
    until("the API to name the cause", || {
        not_ready(&client).is_some_and(|why| why.contains("Redis is out of memory"))
    });
    let refused = play(&client, video, &viewer).is(503);
    assert!(refused.retry_after.is_some(), "{refused:?}");
    set_limit("0");
    until("the API to be ready again", || not_ready(&client).is_none());
    play(&client, video, &viewer).is(200);
    until("the event writer to persist the plays", || {
        env.database.rows(HISTORY).len() == 2
    });
    fleet.end();
    server.end().succeeded();
}
