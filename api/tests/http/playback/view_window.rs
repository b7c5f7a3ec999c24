//! The view window with concurrent clients, over HTTP on the embedded intake.

use crate::env::TestEnv;
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_clients_of_a_hundred_users_each_user_counts_once() {
    let env = Arc::new(TestEnv::new().await);
    let (_, owner) = env.user("owner").await;
    let video = env.video(&owner, "a film", 600).await;
    let mut viewers = Vec::new();
    for number in 0..100 {
        viewers.push(env.user(&format!("viewer{number}")).await.1);
    }
    let at_once = async || {
        let mut clients = JoinSet::new();
        for viewer in viewers.iter().cycle().take(1_000) {
            let (env, viewer) = (Arc::clone(&env), viewer.clone());
            clients.spawn(async move {
                let path = format!("/videos/{video}/play");
                env.request("POST", &path, &viewer).await.code()
            });
        }
        let mut answers = BTreeMap::new();
        for status in clients.join_all().await {
            *answers.entry(status).or_insert(0) += 1;
        }
        answers
    };
    let expected = BTreeMap::from([(200, 100), (429, 900)]);
    assert_eq!(at_once().await, expected);
    env.clock.advance_ms(30_000);
    assert_eq!(
        at_once().await,
        expected,
        "exactly 30 s later each counts again"
    );
    let read = env
        .request("GET", &format!("/videos/{video}"), &owner)
        .await
        .is(200);
    assert_eq!(read.json()["viewCount"], 200);
}
