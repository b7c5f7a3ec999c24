//! The entries of the event stream, as an operator sees them.

use crate::env::TestEnv;
use balance_test_support::{
    http::{Key, PlaybackAction},
    servers::Redis,
};
use std::collections::BTreeSet;

/// The time and the number of an entry.
pub(super) type Id = (u64, u64);

/// An entry of a play or pause.
#[derive(Debug, Clone)]
pub(super) struct StreamEntry {
    pub(super) id: Id,
    pub(super) key: Key,
}

/// The stream and the position of the event writers.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) entries: Vec<StreamEntry>,
    pub(super) delivered: Id,
    pub(super) pending: BTreeSet<Id>,
}

/// An entry that is lost, from the stream or with its server.
#[derive(Debug, Clone)]
pub(super) struct Gone {
    pub(super) key: Key,
    pub(super) is_unread: bool,
    pub(super) is_pending: bool,
}

fn id(text: &str) -> Option<Id> {
    let (ms, number) = text.split_once('-')?;
    Some((ms.parse().ok()?, number.parse().ok()?))
}

pub(super) fn text((ms, number): Id) -> String {
    format!("{ms}-{number}")
}

/// Reads the stream of an environment on a server. A missing stream has no entries.
pub(super) fn read(env: &TestEnv, server: &Redis, stream: &str) -> State {
    if server.command(env.number, &["EXISTS", stream]) == ["0"] {
        return State::default();
    }
    let lines = server.command(env.number, &["XRANGE", stream, "-", "+"]);
    let groups = server.command(env.number, &["XINFO", "GROUPS", stream]);
    let delivered = groups
        .iter()
        .position(|line| line == "last-delivered-id")
        .and_then(|at| id(&groups[at + 1]));
    let pending = match delivered {
        Some(_) => {
            let query = ["XPENDING", stream, "drain", "-", "+", "100000"];
            let lines = server.command(env.number, &query);
            lines.iter().filter_map(|line| id(line)).collect()
        }
        None => BTreeSet::new(),
    };
    State {
        entries: parse(&lines),
        delivered: delivered.unwrap_or_default(),
        pending,
    }
}

/// Parses the reply of XRANGE: an ID, then the names and values of the entry.
fn parse(lines: &[String]) -> Vec<StreamEntry> {
    let mut starts: Vec<usize> = (0..lines.len())
        .filter(|at| id(&lines[*at]).is_some())
        .collect();
    starts.push(lines.len());
    let entries = starts.windows(2).filter_map(|range| {
        let (id, fields) = (id(&lines[range[0]])?, &lines[range[0] + 1..range[1]]);
        let value = |name: &str| {
            let mut pairs = fields.chunks(2);
            pairs
                .find(|pair| pair[0] == name)
                .map(|pair| pair[1].as_str())
        };
        let number = |name| value(name)?.parse::<i64>().ok();
        let action = match value("kind")? {
            "play" => PlaybackAction::Play,
            _ => PlaybackAction::Pause,
        };
        let key = (number("user")?, number("video")?, action);
        Some(StreamEntry { id, key })
    });
    entries.collect()
}

impl State {
    /// Whether the event writers have acknowledged all entries.
    pub(super) fn is_persisted(&self) -> bool {
        self.pending.is_empty() && self.unread().next().is_none()
    }

    pub(super) fn unread(&self) -> impl Iterator<Item = &StreamEntry> {
        self.entries
            .iter()
            .filter(|entry| entry.id > self.delivered)
    }

    pub(super) fn read(&self) -> impl Iterator<Item = &StreamEntry> {
        self.entries
            .iter()
            .filter(|entry| entry.id <= self.delivered && !self.pending.contains(&entry.id))
    }

    /// Describes the loss of an entry.
    pub(super) fn gone(&self, entry: &StreamEntry) -> Gone {
        Gone {
            key: entry.key,
            is_unread: entry.id > self.delivered,
            is_pending: self.pending.contains(&entry.id),
        }
    }
}
