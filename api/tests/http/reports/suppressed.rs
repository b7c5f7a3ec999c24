//! What was suppressed of a video: received = counted + suppressed, for each reason and day.

use crate::{
    env::{TestEnv, TestRequest},
    reports::fixtures::date,
    settled::{DAYS, Settled},
};
use serde_json::{Value, json};

/// The video, its owner's token, and what the clients have sent.
struct Received<'a> {
    env: &'a TestEnv,
    video: i64,
    plays: i64,
    seconds: i64,
}

impl Received<'_> {
    async fn play(&mut self, token: &str, status: u16) {
        let path = format!("/videos/{}/play", self.video);
        self.env.request("POST", &path, token).await.is(status);
        self.plays += 1;
    }

    /// Pauses at a position. Returns the credited seconds.
    async fn pause(&mut self, token: &str, from: i64, to: i64) -> i64 {
        let path = format!("/videos/{}/pause?currentPlayedAt={to}", self.video);
        let answer = self.env.request("POST", &path, token).await.is(200);
        self.seconds += (to - from).max(0);
        answer
            .header("X-Credited-Seconds")
            .unwrap()
            .parse()
            .unwrap()
    }

    async fn report(&self, token: &str, query: &str) -> Value {
        let path = format!("/videos/{}/suppressed{query}", self.video);
        self.env.request("GET", &path, token).await.is(200).json()
    }
}

/// Returns an environment with an ad, whose viewers have two views at once.
async fn with_limits() -> TestEnv {
    let env = TestEnv::new().await;
    let admin = env.admin("boss").await;
    let ad = TestRequest::new("POST", "/ads").token(&admin);
    env.send(ad.json(&json!({"title": "tea"}))).await.is(201);
    let mut rules = env.request("GET", "/play-rules", &admin).await.json();
    rules["viewBurst"] = json!(2);
    rules.as_object_mut().unwrap().remove("setAt");
    let set = TestRequest::new("PUT", "/play-rules").token(&admin);
    env.send(set.json(&rules)).await.is(200);
    env
}

/// Returns the sum of fields of a day.
fn sum(day: &Value, fields: &[&str]) -> i64 {
    let fields = fields.iter().map(|field| day.pointer(field).unwrap());
    fields.map(|value| value.as_i64().unwrap()).sum()
}

#[tokio::test]
async fn received_is_counted_and_suppressed() {
    let env = with_limits().await;
    let (_, owner) = env.user("owner").await;
    let (_, viewer) = env.user("viewer").await;
    let (_, quick) = env.user("quick").await;
    let video = env.video(&owner, "film", 3_600).await;
    let others = [
        env.video(&owner, "a", 60).await,
        env.video(&owner, "b", 60).await,
    ];
    let mut received = Received {
        env: &env,
        video,
        plays: 0,
        seconds: 0,
    };
    received.play(&owner, 200).await;
    received.play(&owner, 200).await;
    received.play(&viewer, 200).await;
    for _ in 0..3 {
        received.play(&viewer, 429).await;
    }
    for other in others {
        let path = format!("/videos/{other}/play");
        env.request("POST", &path, &quick).await.is(200);
    }
    received.play(&quick, 429).await;

    // 20 s at twice the speed, and the burst of 5 s.
    env.clock.advance_ms(20_000);
    assert_eq!(received.pause(&viewer, 0, 295).await, 45);
    // The slot at 300 s takes the first ad view of a new viewer; that at 600 s finds none in store.
    env.clock.advance_ms(10_000);
    assert_eq!(received.pause(&viewer, 295, 310).await, 15);
    assert_eq!(received.pause(&viewer, 310, 595).await, 5);
    env.clock.advance_ms(10_000);
    assert_eq!(received.pause(&viewer, 595, 605).await, 10);

    let report = received.report(&owner, "").await;
    assert_eq!(report["videoId"], video);
    assert_eq!(
        (&report["from"], &report["to"]),
        (&json!("2026-01-31"), &json!("2026-03-02"))
    );
    let today = json!({
        "date": "2026-03-02",
        "viewCount": 1,
        "totalPlayTime": 75,
        "adViewCount": 1,
        "suppressed": {"repeat": 3, "own": 2, "rate": 1, "capped": 530, "adCapped": 1},
    });
    assert_eq!(report["items"], json!([today]));
    let day = &report["items"][0];
    let plays = [
        "/viewCount",
        "/suppressed/repeat",
        "/suppressed/own",
        "/suppressed/rate",
    ];
    assert_eq!(sum(day, &plays), received.plays);
    let seconds = ["/totalPlayTime", "/suppressed/capped"];
    assert_eq!(sum(day, &seconds), received.seconds);
    assert_eq!(sum(day, &["/adViewCount", "/suppressed/adCapped"]), 2);
    // What was suppressed of other videos is theirs.
    let path = format!("/videos/{}/suppressed", others[0]);
    let other = env.request("GET", &path, &owner).await.is(200).json();
    assert_eq!(other["items"][0]["viewCount"], 1);
    assert_eq!(sum(&other["items"][0], &["/suppressed/repeat"]), 0);

    // The next day has an item of its own.
    env.clock.advance_ms(86_400_000);
    let tokens = [env.login("owner").await, env.login("viewer").await];
    let [owner, viewer] = tokens.map(|pair| pair["accessToken"].as_str().unwrap().to_owned());
    let mut later = Received {
        plays: 0,
        seconds: 0,
        ..received
    };
    later.play(&viewer, 200).await;
    later.play(&viewer, 429).await;
    let two = later.report(&owner, "").await["items"].clone();
    assert_eq!(two[0], today);
    assert_eq!(two[1]["date"], "2026-03-03");
    assert_eq!(sum(&two[1], &plays), 2);
    let one = later.report(&owner, "?from=2026-03-03&to=2026-03-03").await;
    assert_eq!(one["items"], json!([two[1]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_days_have_their_statistics_and_only_owners_and_admins_read_them() {
    let settled = Settled::new().await;
    let env = &settled.env;
    let path = format!("/videos/5/suppressed?from={}&to={}", DAYS[0], DAYS[2]);
    let none = json!({"repeat": 0, "own": 0, "rate": 0, "capped": 0, "adCapped": 0});
    let days: Vec<Value> = DAYS
        .iter()
        .map(|day| {
            let sum = settled.sums(date(day), date(day))[&5];
            json!({
                "date": day, "viewCount": sum.views, "totalPlayTime": sum.seconds,
                "adViewCount": sum.ad_views, "suppressed": none,
            })
        })
        .collect();
    for token in [&settled.minsu.1, &settled.admin] {
        let report = env.request("GET", &path, token).await.is(200).json();
        assert_eq!(report["items"], json!(days));
    }
    let other = env.request("GET", &path, &settled.jiwoo.1).await;
    other.is_problem(403, "other-user");
    let unknown = env.request("GET", "/videos/99/suppressed", &settled.admin);
    unknown.await.is_problem(404, "no-such-video");
    for (query, field) in [
        ("from=2026-03-02&to=2026-03-01", "from"),
        ("from=2025-01-01&to=2026-03-01", "from"),
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("to=99999-01-01", "to"),
    ] {
        let path = format!("/videos/5/suppressed?{query}");
        let answer = env.request("GET", &path, &settled.minsu.1).await;
        answer.rejects_field(field);
    }
    let year = "/videos/5/suppressed?from=2025-03-01&to=2026-03-01";
    let year = env.request("GET", year, &settled.minsu.1).await.is(200);
    assert_eq!(year.json()["items"], json!(days));
}
