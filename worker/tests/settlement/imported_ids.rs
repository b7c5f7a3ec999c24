//! The ids that imports bring, and those that accounts and videos get over HTTP.

use balance_domain::{
    accounts::{Account, Role, UserId, Username},
    ids::{ASSIGNED_IDS, FIRST_ASSIGNED_ID},
    playback::Play,
    videos::{OpeningBalance, Title, VideoId},
};
use balance_store::{
    accounts::PasswordHash,
    import::{ImportRules, PlayCounts, PlayImportError},
    operations::Actor,
    videos::{Created, Creation, NewVideo},
};
use balance_test_support::settlement::{PlayBatches, TestEnv, at, even_day, play};

const DAY: &str = "2024-06-03";

async fn join(env: &TestEnv, name: &str) -> Account {
    let name = Username::parse(name).unwrap();
    let hash = PasswordHash("hash".to_owned());
    let account = env.store.create_account(&name, &hash, Role::User);
    account.await.unwrap()
}

async fn film(env: &TestEnv, owner: UserId) -> VideoId {
    let creation = Creation {
        user_id: owner,
        key: None,
    };
    let video = NewVideo {
        title: Title::parse("film").unwrap(),
        duration_s: 100,
    };
    match env.store.create_video(&creation, &video).await.unwrap() {
        Created::Id(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Gives an account an id, as the program gave it before ids had ranges.
async fn renumber(env: &TestEnv, account: &Account, id: i64) {
    let old = account.user_id;
    env.execute(&format!("UPDATE users SET id = {id} WHERE id = {old}"))
        .await;
    env.execute(&format!(
        "UPDATE credential SET user_id = {id} WHERE user_id = {old}"
    ))
    .await;
}

async fn import(
    env: &TestEnv,
    plays: Vec<Play>,
    link_accounts: bool,
) -> Result<PlayCounts, PlayImportError> {
    let rules = ImportRules {
        timezone: env.timezone,
        view_window_s: 30,
        ad_interval_s: 300,
        rules_version: 0,
        ads: 2,
        link_accounts,
    };
    let mut source = PlayBatches::sorted(plays);
    let imported = env
        .store
        .import_plays(&mut source, rules, "plays.csv", &Actor::Console);
    Ok(imported.await?.counts)
}

async fn content(env: &TestEnv) -> Vec<String> {
    let mut all = Vec::new();
    for table in ["users", "video", "ad", "play_history", "opening_balance"] {
        all.extend(
            env.rows(&format!("SELECT * FROM {table} ORDER BY 1, 2"))
                .await,
        );
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_videos_have_ids_that_imports_do_not_bring() {
    let env = TestEnv::new().await;
    let mallory = join(&env, "mallory").await;
    assert_eq!(mallory.user_id, UserId(FIRST_ASSIGNED_ID));
    let first = film(&env, mallory.user_id).await;
    assert_eq!(first, VideoId(FIRST_ASSIGNED_ID));
    // User 1,000,000 owns the videos 1 to 5, regardless of the accounts.
    env.import(&even_day(DAY, 30, 5), 0).await.unwrap();
    let largest = i64::MAX;
    env.import(&[play(largest, largest, at("2024-06-03T01:00:00Z"))], 0)
        .await
        .unwrap();
    let boss = join(&env, "boss").await;
    assert_eq!(boss.user_id, UserId(FIRST_ASSIGNED_ID + 1));
    let second = film(&env, mallory.user_id).await;
    assert_eq!(second, VideoId(FIRST_ASSIGNED_ID + 1));
    assert!(*ASSIGNED_IDS.end() < 1 << 53, "JSON numbers are exact");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_id_is_none_that_a_row_of_any_table_uses() {
    let env = TestEnv::new().await;
    let owner = join(&env, "boss").await.user_id;
    // As older versions and other programs may have left them.
    for (table, column, ids) in [
        (
            "opening_balance",
            "video_id, view_count, ad_view_count",
            [1, 2, 5],
        ),
        (
            "opening_balance",
            "video_id, view_count, ad_view_count",
            [8, 9, 10],
        ),
    ] {
        for id in ids.map(|id| *ASSIGNED_IDS.start() + id) {
            env.execute(&format!(
                "INSERT INTO {table} ({column}) VALUES ({id}, 7, 7)"
            ))
            .await;
        }
    }
    for id in [3, 6].map(|id| *ASSIGNED_IDS.start() + id) {
        env.execute(&format!(
            "INSERT INTO video (id, owner_id, title, duration_s, created_at) \
             VALUES ({id}, 1, 'x', 9, '2024-06-01 00:00:00')"
        ))
        .await;
    }
    for expected in [4, 7, 11, 12] {
        let id = film(&env, owner).await;
        assert_eq!(id.0 - ASSIGNED_IDS.start(), expected);
    }
    // No id is beyond the range.
    let end = *ASSIGNED_IDS.end();
    env.execute(&format!(
        "UPDATE next_id SET id = {end} WHERE name = 'users'"
    ))
    .await;
    assert_eq!(join(&env, "last").await.user_id, UserId(end));
    let name = Username::parse("beyond").unwrap();
    let hash = PasswordHash("hash".to_owned());
    let error = env.store.create_account(&name, &hash, Role::User).await;
    assert_eq!(error.unwrap_err().to_string(), "no id is left in users");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_ids_of_accounts_are_rejected_unless_they_are_linked() {
    let env = TestEnv::new().await;
    for (name, id) in [("mallory", 1_000_000), ("viewer", 1_250)] {
        let account = join(&env, name).await;
        renumber(&env, &account, id).await;
    }
    let before = content(&env).await;
    // The owner is in the first batch of plays, the viewer in the second.
    let plays = even_day(DAY, 1_500, 5);
    let error = import(&env, plays.clone(), false).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the files contain ids of accounts: 1250 (viewer), 1000000 (mallory); with \
         --link-accounts, their plays and videos become those of these accounts"
    );
    assert_eq!(content(&env).await, before);
    let counts = import(&env, plays, true).await.unwrap();
    assert_eq!(counts.new, 1_500);
    let names = "SELECT username FROM users WHERE id IN (1250, 1000000) ORDER BY id";
    assert_eq!(env.rows(names).await, ["viewer", "mallory"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_accounts_is_bounded() {
    let env = TestEnv::new().await;
    for first in (1..=1_100).step_by(100) {
        for (table, columns, values) in [
            (
                "users",
                "id, username, role, created_at",
                ", 'person-#', 'USER', '2024-06-01 00:00:00'",
            ),
            (
                "credential",
                "user_id, password_hash, changed_at",
                ", '', '2024-06-01 00:00:00'",
            ),
        ] {
            let rows = (first..first + 100)
                .map(|id: i32| format!("({id}{})", values.replace('#', &id.to_string())));
            let rows = rows.collect::<Vec<_>>().join(", ");
            env.execute(&format!("INSERT INTO {table} ({columns}) VALUES {rows}"))
                .await;
        }
    }
    let error = import(&env, even_day(DAY, 1_500, 5), false)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("1 (person-1), 2 (person-2), "), "{text}");
    assert!(
        text.contains("20 (person-20) and at least 980 others;"),
        "{text}"
    );
    assert!(!text.contains("person-21"), "{text}");
    let error = import(&env, even_day(DAY, 25, 5), false).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("20 (person-20) and 5 others;"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_user_with_a_password_is_no_foreign_account() {
    let env = TestEnv::new().await;
    env.import(&even_day(DAY, 30, 5), 0).await.unwrap();
    let name = Username::parse("user-7").unwrap();
    let hash = PasswordHash("hash".to_owned());
    env.store.set_password(&name, &hash).await.unwrap();
    let counts = import(&env, even_day("2024-06-04", 30, 5), false).await;
    assert_eq!(counts.unwrap().new, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn unregistered_ids_that_balance_assigns_are_rejected() {
    let env = TestEnv::new().await;
    env.import(&even_day(DAY, 30, 5), 0).await.unwrap();
    let viewer = join(&env, "viewer").await;
    let video = film(&env, viewer.user_id).await;
    let before = content(&env).await;
    let free = FIRST_ASSIGNED_ID + 1;
    let reason = "8000000000000002 is not registered, and Balance itself assigns the ids from \
                  8000000000000000 to 9007199254740991";
    let good = play(1, 1, at("2024-06-04T01:00:00Z"));
    for (column, wrong) in [
        (
            "user_id",
            Play {
                user_id: UserId(free),
                ..good
            },
        ),
        (
            "video_id",
            Play {
                video_id: VideoId(free),
                ..good
            },
        ),
        (
            "owner_id",
            Play {
                owner_id: UserId(free),
                video_id: VideoId(99),
                ..good
            },
        ),
    ] {
        for link_accounts in [false, true] {
            match import(&env, vec![good, wrong], link_accounts).await {
                Err(PlayImportError::Row {
                    column: found,
                    reason: found_reason,
                    ..
                }) => {
                    assert_eq!((found, found_reason.as_str()), (Some(column), reason));
                }
                other => panic!("{column}: {other:?}"),
            }
            assert_eq!(content(&env).await, before);
        }
    }
    let balance = |video_id| OpeningBalance {
        video_id,
        view_count: 7,
        ad_view_count: 7,
    };
    let error = env
        .store
        .import_balances(&[balance(VideoId(3)), balance(VideoId(free))])
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), format!("video_id: {reason}"));
    assert_eq!(content(&env).await, before);
    // Those that exist are accepted, the account with its consent.
    env.store.import_balances(&[balance(video)]).await.unwrap();
    let plays = vec![Play {
        user_id: viewer.user_id,
        ..good
    }];
    assert!(matches!(
        import(&env, plays.clone(), false).await,
        Err(PlayImportError::Accounts(_))
    ));
    import(&env, plays, true).await.unwrap();
}
