//! `balance serve` and `balance admin`: secrets, addresses, accounts.

use crate::env::{TestEnv, block_on};
use balance_test_support::{
    http::{Client, Server},
    process::free_port,
};
use serde_json::json;
use std::{net::TcpListener, os::unix::fs::PermissionsExt, rc::Rc};

fn serve(env: &Rc<TestEnv>) -> Server {
    let env = Rc::clone(env);
    Server::start(move || env.balance(&["serve"]))
}

/// Returns the status of a list of videos for a token.
fn list(client: &Client, token: &str) -> u16 {
    block_on(client.request("GET", "/videos", token)).status
}

#[test]
fn a_secret_is_created_for_the_owner_only_and_outlives_the_process() {
    let env = Rc::new(TestEnv::empty());
    let mut server = serve(&env);
    let client = server.client();
    let (_, token) = block_on(client.user("minsu"));
    let path = env.folder().join("balance.db.jwt-secret");
    let secret = std::fs::read_to_string(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.kill();
    server.restart();
    assert_eq!(list(&client, &token), 200);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), secret);
    assert!(!server.stderr().contains(secret.trim()));
    server.end().succeeded();
}

#[test]
fn secrets_are_rotated_by_the_setting() {
    let (old, new) = (
        "old-0123456789abcdefghijklmnopqrstuv",
        "new-0123456789abcdefghijklmnopqrstuv",
    );
    let env = Rc::new(TestEnv::empty());
    let with = |secret: String| {
        let env = Rc::clone(&env);
        Server::start(move || env.balance(&["serve"]).env("JWT_SECRET", &secret))
    };
    let server = with(old.to_owned());
    let (_, before) = block_on(server.client().user("minsu"));
    server.end().succeeded();
    let server = with(format!("{new},{old}"));
    let client = server.client();
    assert_eq!(list(&client, &before), 200);
    let after = block_on(client.login("minsu"));
    server.end().succeeded();
    let server = with(new.to_owned());
    let client = server.client();
    assert_eq!((list(&client, &after), list(&client, &before)), (200, 401));
    server.end().succeeded();
    assert!(!env.folder().join("balance.db.jwt-secret").exists());
}

#[test]
fn invalid_settings_are_rejected_before_the_start() {
    let env = TestEnv::empty();
    let serve = || {
        env.balance(&["serve"])
            .env("LISTEN_ADDR", format!("127.0.0.1:{}", free_port()))
    };
    for weak in ["", "short", "change-me-change-me-change-me-change-me"] {
        let rejected = serve()
            .env("JWT_SECRET", weak)
            .run()
            .failed(&["JWT_SECRET", "openssl rand"]);
        assert!(
            weak.is_empty() || !rejected.stderr.contains(weak),
            "{rejected:?}"
        );
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    serve()
        .env("LISTEN_ADDR", &address)
        .run()
        .failed(&["LISTEN_ADDR", &address]);
    serve()
        .env("LISTEN_ADDR", "nowhere")
        .run()
        .failed(&["LISTEN_ADDR"]);
    serve()
        .env("LOGIN_LIMIT_PER_MINUTE", 0)
        .run()
        .failed(&["LOGIN_LIMIT_PER_MINUTE"]);
    serve()
        .env("TRUSTED_PROXY_HOPS", 17)
        .run()
        .failed(&["TRUSTED_PROXY_HOPS"]);
    serve()
        .env("CORS_ALLOWED_ORIGINS", "https://app.example,*")
        .run()
        .failed(&["--cors-allowed-origins", "'*' is not an origin"]);
    serve()
        .env("INTAKE_BACKLOG_MAX", 0)
        .run()
        .failed(&["INTAKE_BACKLOG_MAX"]);
    let workers = env.rows("SELECT COUNT(*) FROM worker");
    assert_eq!(workers, ["0"], "no worker has started");
}

#[test]
fn admins_are_created_with_access_to_the_database() {
    let env = Rc::new(TestEnv::new());
    let password = env.file("password", "correct horse\n");
    let other = env.file("other", "a better horse");
    let short = env.file("short", "horse");
    let admin = |args: &[&str]| env.balance(&[&["admin"], args].concat()).run();
    let made = admin(&["create", "boss", "--password-file", &password]).succeeded();
    assert!(made.stdout.contains("boss"), "{made:?}");
    for (args, words) in [
        (
            &["create", "boss", "--password-file", &password][..],
            "the username is taken",
        ),
        (
            &["create", "user-7", "--password-file", &password],
            "reserved for imported users",
        ),
        (
            &["create", "chief", "--password-file", &short],
            "at least 8 characters",
        ),
        (
            &["create", "chief", "--password-file", "/nowhere"],
            "/nowhere",
        ),
        (&["create", "chief"], "--password-file"),
        (
            &["create", "a b", "--password-file", &password],
            "white space",
        ),
        (&["grant", "unknown"], "no user unknown"),
        (&["grant", "boss", "--role", "king"], "king"),
        (
            &["password", "unknown", "--password-file", &password],
            "no user unknown",
        ),
    ] {
        let rejected = admin(args).failed(&[words]);
        assert!(!rejected.stderr.contains("correct horse"), "{rejected:?}");
    }
    let server = serve(&env);
    let client = server.client();
    let ads = |token: &str| block_on(client.request("GET", "/ads", token)).status;
    let boss = block_on(client.login("boss"));
    let (_, user) = block_on(client.user("minsu"));
    assert_eq!((ads(&boss), ads(&user)), (200, 403));
    admin(&["grant", "minsu"]).succeeded();
    admin(&["grant", "boss", "--role", "user"]).succeeded();
    assert_eq!(ads(&block_on(client.login("minsu"))), 200);
    assert_eq!(ads(&block_on(client.login("boss"))), 403);
    admin(&["password", "boss", "--password-file", &other]).succeeded();
    let login = |password: &str| {
        let body = json!({"username": "boss", "password": password});
        block_on(client.send("POST", "/login", &[], Some(&body)))
            .unwrap()
            .status
    };
    assert_eq!(
        (login("correct horse"), login("a better horse")),
        (401, 200)
    );
    server.end().succeeded();
}

#[test]
fn the_log_is_json_if_configured() {
    let env = Rc::new(TestEnv::empty());
    let rejected = env.balance(&["serve"]).env("BALANCE_LOG_FORMAT", "xml");
    rejected.run().failed(&["--log-format", "xml"]);
    let of_server = Rc::clone(&env);
    let server = Server::start(move || {
        let call = of_server.balance(&["serve"]);
        call.env("BALANCE_LOG_FORMAT", "json")
            .env("BALANCE_LOG", "balance_api=info")
    });
    let client = server.client();
    let headers = [("X-Request-Id", "look-for-me")];
    block_on(client.send("GET", "/videos/1?a=b", &headers, None))
        .unwrap()
        .is(401);
    let log = server.stderr();
    // Messages for the operator are not in JSON.
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let of_request: Vec<serde_json::Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["request_id"] == "look-for-me")
        .collect();
    let [line] = &of_request[..] else {
        panic!("{log}");
    };
    for (field, value) in [
        ("level", json!("INFO")),
        ("message", json!("served request")),
        ("method", json!("GET")),
        ("path", json!("/videos/1")),
        ("operation", json!("getVideo")),
        ("status", json!(401)),
    ] {
        assert_eq!(line[field], value, "{field}: {line}");
    }
    server.end().succeeded();
}
