//! Job control over HTTP on a fleet: each command in the states that accept it and that reject it.

use crate::{env::TestEnv, playback::service as playback, plays, worker::Fleet};
use balance_test_support::{
    http::{Client, Reply, Server},
    process::{block_on, until},
    servers::Servers,
};
use serde_json::{Value, json};
use std::rc::Rc;

const FIRST: &str = "2024-03-30";
const SECOND: &str = "2024-03-31";
const VIDEOS: u64 = 60;

/// The API of a fleet with two unsettled days, and an admin.
struct TestApp {
    env: Rc<TestEnv>,
    server: Server,
    client: Client,
    admin: String,
}

impl TestApp {
    fn new() -> Self {
        let env = TestEnv::new(&Servers::shared())
            .with("JWT_SECRET", playback::SECRET)
            .with("PARTITIONS", 4)
            .with("CHUNK_SIZE", 5)
            .with("LEASE_S", 2);
        env.import(&plays::day(FIRST, VIDEOS));
        env.import(&plays::day(SECOND, VIDEOS));
        let env = Rc::new(env);
        let server = playback::api(&env);
        let client = server.client();
        let app = Self {
            admin: String::new(),
            env,
            server,
            client,
        };
        let admin = app.admin("boss");
        Self { admin, ..app }
    }

    /// Creates an admin; returns an access token.
    fn admin(&self, name: &str) -> String {
        block_on(self.client.user(name));
        self.env
            .balance(&["admin", "grant", name])
            .run()
            .succeeded();
        block_on(self.client.login(name))
    }

    fn get(&self, path: &str) -> Reply {
        block_on(self.client.request("GET", path, &self.admin))
    }

    fn post(&self, path: &str) -> Reply {
        block_on(self.client.request("POST", path, &self.admin))
    }

    fn launch(&self, date: &str) -> Reply {
        let body = json!({ "date": date });
        let path = "/jobs/dayStatisticsJob/executions";
        block_on(self.client.send_json("POST", path, &self.admin, &body))
    }

    /// Sends a command for an execution.
    fn command(&self, id: i64, command: &str) -> Reply {
        self.post(&format!("/jobs/executions/{id}/{command}"))
    }

    fn status(&self, id: i64) -> String {
        let progress = self.get(&format!("/jobs/executions/{id}")).is(200).json();
        progress["execution"]["status"].as_str().unwrap().to_owned()
    }

    fn until(&self, id: i64, status: &str) {
        until(status, || self.status(id) == status);
    }
}

/// Asserts that a request is accepted; returns the ID of the execution.
#[track_caller]
fn accepted(reply: Reply) -> i64 {
    let reply = reply.is(202);
    let id = reply.json()["id"].as_i64().unwrap();
    assert_eq!(reply.location, Some(format!("/jobs/executions/{id}")));
    id
}

#[track_caller]
fn assert_rejected(reply: Reply, status: u16, code: &str) {
    let reply = reply.is(status);
    assert_eq!(reply.json()["code"], code, "{reply:?}");
}

#[test]
fn executions_are_launched_stopped_restarted_and_abandoned() {
    let app = TestApp::new();
    assert_rejected(app.launch("2999-01-01"), 409, "day-not-over");
    assert_rejected(app.launch(SECOND), 409, "earlier-day-unsettled");
    assert_rejected(app.post("/jobs/otherJob/executions"), 404, "no-such-job");
    assert_rejected(app.launch("2024-02-30"), 400, "invalid-request");
    assert_rejected(
        app.get("/run-day-batch-job?date=tomorrow"),
        400,
        "invalid-request",
    );
    for command in ["stop", "restart", "abandon"] {
        assert_rejected(app.command(99, command), 404, "no-such-job-execution");
    }

    // No worker runs yet, so launched executions wait.
    let first = accepted(app.get(&format!("/run-day-batch-job?date={FIRST}")));
    assert_rejected(app.launch(FIRST), 409, "job-execution-already-running");
    assert_rejected(
        app.command(first, "restart"),
        409,
        "job-execution-already-running",
    );
    assert_rejected(app.command(first, "abandon"), 409, "not-abandonable");
    accepted(app.command(first, "stop"));
    app.until(first, "STOPPED");
    assert_rejected(app.command(first, "stop"), 409, "job-execution-not-running");
    let second = accepted(app.command(first, "restart"));
    assert_rejected(app.command(first, "restart"), 409, "not-newest");
    accepted(app.command(second, "stop"));
    accepted(app.command(second, "abandon"));
    assert_eq!(app.status(second), "ABANDONED");
    assert_rejected(app.command(second, "abandon"), 409, "not-abandonable");
    assert_rejected(app.command(second, "restart"), 409, "not-restartable");
    let third = app.launch(FIRST);
    assert_eq!(third.json()["runId"], 1);
    let third = accepted(third);

    let fleet = Fleet::start(&app.env, 1);
    app.until(third, "COMPLETED");
    assert_rejected(app.launch(FIRST), 409, "job-instance-already-complete");
    assert_rejected(
        app.command(third, "restart"),
        409,
        "job-instance-already-complete",
    );
    assert_rejected(app.command(third, "stop"), 409, "job-execution-not-running");
    // The schedule launches the next day.
    app.env.until_settled_last(SECOND);
    fleet.end();
    app.env.balance(&["verify"]).run().succeeded();

    let audit = app.get("/audit?limit=100").is(200).json();
    let done: Vec<(&str, &str)> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .filter(|row| row["action"] != "IMPORT")
        .map(|row| {
            assert!(row["userId"].is_number(), "{row}");
            assert!(row["requestId"].is_string(), "{row}");
            (
                row["action"].as_str().unwrap(),
                row["subject"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        done,
        [
            ("LAUNCH", "execution 1 of 2024-03-30"),
            ("STOP", "execution 1 of 2024-03-30"),
            ("RESTART", "execution 2 of 2024-03-30"),
            ("STOP", "execution 2 of 2024-03-30"),
            ("ABANDON", "execution 2 of 2024-03-30"),
            ("LAUNCH", "execution 3 of 2024-03-30"),
        ]
    );
    app.server.end().succeeded();
}

#[test]
fn of_two_concurrent_launches_one_succeeds_and_the_audit_has_its_admin() {
    let app = TestApp::new();
    let other = app.admin("chief");
    let body = json!({ "date": FIRST });
    let path = "/jobs/dayStatisticsJob/executions";
    let (one, two) = block_on(async {
        tokio::join!(
            app.client.send_json("POST", path, &app.admin, &body),
            app.client.send_json("POST", path, &other, &body),
        )
    });
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
    let winner = if one.status == 202 { "boss" } else { "chief" };
    let user = app.env.database.value(&format!(
        "SELECT a.user_id FROM audit a JOIN users u ON u.id = a.user_id \
         WHERE a.action = 'LAUNCH' AND u.username = '{winner}'"
    ));
    let audit = app.get("/audit").is(200).json();
    let items = audit["items"].as_array().unwrap();
    let launches = items.iter().filter(|item| item["action"] == "LAUNCH");
    assert_eq!(launches.count(), 1, "{audit}");
    assert_eq!(audit["items"][0]["userId"].to_string(), user);
    app.server.end().succeeded();
}

#[test]
fn an_execution_is_watched_to_its_end_and_a_reconnect_misses_nothing() {
    let app = TestApp::new();
    let id = accepted(app.launch(FIRST));
    let path = format!("/jobs/executions/{id}/events");
    // The first connection ends after one event.
    let seen = block_on(app.client.first_event(&path, &app.admin));
    assert!(
        seen.contains("event: progress") && seen.contains("\"STARTED\""),
        "{seen}"
    );
    let fleet = Fleet::start(&app.env, 1);
    let events = app.get(&path).is(200).text;
    let last = events
        .trim_end()
        .rsplit("\n\n")
        .find(|event| event.contains("data:"))
        .unwrap();
    assert!(
        last.contains("event: ended") && last.contains("id: ended"),
        "{events}"
    );
    let data = last
        .lines()
        .find_map(|line| line.strip_prefix("data:"))
        .unwrap();
    let end: Value = serde_json::from_str(data).unwrap();
    assert_eq!(end["execution"]["status"], "COMPLETED");
    let partitions = end["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 3, "{end}");
    for step in partitions {
        assert_eq!(
            (&step["completed"], &step["waiting"]),
            (&json!(4), &json!(0)),
            "{end}"
        );
    }
    assert_eq!(partitions[0]["writeCount"], VIDEOS);
    let read = app.get(&format!("/jobs/executions/{id}")).is(200).json();
    assert_eq!(read, end, "the event has the whole progress");
    // The response to a client that has received the last event is 204.
    let bearer = format!("Bearer {}", app.admin);
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Last-Event-ID", "ended"),
    ];
    let again = block_on(app.client.send("GET", &path, &headers, None)).unwrap();
    again.is(204);

    // All pages of the steps.
    let mut rows = 0;
    let mut cursor = String::new();
    loop {
        let page = app
            .get(&format!("/jobs/executions/{id}/steps?limit=5{cursor}"))
            .is(200)
            .json();
        rows += page["items"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(rows, 4 + 3 * 4);
    let workers = app.get("/workers").is(200).json();
    assert_eq!(workers["items"][0]["isAlive"], true, "{workers}");
    assert!(app.get("/queue").is(200).json()["slots"].as_u64().unwrap() > 0);
    app.env.until_settled_last(SECOND);
    fleet.end();
    app.server.end().succeeded();
}

#[test]
fn a_failed_partition_is_repaired_and_retried() {
    let app = TestApp::new();
    let set_seconds = |seconds: &str| {
        app.env.database.execute(&format!(
            "UPDATE play_history SET play_time = {seconds} WHERE date = '{FIRST}' AND video_id = 7"
        ));
    };
    let before = app.env.database.value(&format!(
        "SELECT MAX(play_time) FROM play_history WHERE date = '{FIRST}' AND video_id = 7"
    ));
    set_seconds("-1");
    let fleet = Fleet::start(&app.env, 1);
    let failed = app.env.until_failed();
    let steps = app
        .get(&format!("/jobs/executions/{failed}/steps?limit=100"))
        .is(200)
        .json();
    let of = |status: &str| {
        let steps = steps["items"].as_array().unwrap();
        let is_partition = |step: &&Value| step["name"].as_str().unwrap().contains(':');
        let found = steps
            .iter()
            .filter(is_partition)
            .find(|step| step["status"] == status);
        found.unwrap_or_else(|| panic!("{steps:?}"))["id"]
            .as_i64()
            .unwrap()
    };
    let retry = |id: i64| app.post(&format!("/jobs/steps/{id}/retry"));
    assert_rejected(retry(of("COMPLETED")), 409, "not-retryable");
    assert_rejected(retry(99_999), 404, "no-such-step-execution");
    set_seconds(&before);
    let again = accepted(retry(of("FAILED")));
    app.until(again, "COMPLETED");
    app.env.until_settled_last(SECOND);
    fleet.end();
    let audit = app.get("/audit?limit=1").is(200).json();
    assert_eq!(audit["items"][0]["action"], "RETRY", "{audit}");
    app.server.end().succeeded();
}

#[test]
fn rates_are_stored_only_for_open_days() {
    let app = TestApp::new();
    let put = |body: &Value| {
        block_on(
            app.client
                .send_json("PUT", "/revenue-rates", &app.admin, body),
        )
    };
    let tiers = |won: &str| {
        json!([
            {"fromCount": 0, "toCount": 9, "won": won},
            {"fromCount": 10, "toCount": null, "won": "2.5"},
        ])
    };
    let version = |from: &str, video: Value| {
        json!({
            "effectiveFrom": from, "video": video, "ad": [{"fromCount": 0, "toCount": null, "won": "10"}],
        })
    };
    let valid = version(SECOND, tiers("1.25"));
    assert_eq!(put(&valid).is(200).json(), valid);
    let listed = app.get("/revenue-rates").is(200).json();
    assert_eq!(listed["items"].as_array().unwrap().last(), Some(&valid));
    for (body, status, code) in [
        (version(SECOND, json!([])), 422, "rates-rejected"),
        (
            version(
                SECOND,
                json!([{"fromCount": 1, "toCount": null, "won": "1"}]),
            ),
            422,
            "rates-rejected",
        ),
        (
            version(SECOND, json!([{"fromCount": 0, "toCount": 5, "won": "1"}])),
            422,
            "rates-rejected",
        ),
        (version(SECOND, tiers("-1")), 400, "invalid-request"),
        (version(SECOND, tiers("1.1234567")), 400, "invalid-request"),
        (version("yesterday", tiers("1")), 400, "invalid-request"),
        (version("0001-01-01", tiers("1")), 400, "invalid-request"),
        (json!({"effectiveFrom": SECOND}), 400, "invalid-request"),
    ] {
        assert_rejected(put(&body), status, code);
    }
    let fleet = Fleet::start(&app.env, 1);
    app.env.until_settled_last(SECOND);
    fleet.end();
    assert_rejected(put(&valid), 422, "rates-rejected");
    let audit = app.get("/audit").is(200).json();
    assert_eq!(audit["items"][0]["action"], "SET_RATES", "{audit}");
    let items = audit["items"].as_array().unwrap();
    let stored = items.iter().filter(|item| item["action"] == "SET_RATES");
    assert_eq!(stored.count(), 1, "{audit}");
    app.server.end().succeeded();
}
