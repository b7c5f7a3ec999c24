//! A platform with two settled weeks, users, videos and ads, served by `balance serve`.

use balance_test_support::{
    http::{Client, Server},
    process::{Call, block_on},
};
use serde_json::json;
use std::{path::Path, process::Command, rc::Rc};
use tempfile::TempDir;

/// The username of an admin. The password is that of the client.
pub(crate) const ADMIN: &str = "boss";
/// The username of a creator with videos and a view.
pub(crate) const CREATOR: &str = "minsu";

/// The last settled day.
pub(crate) const SETTLED: &str = "2026-03-15";

/// A platform and its server; dropping it deletes both.
pub(crate) struct Platform {
    folder: Rc<TempDir>,
    pub(crate) server: Server,
}

impl Platform {
    /// Creates a platform, and starts its server.
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
                    // Random requests use one account all the time.
                    .env("LOGIN_LIMIT_PER_MINUTE", 1_000_000)
            })
        };
        block_on(add_data(&server.client()));
        Self { folder, server }
    }

    /// Returns an access token of a user.
    pub(crate) fn token(&self, username: &str) -> String {
        block_on(self.server.client().login(username))
    }

    /// Ends the server. Asserts that its log has no errors and that the database verifies.
    pub(crate) fn close(self) {
        let log = self.server.stderr();
        self.server.end().succeeded();
        let errors = ["panicked", "ERROR"];
        let error = log
            .lines()
            .find(|line| errors.iter().any(|error| line.contains(error)));
        assert_eq!(error, None, "{log}");
        balance(self.folder.path(), &["verify"]).run().succeeded();
    }
}

/// Registers ads, and a creator with a video that another user plays.
async fn add_data(client: &Client) {
    let admin = client.login(ADMIN).await;
    for title in ["Tea for two", "A chair for two"] {
        let ad = json!({"title": title});
        client.send_json("POST", "/ads", &admin, &ad).await.is(201);
    }
    let (_, creator) = client.user(CREATOR).await;
    let video = client.video(&creator, "How to fold a map", 600).await;
    let (_, viewer) = client.user("jiwoo").await;
    let play = format!("/videos/{video}/play");
    client.request("POST", &play, &viewer).await.is(200);
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
