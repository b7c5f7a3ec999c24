//! An HTTP client of the API.

use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// The time limit of a request; the server's own limit is shorter.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(20);
const PASSWORD: &str = "correct horse";

/// The response to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// `X-Resume-At` of a play, `X-Credited-Seconds` of a pause.
    pub fact: Option<String>,
    pub retry_after: Option<String>,
    pub location: Option<String>,
    pub text: String,
}

impl Reply {
    /// Asserts the status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Parses the body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// An HTTP client of one server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder().timeout(ANSWER_LIMIT).build();
        Self {
            http: http.unwrap(),
            base: base.to_owned(),
        }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// If no complete response arrives.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Reply, reqwest::Error> {
        let method: Method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body.to_string());
        }
        let response = request.send().await?;
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        let fact = header("X-Resume-At").or_else(|| header("X-Credited-Seconds"));
        let (retry_after, location) = (header("Retry-After"), header("Location"));
        Ok(Reply {
            status: response.status().as_u16(),
            fact,
            retry_after,
            location,
            text: response.text().await?,
        })
    }

    /// Sends a request with an access token and without a body.
    pub async fn request(&self, method: &str, path: &str, token: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let reply = self
            .send(method, path, &[("Authorization", &bearer)], None)
            .await;
        reply.unwrap()
    }

    /// Sends a request with an access token and a JSON body.
    pub async fn send_json(&self, method: &str, path: &str, token: &str, body: &Value) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str())];
        self.send(method, path, &headers, Some(body)).await.unwrap()
    }

    /// Reads the first event of a stream of server-sent events.
    pub async fn first_event(&self, path: &str, token: &str) -> String {
        let request = self
            .http
            .get(format!("{}{path}", self.base))
            .bearer_auth(token);
        let mut response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        let mut text = String::new();
        while !text.contains("\n\n") {
            let chunk = response.chunk().await.unwrap().expect("an event");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        text
    }

    /// Asks to log a user in.
    ///
    /// # Errors
    /// If no complete response arrives.
    pub async fn try_login(&self, username: &str) -> Result<Reply, reqwest::Error> {
        let body = json!({"username": username, "password": PASSWORD});
        self.send("POST", "/login", &[], Some(&body)).await
    }

    /// Logs a user in; returns an access token.
    pub async fn login(&self, username: &str) -> String {
        let tokens = self.try_login(username).await.unwrap().is(200).json();
        tokens["accessToken"].as_str().unwrap().to_owned()
    }

    /// Creates an account; returns its ID and an access token.
    pub async fn user(&self, username: &str) -> (i64, String) {
        let body = json!({"username": username, "password": PASSWORD});
        let joined = self
            .send("POST", "/join", &[], Some(&body))
            .await
            .unwrap()
            .is(201)
            .json();
        (
            joined["userId"].as_i64().unwrap(),
            self.login(username).await,
        )
    }

    /// Registers a video; returns its ID.
    pub async fn video(&self, token: &str, title: &str, duration_s: i64) -> i64 {
        let bearer = format!("Bearer {token}");
        let body = json!({"title": title, "duration": duration_s});
        let headers = [("Authorization", bearer.as_str())];
        let video = self
            .send("POST", "/videos", &headers, Some(&body))
            .await
            .unwrap()
            .is(201);
        video.json()["videoId"].as_i64().unwrap()
    }

    /// Whether the server reports that it is not ready.
    pub async fn is_unready(&self) -> bool {
        let reply = self.send("GET", "/health/ready", &[], None).await;
        reply.is_ok_and(|reply| reply.status == 503)
    }

    /// Whether the server reports that it is ready.
    pub async fn is_ready(&self) -> bool {
        let reply = self.send("GET", "/health/ready", &[], None).await;
        reply.is_ok_and(|reply| reply.status == 200)
    }
}
