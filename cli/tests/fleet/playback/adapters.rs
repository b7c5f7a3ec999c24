//! Both adapters of the intake, with access to what they recorded.

use crate::{
    playback::intake::{ADS, LIFETIMES, VERSION, on_redis, timezone},
    queue::notifier::shared,
};
use balance_domain::{
    clock::SystemClock,
    playback::{EventId, PlayRules},
};
use balance_redis::RedisStream;
use balance_service::{
    events::stream::EventStream,
    playback::{EmbeddedIntake, intake::Intake},
};
use balance_store::{
    Store,
    events::{Content, EventKind, ShownAds},
};
use balance_test_support::{
    servers::{PASSWORD, Servers},
    stream::identity,
};
use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{collections::BTreeMap, sync::Arc};
use tempfile::TempDir;

/// An intake, and access to what it recorded.
pub(super) struct Adapter {
    pub(super) name: &'static str,
    pub(super) intake: Arc<dyn Intake>,
    pub(super) events: Events,
}

pub(super) enum Events {
    File(TempDir),
    Stream {
        stream: RedisStream,
        servers: Arc<Servers>,
        database: u32,
    },
}

/// What an intake recorded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    /// In order.
    pub(super) events: Vec<Event>,
    pub(super) ad_views: usize,
    /// By video and reason.
    pub(super) suppressed: BTreeMap<(i64, String), i64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: EventId,
    pub(super) video: i64,
    pub(super) is_counted: bool,
    pub(super) credited_s: i64,
    pub(super) reported_s: i64,
    pub(super) is_new_account: Option<bool>,
}

impl Events {
    /// Returns what the intake recorded. Entries of a stream are returned once.
    pub(super) async fn recorded(&self) -> Recorded {
        match self {
            Self::File(folder) => of_file(folder).await,
            Self::Stream {
                stream,
                servers,
                database,
            } => Recorded {
                suppressed: suppressed_in(servers, *database),
                ..of_stream(stream).await
            },
        }
    }
}

type Row = (Vec<u8>, i64, i64, i64, i64, Option<i64>);

async fn connection(folder: &TempDir) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.path().join("balance.db"));
    options.connect().await.unwrap()
}

async fn of_file(folder: &TempDir) -> Recorded {
    let mut connection = connection(folder).await;
    let events: Vec<Row> = sqlx::query_as(
        "SELECT event_id, video_id, counted, play_time, reported_time, new_account \
         FROM play_history ORDER BY occurred_at_micros, event_id",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let ads: (i64,) = sqlx::query_as("SELECT COUNT(*) FROM ad_history")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let suppressed: Vec<(i64, String, i64)> = sqlx::query_as(
        "SELECT video_id, reason, SUM(count) FROM refusal_count GROUP BY video_id, reason",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let event = |(id, video, counted, credited_s, reported_s, is_new): Row| Event {
        id: EventId(id.try_into().unwrap()),
        video,
        is_counted: counted == 1,
        credited_s,
        reported_s,
        is_new_account: is_new.map(|is_new| is_new == 1),
    };
    let suppressed = suppressed.into_iter();
    Recorded {
        events: events.into_iter().map(event).collect(),
        ad_views: usize::try_from(ads.0).unwrap(),
        suppressed: suppressed
            .map(|(video, reason, count)| ((video, reason), count))
            .collect(),
    }
}

async fn of_stream(stream: &RedisStream) -> Recorded {
    let mut ad_views = 0;
    let entries = stream.read("test", 100_000).await.unwrap().into_iter();
    let events = entries.map(|entry| {
        let Content::Event(event) = entry.content else {
            panic!("{entry:?}");
        };
        let (is_counted, credited_s, reported_s) = match event.kind {
            EventKind::Play { is_counted } => (is_counted, 0, 0),
            EventKind::Pause {
                credited_s,
                reported_s,
                ads: ShownAds::Decided(ads),
                ..
            } => {
                ad_views += ads.len();
                (false, credited_s, reported_s)
            }
            kind @ EventKind::Pause { .. } => panic!("{kind:?}"),
        };
        Event {
            id: event.id,
            video: event.video_id.0,
            is_counted,
            credited_s,
            reported_s,
            is_new_account: event.is_new_account,
        }
    });
    Recorded {
        events: events.collect(),
        ad_views,
        suppressed: BTreeMap::new(),
    }
}

/// Returns the suppressed counts of all days.
fn suppressed_in(servers: &Servers, database: u32) -> BTreeMap<(i64, String), i64> {
    let mut suppressed = BTreeMap::new();
    let keys = servers.redis.command(database, &["KEYS", "*:refused:*"]);
    for key in keys.iter().filter(|key| !key.is_empty()) {
        let fields = servers.redis.command(database, &["HGETALL", key]);
        for field in fields.chunks(2) {
            let (video, reason) = field[0].split_once(':').unwrap();
            let count = suppressed
                .entry((video.parse().unwrap(), reason.to_owned()))
                .or_insert(0);
            *count += field[1].parse::<i64>().unwrap();
        }
    }
    suppressed
}

/// Returns both adapters, without events.
pub(super) async fn adapters(rules: PlayRules) -> [Adapter; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("balance.db");
    let store = Store::open_sqlite(&path, 2, Arc::new(SystemClock)).await;
    let store: Arc<Store> = Arc::new(store.unwrap());
    let stored = store.play_rules_or_insert(&rules.into()).await.unwrap();
    assert_eq!(stored.version, VERSION);
    let mut connection = connection(&folder).await;
    for ad in ADS {
        sqlx::query("INSERT INTO ad (id, title, created_at) VALUES (?, 'ad', '2024-01-01')")
            .bind(ad.0)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let servers = shared().await;
    let database = servers.next_database();
    let stream = RedisStream::open(&servers.redis.url(PASSWORD, database), identity(), 1).unwrap();
    [
        Adapter {
            name: "embedded",
            intake: Arc::new(EmbeddedIntake::start(store, LIFETIMES, timezone())),
            events: Events::File(folder),
        },
        Adapter {
            name: "Redis",
            intake: Arc::new(on_redis(&servers, database, 1, rules).await),
            events: Events::Stream {
                stream,
                servers,
                database,
            },
        },
    ]
}
