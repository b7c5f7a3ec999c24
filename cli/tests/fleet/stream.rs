//! The stream of events on a real Redis: when a day is drained, what trimming leaves, and who gets
//! what dead consumers had. Each rule of the protocol with the trace that would break it.

use crate::{
    queue::shared,
    servers::{PASSWORD, Servers},
};
use balance_redis::RedisStream;
use balance_service::events::stream::{Closed, EventStream};
use balance_store::{
    events::{Content, Entry, EntryId},
    playback::SuppressedReason,
};
use std::{collections::BTreeMap, sync::Arc};

/// A stream of a test's own.
struct Stream {
    servers: Arc<Servers>,
    env: u32,
    stream: RedisStream,
}

/// The end of the day that the tests close, in milliseconds: long ago.
const END_MS: i64 = 1_700_000_000_000;

impl Stream {
    async fn new(shards: u16) -> Self {
        let servers = shared().await;
        let env = servers.next_place();
        let url = servers.redis.url(PASSWORD, env);
        Self {
            stream: RedisStream::open(&url, shards).unwrap(),
            servers,
            env,
        }
    }

    fn ask(&self, command: &[&str]) -> Vec<String> {
        self.servers.redis.ask(self.env, command)
    }

    /// Appends a play at an instant, in milliseconds from the day's end.
    fn add(&self, shard: u16, from_end_ms: i64) {
        let key = format!("{{s{shard}}}:events");
        let id = format!("{}-0", END_MS + from_end_ms);
        let event = format!("{:032x}", rand::random::<u128>());
        let fields = [
            "id", &event, "kind", "play", "user", "1", "video", "1", "counted", "1",
        ];
        let mut command = vec!["XADD", &key, &id];
        command.extend(fields);
        self.ask(&command);
    }

    async fn close(&self) -> Closed {
        self.stream.close(END_MS).await.unwrap()
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
        let lines = self.ask(&["XRANGE", &format!("{{s{shard}}}:events"), "-", "+"]);
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
    // The seal itself and what is after it belong to no day that closes.
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
    // A clock that was set back: the next entry is after the seal all the same.
    let added = stream.servers.redis.ask(
        stream.env,
        &[
            "EVAL",
            "return redis.pcall('XADD', KEYS[1], ARGV[1], 'kind', 'play').err or 'taken'",
            "1",
            "{s0}:events",
            &format!("{}-5", END_MS - 1),
        ],
    );
    assert!(added[0].contains("equal or smaller"), "{added:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_goes_on_is_not_sealed_unless_its_end_has_been_passed() {
    let stream = Stream::new(1).await;
    let now_s: i64 = stream.ask(&["TIME"])[0].parse().unwrap();
    let end_ms = (now_s + 3_600) * 1_000;
    let closed = stream.stream.close(end_ms).await.unwrap();
    assert_eq!(closed, Closed::NotOver);
    assert_eq!(stream.ids(0), [""; 0]);
    // The clock was ahead, and is set back: an entry beyond the end is as good as a seal.
    let beyond = format!("{}-3", end_ms + 5);
    stream.ask(&["XADD", "{s0}:events", &beyond, "seal", "x"]);
    let closed = stream.stream.close(end_ms).await.unwrap();
    assert_eq!((closed, stream.ids(0)), (Closed::Drained, vec![beyond]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_group_is_made_at_the_beginning_and_an_emptied_shard_is_sealed_anew() {
    let stream = Stream::new(1).await;
    stream.add(0, -7);
    // Nobody has read yet, so there is no group: that is not empty.
    assert_eq!(stream.close().await, Closed::Waiting);
    let ids = stream.read().await;
    assert_eq!(ids.len(), 2);
    stream.ask(&["XGROUP", "DESTROY", "{s0}:events", "drain"]);
    assert_eq!(stream.close().await, Closed::Waiting, "all of it again");
    assert_eq!(stream.read().await, ids);
    stream.acknowledge(&ids).await;
    assert_eq!(stream.close().await, Closed::Drained);
    stream.ask(&["FLUSHDB"]);
    assert_eq!(stream.close().await, Closed::Drained);
    assert_eq!(stream.ids(0), [seal()]);
    stream.ask(&["FLUSHDB"]);
    assert_eq!(stream.read().await, [], "reading makes the group too");
}

#[tokio::test(flavor = "multi_thread")]
async fn trimming_never_passes_what_is_written_down() {
    let stream = Stream::new(1).await;
    let trim = async || stream.stream.trim(END_MS - 10).await.unwrap();
    trim().await;
    assert_eq!(stream.ids(0), [""; 0], "no stream, no group");
    for from_end_ms in [-50, -40, -30, -20, -5] {
        stream.add(0, from_end_ms);
    }
    trim().await;
    assert_eq!(stream.ids(0).len(), 5, "nobody has read");
    let ids = stream.read().await;
    trim().await;
    assert_eq!(stream.ids(0).len(), 5, "nothing is acknowledged");
    stream.acknowledge(&[ids[0], ids[2]]).await;
    trim().await;
    assert_eq!(stream.ids(0).len(), 4, "up to the first that waits");
    stream.acknowledge(&ids[1..4]).await;
    trim().await;
    assert_eq!(stream.ids(0), [format!("{}-0", END_MS - 5)], "the old ones");
    stream.acknowledge(&ids[4..]).await;
    stream.stream.trim(END_MS + 1_000).await.unwrap();
    assert_eq!(stream.ids(0).len(), 1, "the last delivered one stays");
    // What was not delivered stays, however old.
    stream.add(0, -1);
    stream.stream.trim(END_MS + 1_000).await.unwrap();
    assert_eq!(stream.read().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_consumer_had_comes_to_another() {
    let stream = Stream::new(1).await;
    stream.add(0, -2);
    stream.add(0, -1);
    let ids = stream.read_as("dead").await;
    assert_eq!(ids.len(), 2);
    assert_eq!(stream.read_as("other").await, [], "it may still live");
    // As if it had had them for a minute.
    let all: Vec<String> = ids
        .iter()
        .map(|id| format!("{}-{}", id.ms, id.sequence))
        .collect();
    let mut claim = vec!["XCLAIM", "{s0}:events", "drain", "dead", "0"];
    claim.extend(all.iter().map(String::as_str));
    claim.extend(["IDLE", "60000"]);
    stream.ask(&claim);
    assert_eq!(stream.read_as("other").await, ids);
    assert_eq!(stream.close().await, Closed::Waiting);
    stream.acknowledge(&ids).await;
    assert_eq!(stream.close().await, Closed::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_consumers_are_forgotten_unless_they_have_something() {
    let stream = Stream::new(1).await;
    stream.add(0, -2);
    let ids = stream.read_as("one").await;
    stream.add(0, -1);
    let of_two = stream.read_as("two").await;
    stream.acknowledge(&of_two).await;
    let consumers = || {
        let lines = stream.ask(&["XINFO", "CONSUMERS", "{s0}:events", "drain"]);
        let is_name = |line: &&String| ["one", "two"].contains(&line.as_str());
        lines.iter().filter(is_name).cloned().collect::<Vec<_>>()
    };
    let script = include_str!("../../../lua/trim.lua");
    let trim = |silent_ms| {
        stream.ask(&["EVAL", script, "1", "{s0}:events", "drain", "0", silent_ms]);
    };
    trim("3600000");
    assert_eq!(consumers(), ["one", "two"], "not silent for long");
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    trim("1");
    assert_eq!(consumers(), ["one"]);
    stream.acknowledge(&ids).await;
    assert_eq!(stream.close().await, Closed::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_are_not_ours_are_told() {
    let stream = Stream::new(1).await;
    stream.ask(&["XADD", "{s0}:events", "5-1", "what", "ever"]);
    stream.ask(&["XADD", "{s0}:events", "5-2", "kind", "play", "id", "x"]);
    let entries: Vec<Entry> = stream.stream.read("one", 10).await.unwrap();
    for entry in entries {
        let Content::Foreign { payload, reason } = entry.content else {
            panic!("{entry:?}");
        };
        assert!(!payload.is_empty() && reason.starts_with("i"), "{reason}");
    }
    // Of another type than a stream: an error, and no panic.
    let stream = Stream::new(1).await;
    stream.ask(&["SET", "{s0}:events", "x"]);
    assert!(stream.stream.read("one", 10).await.is_err());
    assert!(stream.stream.close(END_MS).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_retained_is_read_again_and_nobody_notices() {
    let stream = Stream::new(2).await;
    assert_eq!(stream.stream.retained().await.unwrap(), []);
    for from_end_ms in [-50, -40, -30, -20] {
        stream.add(1, from_end_ms);
    }
    stream.add(5, -10);
    let delivered = stream.read().await;
    stream.acknowledge(&delivered[..1]).await;
    stream.add(1, -10);
    let group = ["XINFO", "GROUPS", "{s1}:events"];
    let before = stream.ask(&group);
    let retained = stream.stream.retained().await.unwrap();
    let of = |shard: usize| (retained[shard].shard, retained[shard].entries);
    assert_eq!(
        (retained.len(), of(0), of(1)),
        (2, (1, 5), (5, 1)),
        "a shard beyond ours is told, an empty one is not"
    );
    // Up to what was the newest, in groups, whatever became of it.
    stream.add(1, -5);
    let (mut after, mut again) = (None, Vec::new());
    loop {
        let entries = stream.stream.reread(after, retained[0].newest, 2).await;
        let entries = entries.unwrap();
        assert!(entries.len() <= 2);
        let Some(last) = entries.last() else { break };
        after = Some(last.id);
        again.extend(entries.iter().map(|entry| entry.id.ms - END_MS));
    }
    assert_eq!(again, [-50, -40, -30, -20, -10]);
    let unchanged = |lines: &[String]| lines[..lines.len() - 2].to_vec();
    assert_eq!(unchanged(&stream.ask(&group)), unchanged(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_refusals_are_read_page_by_page_and_foreign_ones_are_left_out() {
    const VIDEOS: i64 = 700;
    let stream = Stream::new(2).await;
    let script = "for n = 1, tonumber(ARGV[1]) do \
                  redis.call('HSET', KEYS[1], n .. ':repeat', n, n .. ':capped', 2 * n) end \
                  redis.call('HSET', KEYS[1], 'x:own', 1, '7:else', 1, '7:own', 'many', '8:own', 0) \
                  return 'OK'";
    let key = "{s1}:refused:2024-06-01";
    stream.ask(&["EVAL", script, "1", key, &VIDEOS.to_string()]);
    let date = "2024-06-01".parse().unwrap();
    let (mut found, mut pages, mut cursor) = (BTreeMap::new(), 0, Some(0));
    while let Some(from) = cursor {
        let page = stream.stream.suppressed(1, date, from, 100).await.unwrap();
        for one in &page.counts {
            assert_eq!(one.date, date);
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
    let nothing = stream.stream.suppressed(0, date, 0, 100).await.unwrap();
    assert_eq!((nothing.counts.len(), nothing.next), (0, None));
}
