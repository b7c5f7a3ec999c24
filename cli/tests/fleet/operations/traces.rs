//! A trace continues from the process of the API to that of a worker, through the database.

use crate::{env::TestEnv, playback::service as playback, plays, worker::Worker};
use balance_test_support::{
    http::Server,
    process::{block_on, until},
    servers::Servers,
};
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    rc::Rc,
    sync::{Arc, Mutex},
};

const DAY: &str = "2024-03-30";

/// A collector that stores the received bytes.
struct Collector {
    endpoint: String,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::new(Mutex::new(Vec::new()));
        let received = Arc::clone(&sent);
        // The thread ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A killed process may leave a partial request.
                if let Ok(body) = receive(stream) {
                    received.lock().unwrap().extend(body);
                }
            }
        });
        Self { endpoint, sent }
    }

    fn has(&self, bytes: &[u8]) -> bool {
        let sent = self.sent.lock().unwrap();
        sent.windows(bytes.len()).any(|window| window == bytes)
    }
}

/// Receives a request to `/v1/traces`, and responds.
fn receive(stream: TcpStream) -> std::io::Result<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    assert!(head.starts_with("POST /v1/traces "), "{head}");
    let length = head.to_ascii_lowercase();
    let length = length.split("content-length:").nth(1).unwrap();
    let length = length.lines().next().unwrap().trim().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    reader.into_inner().write_all(answer)?;
    Ok(body)
}

fn from_hex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn one_trace_joins_two_processes_through_the_database() {
    let env = TestEnv::new(&Servers::shared())
        .with("JWT_SECRET", playback::SECRET)
        .with("PARTITIONS", 2);
    env.import(&plays::day(DAY, 10));
    let env = Rc::new(env);
    let [of_api, of_worker] = [Collector::start(), Collector::start()];
    let (of_server, endpoint) = (Rc::clone(&env), of_api.endpoint.clone());
    let api = Server::start(move || {
        let call = of_server.balance(&["api"]);
        call.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
    });
    let client = api.client();
    block_on(client.user("boss"));
    env.balance(&["admin", "grant", "boss"]).run().succeeded();
    let boss = block_on(client.login("boss"));
    let body = json!({ "date": DAY });
    let path = "/jobs/dayStatisticsJob/executions";
    block_on(client.send_json("POST", path, &boss, &body)).is(202);
    // No worker runs yet: the trace context is in the table.
    let stored = env
        .database
        .rows("SELECT traceparent FROM job_execution_trace");
    let [parent] = &stored[..] else {
        panic!("{stored:?}");
    };
    let (trace, launch) = (from_hex(&parent[3..35]), from_hex(&parent[36..52]));
    let call = env.balance(&["worker"]);
    let call = call.env("OTEL_EXPORTER_OTLP_ENDPOINT", &of_worker.endpoint);
    let worker = Worker::start(&env, call);
    env.until_settled_last(DAY);
    // The processes export the remaining spans at their end.
    worker.end().succeeded();
    api.end().succeeded();
    for (collector, names) in [
        (&of_api, &["launchJob", "launch"][..]),
        (
            &of_worker,
            &["partition", "chunk", "dayRevenueStep:partition1"],
        ),
    ] {
        for bytes in [&trace, &launch] {
            assert!(collector.has(bytes), "{parent} {names:?}");
        }
        for name in names {
            assert!(collector.has(name.as_bytes()), "{name}");
        }
    }
    assert!(!of_api.has(b"partition"));
}

#[test]
fn an_unavailable_collector_causes_only_a_log_line() {
    let env = TestEnv::new(&Servers::shared()).with("JWT_SECRET", playback::SECRET);
    for invalid in [
        "https://collector.example:4318",
        "127.0.0.1:4318",
        "http://",
    ] {
        env.balance(&["workers"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", invalid)
            .run()
            .failed(&["OTEL_EXPORTER_OTLP_ENDPOINT"]);
    }
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    let env = Rc::new(env);
    let of_server = Rc::clone(&env);
    let api = Server::start(move || {
        let call = of_server.balance(&["api"]);
        call.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
    });
    until("the failure in the log", || api.stderr().contains("ERROR"));
    assert!(block_on(api.client().is_ready()));
    api.end().succeeded();
}
