//! The event stream on a real Redis: drained days, trimming, and entries of dead consumers. Each
//! rule of the protocol has the sequence that would break it.

use crate::queue::notifier::shared;
use balance_domain::clock::{Clock, SystemClock};
use balance_redis::RedisStream;
use balance_service::events::stream::{Closed, EventStream};
use balance_store::{
    events::{Content, Entry, EntryId, StreamLayout, SuppressedShard},
    playback::SuppressedReason,
};
use balance_test_support::{
    servers::{PASSWORD, Servers},
    stream::{IDENTITY, identity},
};
use std::{collections::BTreeMap, sync::Arc};

/// A stream in a separate database.
pub(super) struct Stream {
    servers: Arc<Servers>,
    database: u32,
    pub(super) stream: RedisStream,
}

/// The end of the day that the tests close, in milliseconds since 1970 (UTC).
const END_MS: i64 = 1_700_000_000_000;

/// Returns the time, in milliseconds since 1970 (UTC).
pub(crate) fn now_ms() -> i64 {
    SystemClock.now_micros() / 1_000
}

/// Returns the key of a shard's stream.
pub(super) fn key(shard: u16) -> String {
    format!("{{{IDENTITY}:u{shard}}}:events")
}

impl Stream {
    pub(super) async fn new(shards: u16) -> Self {
        let servers = shared().await;
        let database = servers.next_database();
        let url = servers.redis.url(PASSWORD, database);
        let stream = RedisStream::open(&url, identity(), shards).unwrap();
        stream.create().await.unwrap();
        Self {
            stream,
            servers,
            database,
        }
    }

    pub(super) fn command(&self, command: &[&str]) -> Vec<String> {
        self.servers.redis.command(self.database, command)
    }

    /// Appends a play at an instant, in milliseconds after the end of the day.
    fn add(&self, shard: u16, from_end_ms: i64) {
        let key = key(shard);
        let id = format!("{}-0", END_MS + from_end_ms);
        let event = format!("{:032x}", rand::random::<u128>());
        let fields = [
            "id", &event, "kind", "play", "user", "1", "video", "1", "counted", "1",
        ];
        let mut command = vec!["XADD", &key, &id];
        command.extend(fields);
        self.command(&command);
    }

    async fn close(&self) -> Closed {
        self.stream.close(END_MS, now_ms()).await.unwrap()
    }

    async fn read(&self) -> Vec<EntryId> {
        self.read_as("one").await
    }

    async fn read_as(&self, consumer: &str) -> Vec<EntryId> {
        let entries = self.stream.read(consumer, 100).await.unwrap();
        entries.iter().map(|entry| entry.id).collect()
    }

    async fn acknowledge(&self, ids: &[EntryId]) {
        self.stream.acknowledge(ids).await.unwrap();
    }

    fn ids(&self, shard: u16) -> Vec<String> {
        let lines = self.command(&["XRANGE", &key(shard), "-", "+"]);
        let is_id = |line: &String| {
            line.split_once('-').is_some_and(|(ms, sequence)| {
                ms.parse::<i64>().is_ok() && sequence.parse::<i64>().is_ok()
            })
        };
        lines.into_iter().filter(is_id).collect()
    }
}

fn seal() -> String {
    format!("{END_MS}-0")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_drained_when_all_of_it_was_delivered_and_acknowledged() {
    let stream = Stream::new(1).await;
    stream.add(0, -2);
    stream.add(0, -1);
    assert_eq!(stream.close().await, Closed::Waiting, "not delivered");
    let ids = stream.read().await;
    assert_eq!(ids.len(), 3, "two plays and the seal");
    assert_eq!(stream.close().await, Closed::Waiting, "not acknowledged");
    stream.acknowledge(&ids[..1]).await;
    assert_eq!(stream.close().await, Closed::Waiting, "one of two");
    stream.acknowledge(&ids[1..2]).await;
    assert_eq!(stream.close().await, Closed::Drained);
    // The seal and later entries do not belong to the day.
    stream.add(0, 5);
    let later = stream.read().await;
    assert_eq!((later.len(), stream.close().await), (1, Closed::Drained));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_shard_is_sealed_once_and_nothing_can_come_before_its_seal() {
    let stream = Stream::new(3).await;
    stream.add(1, -1);
    assert_eq!(stream.close().await, Closed::Waiting);
    assert_eq!(stream.close().await, Closed::Waiting, "another closer");
    for shard in [0, 2] {
        assert_eq!(stream.ids(shard), [seal()], "shard {shard}");
    }
    assert_eq!(stream.ids(1).len(), 2);
    let ids = stream.read().await;
    stream.acknowledge(&ids).await;
    assert_eq!(stream.close().await, Closed::Drained);
    // Even after a clock change, an entry before the seal is rejected.
    let added = stream.servers.redis.command(
        stream.database,
        &[
            "EVAL",
            "return redis.pcall('XADD', KEYS[1], ARGV[1], 'kind', 'play').err or 'accepted'",
            "1",
            &key(0),
            &format!("{}-5", END_MS - 1),
        ],
    );
    assert!(added[0].contains("equal or smaller"), "{added:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_day_is_not_sealed_unless_its_end_has_been_passed() {
    let stream = Stream::new(1).await;
    let now_s: i64 = stream.command(&["TIME"])[0].parse().unwrap();
    let end_ms = (now_s + 60) * 1_000;
    let closed = stream.stream.close(end_ms, now_ms()).await.unwrap();
    assert_eq!(closed, Closed::NotOver);
    assert_eq!(stream.ids(0), [""; 0]);
    // After a clock change, an entry beyond the end has the effect of a seal.
    let beyond = format!("{}-3", end_ms + 5);
    stream.command(&["XADD", &key(0), &beyond, "seal", "x"]);
    let closed = stream.stream.close(end_ms, now_ms()).await.unwrap();
    assert_eq!((closed, stream.ids(0)), (Closed::Drained, vec![beyond]));
    // After a large change it is the entry of a wrong clock.
    let wrong = format!("{}-3", end_ms + 600_000);
    stream.command(&["XADD", &key(0), &wrong, "seal", "x"]);
    let closed = stream.stream.close(end_ms, now_ms()).await.unwrap();
    assert_eq!(closed, Closed::WrongClock);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_group_is_created_at_the_start_and_a_missing_stream_is_an_error() {
    let stream = Stream::new(1).await;
    stream.add(0, -7);
    // Without a read there is no group, and the entries count as waiting.
    assert_eq!(stream.close().await, Closed::Waiting);
    let ids = stream.read().await;
    assert_eq!(ids.len(), 2);
    stream.command(&["XGROUP", "DESTROY", &key(0), "drain"]);
    assert_eq!(stream.close().await, Closed::Waiting, "all of it again");
    assert_eq!(stream.read().await, ids);
    stream.acknowledge(&ids).await;
    assert_eq!(stream.close().await, Closed::Drained);
    // A stream that was lost is never taken for an empty one.
    stream.command(&["FLUSHDB"]);
    for error in [
        stream.stream.close(END_MS, now_ms()).await.unwrap_err(),
        stream.stream.read("one", 1).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("is missing"), "{error}");
    }
    assert_eq!(stream.ids(0), [""; 0]);
    stream.stream.create().await.unwrap();
    assert_eq!(stream.close().await, Closed::Drained);
    assert_eq!(stream.ids(0), [seal()]);
    stream.command(&["XGROUP", "DESTROY", &key(0), "drain"]);
    assert_eq!(
        stream.read().await.len(),
        1,
        "reading creates the group too"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn trimming_never_deletes_entries_that_are_not_acknowledged() {
    let stream = Stream::new(1).await;
    let trim = async || stream.stream.trim(END_MS - 10).await.unwrap();
    trim().await;
    assert_eq!(stream.ids(0), [""; 0], "no stream, no group");
    for from_end_ms in [-50, -40, -30, -20, -5] {
        stream.add(0, from_end_ms);
    }
    trim().await;
    assert_eq!(stream.ids(0).len(), 5, "no entry is delivered");
    let ids = stream.read().await;
    trim().await;
    assert_eq!(stream.ids(0).len(), 5, "nothing is acknowledged");
    stream.acknowledge(&[ids[0], ids[2]]).await;
    trim().await;
    assert_eq!(stream.ids(0).len(), 4, "up to the first waiting entry");
    stream.acknowledge(&ids[1..4]).await;
    trim().await;
    assert_eq!(
        stream.ids(0),
        [format!("{}-0", END_MS - 5)],
        "the old entries"
    );
    stream.acknowledge(&ids[4..]).await;
    stream.stream.trim(END_MS + 1_000).await.unwrap();
    assert_eq!(stream.ids(0).len(), 1, "the last delivered one stays");
    // Entries that are not delivered stay, regardless of their age.
    stream.add(0, -1);
    stream.stream.trim(END_MS + 1_000).await.unwrap();
    assert_eq!(stream.read().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_dead_consumer_go_to_another() {
    let stream = Stream::new(1).await;
    stream.add(0, -2);
    stream.add(0, -1);
    let ids = stream.read_as("dead").await;
    assert_eq!(ids.len(), 2);
    assert_eq!(
        stream.read_as("other").await,
        [],
        "the consumer may be alive"
    );
    // Makes the entries idle for a minute.
    let all: Vec<String> = ids
        .iter()
        .map(|id| format!("{}-{}", id.ms, id.sequence))
        .collect();
    let of_shard = key(0);
    let mut claim = vec!["XCLAIM", &of_shard, "drain", "dead", "0"];
    claim.extend(all.iter().map(String::as_str));
    claim.extend(["IDLE", "60000"]);
    stream.command(&claim);
    assert_eq!(stream.read_as("other").await, ids);
    assert_eq!(stream.close().await, Closed::Waiting);
    stream.acknowledge(&ids).await;
    assert_eq!(stream.close().await, Closed::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_consumers_without_entries_are_deleted() {
    let stream = Stream::new(1).await;
    stream.add(0, -2);
    let ids = stream.read_as("one").await;
    stream.add(0, -1);
    let of_two = stream.read_as("two").await;
    stream.acknowledge(&of_two).await;
    let consumers = || {
        let lines = stream.command(&["XINFO", "CONSUMERS", &key(0), "drain"]);
        let is_name = |line: &&String| ["one", "two"].contains(&line.as_str());
        lines.iter().filter(is_name).cloned().collect::<Vec<_>>()
    };
    let script = include_str!("../../../../lua/trim.lua");
    let trim = |idle_ms| {
        stream.command(&["EVAL", script, "1", &key(0), "drain", "0", idle_ms]);
    };
    trim("3600000");
    assert_eq!(consumers(), ["one", "two"], "not idle for long");
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    trim("1");
    assert_eq!(consumers(), ["one"]);
    stream.acknowledge(&ids).await;
    assert_eq!(stream.close().await, Closed::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_entries_are_reported() {
    let stream = Stream::new(1).await;
    stream.command(&["XADD", &key(0), "5-1", "foreign", "field"]);
    stream.command(&["XADD", &key(0), "5-2", "kind", "play", "id", "x"]);
    let entries: Vec<Entry> = stream.stream.read("one", 10).await.unwrap();
    for entry in entries {
        let Content::Invalid { payload, reason } = entry.content else {
            panic!("{entry:?}");
        };
        assert!(
            !payload.is_empty() && reason.starts_with("field id "),
            "{reason}"
        );
    }
    // A key of another type is an error without a panic.
    let stream = Stream::new(1).await;
    stream.command(&["SET", &key(0), "x"]);
    assert!(stream.stream.read("one", 10).await.is_err());
    assert!(stream.stream.close(END_MS, now_ms()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn rereading_retained_entries_changes_no_state() {
    let stream = Stream::new(2).await;
    assert_eq!(stream.stream.retained().await.unwrap(), []);
    for from_end_ms in [-50, -40, -30, -20] {
        stream.add(1, from_end_ms);
    }
    stream.add(5, -10);
    let delivered = stream.read().await;
    stream.acknowledge(&delivered[..1]).await;
    stream.add(1, -10);
    let group = ["XINFO", "GROUPS", &key(1)];
    let before = stream.command(&group);
    let retained = stream.stream.retained().await.unwrap();
    let of = |shard: usize| (retained[shard].shard, retained[shard].entries);
    assert_eq!(
        (retained.len(), of(0), of(1)),
        (2, (1, 5), (5, 1)),
        "further shards are listed, empty ones are not"
    );
    // Reads in groups up to the entry that was the newest, acknowledged or not.
    stream.add(1, -5);
    let (mut after, mut again) = (None, Vec::new());
    loop {
        let entries = stream.stream.reread(retained[0], after, 2).await;
        let entries = entries.unwrap();
        assert!(entries.len() <= 2);
        let Some(last) = entries.last() else { break };
        after = Some(last.id);
        again.extend(entries.iter().map(|entry| entry.id.ms - END_MS));
    }
    assert_eq!(again, [-50, -40, -30, -20, -10]);
    let unchanged = |lines: &[String]| lines[..lines.len() - 2].to_vec();
    assert_eq!(unchanged(&stream.command(&group)), unchanged(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn suppressed_counts_are_read_page_by_page_without_foreign_fields() {
    const VIDEOS: i64 = 700;
    let stream = Stream::new(2).await;
    let script = "for n = 1, tonumber(ARGV[1]) do \
                  redis.call('HSET', KEYS[1], n .. ':repeat', n, n .. ':capped', 2 * n) end \
                  redis.call('HSET', KEYS[1], 'x:own', 1, '7:else', 1, '7:own', 'many', '8:own', 0) \
                  return 'OK'";
    let key = &format!("{{{IDENTITY}:u1}}:refused:2024-06-01");
    stream.command(&["EVAL", script, "1", key, &VIDEOS.to_string()]);
    let date = "2024-06-01".parse().unwrap();
    let of = |number| SuppressedShard {
        layout: StreamLayout::ByViewer,
        number,
    };
    let (mut found, mut pages, mut cursor) = (BTreeMap::new(), 0, Some(0));
    while let Some(from) = cursor {
        let page = stream.stream.suppressed(of(1), date, from, 100).await;
        let page = page.unwrap();
        for one in &page.counts {
            assert_eq!((one.date, one.shard), (date, of(1)));
            found.insert((one.video_id.0, one.reason), one.count);
        }
        (pages, cursor) = (pages + 1, page.next);
    }
    let expected: BTreeMap<_, _> = (1..=VIDEOS)
        .flat_map(|video| {
            [
                ((video, SuppressedReason::Repeat), video),
                ((video, SuppressedReason::Capped), 2 * video),
            ]
        })
        .collect();
    assert_eq!(found, expected);
    assert!(pages > 5, "{pages} pages");
    let empty = stream.stream.suppressed(of(0), date, 0, 100).await;
    let empty = empty.unwrap();
    assert_eq!((empty.counts.len(), empty.next), (0, None));
}
