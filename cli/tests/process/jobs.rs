//! Jobs over HTTP on `balance serve`: launches, progress events, and rejected launches. Pages of
//! executions on the command line.

use crate::{
    env::{block_on, until},
    plays::{DAYS, imported},
};
use balance_test_support::http::Server;
use serde_json::json;
use std::rc::Rc;

#[test]
fn executions_are_listed_page_by_page() {
    let env = imported(5);
    env.balance(&["settle"]).run().succeeded();
    let page = |more: &[&str]| {
        let args = [&["jobs", "list", "--limit", "1", "--json"], more].concat();
        env.balance(&args).run().succeeded().json()
    };
    let first = page(&[]);
    assert_eq!(first["items"][0]["id"], 2);
    let last = page(&["--after", first["next"].as_str().unwrap()]);
    assert_eq!(last["items"][0]["id"], 1);
    assert!(last["next"].is_null(), "{last}");

    let table = env.balance(&["jobs", "list", "--limit", "1"]).run();
    let table = table.succeeded();
    assert!(table.stdout.ends_with("more: --after 2\n"), "{table:#?}");
}

#[test]
fn a_day_is_launched_and_its_progress_watched_in_one_process() {
    const LAUNCH: &str = "/jobs/dayStatisticsJob/executions";
    let env = Rc::new(imported(40));
    let password = env.file("password", "correct horse");
    env.balance(&["admin", "create", "boss", "--password-file", &password])
        .run()
        .succeeded();
    let server = {
        let env = Rc::clone(&env);
        Server::start(move || env.balance(&["serve"]))
    };
    let client = server.client();
    let boss = block_on(client.login("boss"));
    let launch = |date: &str| {
        let body = json!({ "date": date });
        block_on(client.send_json("POST", LAUNCH, &boss, &body))
    };
    // The schedule settles missed days too; the day is settled once in any order.
    let is_settled = || {
        let path = format!("/jobs/executions?date={}", DAYS[0]);
        let page = block_on(client.request("GET", &path, &boss)).is(200).json();
        page["items"][0]["status"] == "COMPLETED"
    };
    let reply = launch(DAYS[0]);
    assert!([202, 409].contains(&reply.status), "{reply:?}");
    until("the day to be settled", is_settled);
    let again = launch(DAYS[0]).is(409).json();
    assert_eq!(again["code"], "job-instance-already-complete");

    let end = block_on(client.first_event("/jobs/executions/1/events", &boss));
    assert!(end.contains("event: ended"), "{end}");
    assert!(end.contains("id: ended"), "{end}");
    let bearer = format!("Bearer {boss}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Last-Event-ID", "ended"),
    ];
    let left = block_on(client.send("GET", "/jobs/executions/1/events", &headers, None));
    left.unwrap().is(204);
    server.end().succeeded();
    env.balance(&["verify"]).run().succeeded();
}
