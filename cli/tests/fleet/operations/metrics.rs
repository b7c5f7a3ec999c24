//! The metrics of each process are those of the documentation.

use crate::{env::TestEnv, playback::service as playback, plays, worker::Worker};
use balance_test_support::{
    http::Server,
    process::{block_on, free_port, until},
    servers::Servers,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

const PAGE: &str = include_str!("../../../../docs/observability.md");
const DAY: &str = "2024-03-30";

/// A metric: its type and the names of its labels.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// Returns the documented metrics of a role.
fn documented(role: &str) -> Metrics {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `balance_"));
    let words = |cell: &str| -> BTreeSet<String> {
        let all = cell.split(',').map(|word| word.trim().trim_matches('`'));
        all.filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, kind, labels, roles, meaning, action, _] = cells[..] else {
            panic!("{row}");
        };
        assert!(!meaning.is_empty(), "{row}");
        let _ = action;
        words(roles).contains(role).then(|| {
            let name = name.trim_matches('`').to_owned();
            (name, (kind.to_owned(), words(labels)))
        })
    })
    .collect()
}

/// Returns the metrics of a scrape that have samples.
fn exported(text: &str) -> Metrics {
    let kinds: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let mut all = Metrics::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (sample, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .filter(|base| kinds.contains_key(base))
            .unwrap_or(name);
        let kind = kinds.get(base).unwrap_or_else(|| panic!("{line}"));
        let labels = labels.trim_end_matches('}').split(',');
        let labels = labels.filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        let entry = all.entry(base.to_owned());
        let entry = entry.or_insert_with(|| ((*kind).to_owned(), BTreeSet::new()));
        entry.1.extend(labels.filter(|label| label != "le"));
    }
    all
}

fn value(text: &str, sample: &str) -> Option<f64> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

fn scrape(server: &Server) -> String {
    let reply = block_on(server.client().send("GET", "/metrics", &[], None));
    reply.unwrap().is(200).text
}

/// A viewer plays twice, and requests an unknown path.
fn play(server: &Server) {
    let client = server.client();
    let (_, owner) = block_on(client.user("owner"));
    let (_, viewer) = block_on(client.user("viewer"));
    let video = block_on(client.video(&owner, "a film", 600));
    let path = format!("/videos/{video}/play");
    block_on(client.request("POST", &path, &viewer)).is(200);
    block_on(client.request("POST", &path, &viewer)).is(429);
    block_on(client.request("GET", "/nothing", &viewer)).is(404);
}

#[test]
fn the_metrics_of_a_fleet_are_documented() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers)
        .with("JWT_SECRET", playback::SECRET)
        .with("PARTITIONS", 4);
    env.import(&plays::day(DAY, 20));
    let env = Rc::new(env);
    let api = playback::api(&env);
    let address = format!("127.0.0.1:{}", free_port());
    let call = env.balance(&["worker"]).env("METRICS_ADDR", &address);
    let worker = Worker::start(&env, call);
    play(&api);
    playback::until_drained(&env, &servers.redis, 21);
    env.until_settled_last(DAY);
    let client = balance_test_support::http::Client::new(&format!("http://{address}"));
    let get = |path: &str| block_on(client.send("GET", path, &[], None)).unwrap();
    get("/health/live").is(200);
    let problem: serde_json::Value = serde_json::from_str(&get("/videos").is(404).text).unwrap();
    let page = problem["type"].as_str().unwrap();
    let (path, anchor) = page.split_once('#').unwrap();
    let errors = get(path).is(200).text;
    assert!(errors.contains(&format!("id=\"{anchor}\"")), "{page}");
    let of_worker = get("/metrics").is(200).text;
    let mut of_api = String::new();
    // The snapshot is cached for a second.
    until("the settled day in the metrics", || {
        of_api = scrape(&api);
        value(&of_api, "balance_running_executions") == Some(0.0)
            && value(&of_api, "balance_settled_until_timestamp_seconds").is_some()
    });
    assert_eq!(exported(&of_api), documented("api"));
    assert_eq!(exported(&of_worker), documented("worker"));
    // 2024-03-30 ends at 15:00 UTC. Later days are open.
    let end_of = |name: &str| value(&of_api, &format!("balance_{name}_until_timestamp_seconds"));
    assert_eq!(end_of("closed"), Some(1_711_810_800.0));
    assert_eq!(end_of("settled"), end_of("closed"), "{of_api}");
    for (sample, expected) in [
        ("balance_workers", 1.0),
        ("balance_event_writer_waiting_entries{shard=\"0\"}", 0.0),
        ("balance_store_up{store=\"stream\"}", 1.0),
        (
            "balance_intake_requests_total{command=\"play\",outcome=\"repeat\"}",
            1.0,
        ),
    ] {
        assert_eq!(value(&of_api, sample), Some(expected), "{sample}");
    }
    let new = "balance_event_writer_entries_total{outcome=\"new\"}";
    assert_eq!(value(&of_worker, new), Some(1.0));
    // Three partitioned steps of four partitions, and the tasklet.
    let ended = "balance_worker_claims_total{outcome=\"ended\"}";
    assert!(value(&of_worker, ended) >= Some(13.0), "{of_worker}");

    // Without workers the entries wait, and the metrics show it.
    worker.end().succeeded();
    let client = api.client();
    let viewer = block_on(client.login("viewer"));
    let video = block_on(client.request("GET", "/videos?title=a+film", &viewer)).is(200);
    let id = video.json()["items"][0]["videoId"].as_i64().unwrap();
    let pause = format!("/videos/{id}/pause?currentPlayedAt=1");
    block_on(client.request("POST", &pause, &viewer)).is(200);
    until("the lag in the metrics", || {
        let text = scrape(&api);
        value(&text, "balance_event_writer_waiting_entries{shard=\"0\"}") == Some(1.0)
            && value(&text, "balance_workers") == Some(0.0)
    });
    api.end().succeeded();
}

#[test]
fn the_metrics_of_one_process_are_documented() {
    let servers = Servers::shared();
    let env = TestEnv::empty(&servers)
        .without("DATABASE_URL")
        .without("REDIS_URL")
        .with("DATABASE_URL", "sqlite://balance.db");
    env.import(&plays::day(DAY, 20));
    let env = Rc::new(env);
    let of_server = Rc::clone(&env);
    let server = Server::start(move || of_server.balance(&["serve"]));
    play(&server);
    let mut text = String::new();
    until("the day to be settled", || {
        text = scrape(&server);
        value(&text, "balance_settled_until_timestamp_seconds").is_some()
            && value(&text, "balance_running_executions") == Some(0.0)
    });
    assert_eq!(exported(&text), documented("serve"));
    server.end().succeeded();
}

#[test]
fn without_its_servers_the_api_reports_them_as_unavailable() {
    let servers = Servers::start();
    let env = TestEnv::new(&servers).with("JWT_SECRET", playback::SECRET);
    let env = Rc::new(env);
    let api = playback::api(&env);
    let (_, user) = block_on(api.client().user("user"));
    let up = |text: &str| {
        ["database", "queue", "stream"].map(|store| {
            let sample = format!("balance_store_up{{store=\"{store}\"}}");
            value(text, &sample)
        })
    };
    assert_eq!(up(&scrape(&api)), [Some(1.0); 3]);
    // Frozen servers do not answer.
    servers.redis.daemon.signal("STOP");
    servers.mariadb.daemon.signal("STOP");
    until("all servers to be reported as unavailable", || {
        up(&scrape(&api)) == [Some(0.0); 3]
    });
    // A failed request has one log line with its request ID.
    let failed = block_on(api.client().request("GET", "/videos", &user)).is(503);
    let id = failed.json()["requestId"].as_str().unwrap().to_owned();
    let log = api.stderr();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("operation=\"listVideos\""), "{lines:?}");
    servers.redis.daemon.signal("CONT");
    servers.mariadb.daemon.signal("CONT");
    until("all servers to be available", || {
        up(&scrape(&api)) == [Some(1.0); 3]
    });
    api.end().succeeded();
}
