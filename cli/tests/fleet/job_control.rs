//! Jobs over HTTP, on a fleet: each act in the states where it is done and where it is refused.

use crate::{
    common::{
        client::{Client, Reply},
        program::{block_on, until},
        server::Server,
    },
    env::TestEnv,
    fleet::Fleet,
    playback, plays,
    servers::Servers,
};
use serde_json::{Value, json};
use std::rc::Rc;

const FIRST: &str = "2024-03-30";
const SECOND: &str = "2024-03-31";
const VIDEOS: u64 = 60;

/// A fleet's API with two days to settle, and an admin.
struct Stage {
    env: Rc<TestEnv>,
    server: Server,
    client: Client,
    admin: String,
}

impl Stage {
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
        let stage = Self {
            admin: String::new(),
            env,
            server,
            client,
        };
        let admin = stage.admin("boss");
        Self { admin, ..stage }
    }

    /// Makes an admin; answers an access token.
    fn admin(&self, name: &str) -> String {
        block_on(self.client.user(name));
        self.env
            .balance(&["admin", "grant", name])
            .run()
            .succeeded();
        block_on(self.client.login(name))
    }

    fn get(&self, path: &str) -> Reply {
        block_on(self.client.ask("GET", path, &self.admin))
    }

    fn post(&self, path: &str) -> Reply {
        block_on(self.client.ask("POST", path, &self.admin))
    }

    fn launch(&self, date: &str) -> Reply {
        let body = json!({ "date": date });
        let path = "/jobs/dayStatisticsJob/executions";
        block_on(self.client.tell("POST", path, &self.admin, &body))
    }

    /// An act on an execution.
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

/// The id of an execution that was accepted.
#[track_caller]
fn accepted(reply: Reply) -> i64 {
    let reply = reply.is(202);
    let id = reply.json()["id"].as_i64().unwrap();
    assert_eq!(reply.location, Some(format!("/jobs/executions/{id}")));
    id
}

#[track_caller]
fn refused(reply: Reply, status: u16, code: &str) {
    let reply = reply.is(status);
    assert_eq!(reply.json()["code"], code, "{reply:?}");
}

#[test]
fn executions_are_launched_stopped_restarted_and_abandoned() {
    let stage = Stage::new();
    refused(stage.launch("2999-01-01"), 409, "day-not-over");
    refused(stage.launch(SECOND), 409, "earlier-day-unsettled");
    refused(stage.post("/jobs/otherJob/executions"), 404, "no-such-job");
    refused(stage.launch("2024-02-30"), 400, "invalid-request");
    refused(
        stage.get("/run-day-batch-job?date=tomorrow"),
        400,
        "invalid-request",
    );
    for command in ["stop", "restart", "abandon"] {
        refused(stage.command(99, command), 404, "no-such-job-execution");
    }

    // Nobody works yet: what is launched waits.
    let first = accepted(stage.get(&format!("/run-day-batch-job?date={FIRST}")));
    refused(stage.launch(FIRST), 409, "job-execution-already-running");
    refused(
        stage.command(first, "restart"),
        409,
        "job-execution-already-running",
    );
    refused(stage.command(first, "abandon"), 409, "not-abandonable");
    accepted(stage.command(first, "stop"));
    stage.until(first, "STOPPED");
    refused(
        stage.command(first, "stop"),
        409,
        "job-execution-not-running",
    );
    let second = accepted(stage.command(first, "restart"));
    refused(stage.command(first, "restart"), 409, "not-newest");
    accepted(stage.command(second, "stop"));
    accepted(stage.command(second, "abandon"));
    assert_eq!(stage.status(second), "ABANDONED");
    refused(stage.command(second, "abandon"), 409, "not-abandonable");
    refused(stage.command(second, "restart"), 409, "not-restartable");
    let third = stage.launch(FIRST);
    assert_eq!(third.json()["runId"], 1);
    let third = accepted(third);

    let fleet = Fleet::start(&stage.env, 1);
    stage.until(third, "COMPLETED");
    refused(stage.launch(FIRST), 409, "job-instance-already-complete");
    refused(
        stage.command(third, "restart"),
        409,
        "job-instance-already-complete",
    );
    refused(
        stage.command(third, "stop"),
        409,
        "job-execution-not-running",
    );
    // The schedule goes on with the next day by itself.
    stage.env.until_settled_last(SECOND);
    fleet.end();
    stage.env.balance(&["verify"]).run().succeeded();

    let audit = stage.get("/audit?limit=100").is(200).json();
    let done: Vec<(&str, &str)> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
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
    stage.server.end().succeeded();
}

#[test]
fn of_two_admins_at_once_one_launches_and_the_audit_names_him() {
    let stage = Stage::new();
    let other = stage.admin("chief");
    let body = json!({ "date": FIRST });
    let path = "/jobs/dayStatisticsJob/executions";
    let (one, two) = block_on(async {
        tokio::join!(
            stage.client.tell("POST", path, &stage.admin, &body),
            stage.client.tell("POST", path, &other, &body),
        )
    });
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
    let winner = if one.status == 202 { "boss" } else { "chief" };
    let user = stage.env.database.value(&format!(
        "SELECT a.user_id FROM audit a JOIN users u ON u.id = a.user_id \
         WHERE a.action = 'LAUNCH' AND u.username = '{winner}'"
    ));
    let audit = stage.get("/audit").is(200).json();
    assert_eq!(audit["items"].as_array().unwrap().len(), 1, "{audit}");
    assert_eq!(audit["items"][0]["userId"].to_string(), user);
    stage.server.end().succeeded();
}

#[test]
fn an_execution_is_watched_to_its_end_and_a_reconnect_misses_nothing() {
    let stage = Stage::new();
    let id = accepted(stage.launch(FIRST));
    let path = format!("/jobs/executions/{id}/events");
    // Cut off after the first event.
    let seen = block_on(stage.client.first_event(&path, &stage.admin));
    assert!(
        seen.contains("event: progress") && seen.contains("\"STARTED\""),
        "{seen}"
    );
    let fleet = Fleet::start(&stage.env, 1);
    let events = stage.get(&path).is(200).text;
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
    let read = stage.get(&format!("/jobs/executions/{id}")).is(200).json();
    assert_eq!(read, end, "the event tells everything");
    // Whoever has seen the end is told not to come again.
    let bearer = format!("Bearer {}", stage.admin);
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Last-Event-ID", "ended"),
    ];
    let again = block_on(stage.client.send("GET", &path, &headers, None)).unwrap();
    again.is(204);

    // All rows of steps, page after page.
    let mut rows = 0;
    let mut cursor = String::new();
    loop {
        let page = stage
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
    let workers = stage.get("/workers").is(200).json();
    assert_eq!(workers["items"][0]["isAlive"], true, "{workers}");
    assert!(
        stage.get("/queue").is(200).json()["slots"]
            .as_u64()
            .unwrap()
            > 0
    );
    stage.env.until_settled_last(SECOND);
    fleet.end();
    stage.server.end().succeeded();
}

#[test]
fn a_failed_partition_is_mended_and_retried() {
    let stage = Stage::new();
    let poison = |seconds: &str| {
        stage.env.database.execute(&format!(
            "UPDATE play_history SET play_time = {seconds} WHERE date = '{FIRST}' AND video_id = 7"
        ));
    };
    let before = stage.env.database.value(&format!(
        "SELECT MAX(play_time) FROM play_history WHERE date = '{FIRST}' AND video_id = 7"
    ));
    poison("-1");
    let fleet = Fleet::start(&stage.env, 1);
    let failed = stage.env.until_failed();
    let steps = stage
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
    let retry = |id: i64| stage.post(&format!("/jobs/steps/{id}/retry"));
    refused(retry(of("COMPLETED")), 409, "not-retryable");
    refused(retry(99_999), 404, "no-such-step-execution");
    poison(&before);
    let again = accepted(retry(of("FAILED")));
    stage.until(again, "COMPLETED");
    stage.env.until_settled_last(SECOND);
    fleet.end();
    let audit = stage.get("/audit?limit=1").is(200).json();
    assert_eq!(audit["items"][0]["action"], "RETRY", "{audit}");
    stage.server.end().succeeded();
}

#[test]
fn rates_are_stored_for_days_that_are_open_only() {
    let stage = Stage::new();
    let put = |body: &Value| {
        block_on(
            stage
                .client
                .tell("PUT", "/revenue-rates", &stage.admin, body),
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
    let fine = version(SECOND, tiers("1.25"));
    assert_eq!(put(&fine).is(200).json(), fine);
    let listed = stage.get("/revenue-rates").is(200).json();
    assert_eq!(listed["items"].as_array().unwrap().last(), Some(&fine));
    for (body, status, code) in [
        (version(SECOND, json!([])), 422, "rates-refused"),
        (
            version(
                SECOND,
                json!([{"fromCount": 1, "toCount": null, "won": "1"}]),
            ),
            422,
            "rates-refused",
        ),
        (
            version(SECOND, json!([{"fromCount": 0, "toCount": 5, "won": "1"}])),
            422,
            "rates-refused",
        ),
        (version(SECOND, tiers("-1")), 400, "invalid-request"),
        (version(SECOND, tiers("1.1234567")), 400, "invalid-request"),
        (version("yesterday", tiers("1")), 400, "invalid-request"),
        (version("0001-01-01", tiers("1")), 400, "invalid-request"),
        (json!({"effectiveFrom": SECOND}), 400, "invalid-request"),
    ] {
        refused(put(&body), status, code);
    }
    let fleet = Fleet::start(&stage.env, 1);
    stage.env.until_settled_last(SECOND);
    fleet.end();
    refused(put(&fine), 422, "rates-refused");
    let audit = stage.get("/audit").is(200).json();
    assert_eq!(audit["items"][0]["action"], "SET_RATES", "{audit}");
    assert_eq!(audit["items"].as_array().unwrap().len(), 1);
    stage.server.end().succeeded();
}
