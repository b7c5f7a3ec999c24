//! A platform with data: two settled weeks, people, videos, ads, and `balance serve` on them.

use crate::common::{
    client::Client,
    program::{Call, block_on},
    server::Server,
};
use serde_json::json;
use std::{path::Path, process::Command, rc::Rc};
use tempfile::TempDir;

/// An admin's name. The password is the client's.
pub(crate) const ADMIN: &str = "boss";
/// Somebody with videos and a view.
pub(crate) const CREATOR: &str = "minsu";

/// The last day that is settled.
pub(crate) const SETTLED: &str = "2026-03-15";

/// A platform that is served; gone with its value.
pub(crate) struct Platform {
    folder: Rc<TempDir>,
    pub(crate) server: Server,
}

impl Platform {
    /// Makes one, and serves it.
    pub(crate) fn open() -> Self {
        let folder = Rc::new(tempfile::tempdir().unwrap());
        let dir = folder.path().display().to_string();
        balance(folder.path(), &["demo", "--dir", &dir, "--plays", "20000"])
            .run()
            .succeeded();
        let password = folder.path().join("password");
        std::fs::write(&password, "correct horse\n").unwrap();
        let password = password.display().to_string();
        let admin = ["admin", "create", ADMIN, "--password-file", &password];
        balance(folder.path(), &admin).run().succeeded();
        let server = {
            let folder = Rc::clone(&folder);
            Server::start(move || {
                balance(folder.path(), &["serve"])
                    // Whoever asks at random asks for one account all the time.
                    .env("LOGIN_LIMIT_PER_MINUTE", 1_000_000)
            })
        };
        block_on(furnish(&server.client()));
        Self { folder, server }
    }

    /// An access token of somebody.
    pub(crate) fn token(&self, username: &str) -> String {
        block_on(self.server.client().login(username))
    }

    /// Ends the server, which must have served without faults, and looks whether what it leaves
    /// is sound.
    pub(crate) fn close(self) {
        let log = self.server.stderr();
        self.server.end().succeeded();
        let faults = ["panicked", "ERROR"];
        let fault = log
            .lines()
            .find(|line| faults.iter().any(|fault| line.contains(fault)));
        assert_eq!(fault, None, "{log}");
        balance(self.folder.path(), &["verify"]).run().succeeded();
    }
}

/// Ads, and somebody with a video that somebody else plays.
async fn furnish(client: &Client) {
    let admin = client.login(ADMIN).await;
    for title in ["Tea for two", "A chair for everybody"] {
        let ad = json!({"title": title});
        client.tell("POST", "/ads", &admin, &ad).await.is(201);
    }
    let (_, creator) = client.user(CREATOR).await;
    let video = client.video(&creator, "How to fold a map", 600).await;
    let (_, viewer) = client.user("jiwoo").await;
    let play = format!("/videos/{video}/play");
    client.ask("POST", &play, &viewer).await.is(200);
}

fn balance(folder: &Path, args: &[&str]) -> Call {
    let mut command = Command::new(env!("CARGO_BIN_EXE_balance"));
    command
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("TMPDIR", folder)
        .env(
            "DATABASE_URL",
            format!("sqlite://{}", folder.join("balance.db").display()),
        );
    Call::new(command)
}
