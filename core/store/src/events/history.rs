//! Writing events down: into the history, among the late ones, among the rejected ones.

use crate::{
    Store, StoreError, StoreResult,
    events::{Content, Drained, Entry, EntryId, EventKind, PlaybackEvent, SuppressedCount},
    settlement::days::closed_through,
    sql::{retry::on_conflict, statement::params, tx::Tx},
    videos::catalog,
};
use balance_domain::{
    calendar::BusinessTimezone,
    playback::EventId,
    videos::{AdId, AdSchedule},
};
use chrono::NaiveDate;
use std::collections::{HashMap, HashSet};

const MICROS_PER_MS: i64 = 1_000;
/// The most of a payload or a reason that is kept, in characters.
const KEPT: usize = 1_000;

impl Store {
    /// Writes a group of entries in one transaction: each event into the history of its instant's
    /// day, or, where that is closed and nothing holds it yet, among the late ones. Written again
    /// it changes nothing. `ad_interval_s` is the distance of two ad slots.
    pub async fn write_entries(
        &self,
        entries: &[Entry],
        timezone: BusinessTimezone,
        ad_interval_s: u32,
    ) -> StoreResult<Drained> {
        let group = Group::sort(entries, timezone);
        match on_conflict(|| write(self, &group, ad_interval_s)).await {
            Err(StoreError::Data(reason)) => match entries {
                // This very one can never be written.
                [entry] => {
                    let group = Group::rejected(entry, &reason);
                    on_conflict(|| write(self, &group, ad_interval_s)).await
                }
                _ => Err(StoreError::Data(reason)),
            },
            written => written,
        }
    }

    /// Keeps what was refused so far, in one transaction. A count that is there already only ever
    /// grows, so that the same counts, or older ones, change nothing.
    pub async fn save_suppressed(&self, counts: &[SuppressedCount]) -> StoreResult<()> {
        let mut counts = counts.to_vec();
        // In one order, so that workers who keep the same counts wait for each other.
        counts.sort_unstable_by_key(|one| (one.date, one.video_id.0, one.reason));
        // A look costs less than a write, and most are kept already: by us, or by another worker.
        drop_kept(self, &mut counts).await?;
        if counts.is_empty() {
            return Ok(());
        }
        on_conflict(|| write_suppressed(self, &counts)).await
    }
}

/// An event with its instant and day.
struct Timed {
    event: PlaybackEvent,
    at_micros: i64,
    date: NaiveDate,
}

impl Timed {
    /// Counted views, credited and reported seconds.
    const fn numbers(&self) -> (i64, i64, i64) {
        match self.event.what {
            EventKind::Play { is_counted } => (is_counted as i64, 0, 0),
            EventKind::Pause {
                credited_s,
                reported_s,
                ..
            } => (0, credited_s, reported_s),
        }
    }
}

struct Rejected {
    id: EntryId,
    event_id: Option<EventId>,
    payload: String,
    reason: String,
}

impl Rejected {
    fn new(entry: &Entry, reason: &str) -> Self {
        let (event_id, payload) = match &entry.content {
            Content::Event(event) => (Some(event.id), format!("{event:?}")),
            content => (None, format!("{content:?}")),
        };
        Self {
            id: entry.id,
            event_id,
            payload: cut(&payload),
            reason: cut(reason),
        }
    }
}

/// A group of entries by what they say.
#[derive(Default)]
struct Group {
    events: Vec<Timed>,
    rejected: Vec<Rejected>,
}

impl Group {
    fn sort(entries: &[Entry], timezone: BusinessTimezone) -> Self {
        let mut group = Self::default();
        for entry in entries {
            match &entry.content {
                Content::Seal => {}
                Content::Event(event) => {
                    let at_micros = entry.id.ms.saturating_mul(MICROS_PER_MS);
                    match timezone.day_of(at_micros) {
                        Ok(day) => group.events.push(Timed {
                            event: *event,
                            at_micros,
                            date: day.date,
                        }),
                        Err(error) => group
                            .rejected
                            .push(Rejected::new(entry, &error.to_string())),
                    }
                }
                Content::Foreign { payload, reason } => group.rejected.push(Rejected {
                    id: entry.id,
                    event_id: None,
                    payload: cut(payload),
                    reason: cut(reason),
                }),
            }
        }
        group
    }

    fn rejected(entry: &Entry, reason: &str) -> Self {
        Self {
            events: Vec::new(),
            rejected: vec![Rejected::new(entry, reason)],
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(KEPT).collect()
}

async fn write(store: &Store, group: &Group, ad_interval_s: u32) -> StoreResult<Drained> {
    let mut tx = store.db.write().await?;
    // First, shared: the day stays open, or closed, until the commit.
    let lock = tx.for_share();
    let closed = closed_through(&mut tx, lock).await?;
    let (late, open): (Vec<&Timed>, Vec<&Timed>) = group
        .events
        .iter()
        .partition(|timed| closed.is_some_and(|closed| timed.date <= closed));
    // What was rejected once stays so, even where it could be written by now.
    let owned = owned(&mut tx, &open, &["play_history", "rejected_event"]).await?;
    let new = unheld(open, &owned);
    write_history(&mut tx, &new).await?;
    write_ads(&mut tx, &new, ad_interval_s).await?;
    let owned = owned_anywhere(&mut tx, &late).await?;
    let late = unheld(late, &owned);
    write_late(&mut tx, &late).await?;
    write_rejected(&mut tx, &group.rejected).await?;
    tx.commit().await?;
    let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
    Ok(Drained {
        new: count(new.len()),
        late: count(late.len()),
        known: count(group.events.len() - new.len() - late.len()),
        rejected: count(group.rejected.len()),
    })
}

/// Those that nothing holds, each once.
fn unheld<'a>(events: Vec<&'a Timed>, owned: &HashSet<EventId>) -> Vec<&'a Timed> {
    let mut seen = HashSet::with_capacity(events.len());
    events
        .into_iter()
        .filter(|timed| !owned.contains(&timed.event.id) && seen.insert(timed.event.id))
        .collect()
}

/// Ids of one IN list.
const IN_LIST: usize = 1_000;

async fn owned_anywhere(tx: &mut Tx, events: &[&Timed]) -> StoreResult<HashSet<EventId>> {
    owned(
        tx,
        events,
        &["play_history", "late_event", "rejected_event"],
    )
    .await
}

/// Which of the events some table holds already.
async fn owned(tx: &mut Tx, events: &[&Timed], tables: &[&str]) -> StoreResult<HashSet<EventId>> {
    let mut owned = HashSet::new();
    let dates: HashSet<NaiveDate> = events.iter().map(|timed| timed.date).collect();
    for date in dates {
        let of_day: Vec<&Timed> = events
            .iter()
            .filter(|timed| timed.date == date)
            .copied()
            .collect();
        for table in tables {
            // The history's key begins with the date.
            let head = match *table {
                "play_history" => format!(
                    "SELECT event_id FROM play_history WHERE date = '{date}' AND event_id IN "
                ),
                _ => format!("SELECT event_id FROM {table} WHERE event_id IN "),
            };
            for some in of_day.chunks(IN_LIST) {
                let ids: Vec<&[u8]> = some.iter().map(|timed| &timed.event.id.0[..]).collect();
                let rows: Vec<(Vec<u8>,)> = tx.fetch_in(head.as_str(), ids, "", &[]).await?;
                owned.extend(
                    rows.iter()
                        .filter_map(|(id,)| id.as_slice().try_into().ok().map(EventId)),
                );
            }
        }
    }
    Ok(owned)
}

async fn write_history(tx: &mut Tx, events: &[&Timed]) -> StoreResult<()> {
    let keep = tx.on_conflict_keep("date, event_id");
    tx.insert_rows(
        "INSERT INTO play_history (date, event_id, video_id, user_id, occurred_at_micros, \
         counted, play_time, reported_time) ",
        &events[..],
        |timed| {
            let (counted, credited_s, reported_s) = timed.numbers();
            params![
                timed.date,
                timed.event.id.0.to_vec(),
                timed.event.video_id.0,
                timed.event.user_id.0,
                timed.at_micros,
                counted,
                credited_s,
                reported_s
            ]
        },
        keep.as_str(),
    )
    .await?;
    Ok(())
}

async fn write_ads(tx: &mut Tx, events: &[&Timed], ad_interval_s: u32) -> StoreResult<()> {
    let interval_s = i64::from(ad_interval_s.max(1));
    let passed: Vec<(&Timed, i64, i64)> = events
        .iter()
        .filter_map(|timed| match timed.event.what {
            EventKind::Pause {
                from_s, credited_s, ..
            } if timed.event.what.passes_a_slot(interval_s) => {
                Some((*timed, from_s, from_s + credited_s))
            }
            _ => None,
        })
        .collect();
    if passed.is_empty() {
        return Ok(());
    }
    let ids = catalog::ensure_ads(tx, 0).await?;
    let schedule = AdSchedule::new(interval_s, ids.into_iter().map(AdId).collect());
    let shown: Vec<_> = passed
        .into_iter()
        .flat_map(|(timed, from_s, upto_s)| {
            schedule
                .shown(from_s, upto_s)
                .map(move |slot| (timed, slot))
                .collect::<Vec<_>>()
        })
        .collect();
    let keep = tx.on_conflict_keep("date, video_id, user_id, slot_s");
    tx.insert_rows(
        "INSERT INTO ad_history (date, video_id, user_id, slot_s, ad_id) ",
        &shown[..],
        |shown| {
            let (timed, slot) = shown;
            params![
                timed.date,
                timed.event.video_id.0,
                timed.event.user_id.0,
                slot.slot_s,
                slot.ad_id.0
            ]
        },
        keep.as_str(),
    )
    .await?;
    Ok(())
}

async fn write_late(tx: &mut Tx, events: &[&Timed]) -> StoreResult<()> {
    let now = tx.now();
    let keep = tx.on_conflict_keep("event_id");
    tx.insert_rows(
        "INSERT INTO late_event (event_id, date, video_id, user_id, occurred_at_micros, \
         counted, play_time, reported_time, received_at) ",
        &events[..],
        |timed| {
            let (counted, credited_s, reported_s) = timed.numbers();
            params![
                timed.event.id.0.to_vec(),
                timed.date,
                timed.event.video_id.0,
                timed.event.user_id.0,
                timed.at_micros,
                counted,
                credited_s,
                reported_s,
                now
            ]
        },
        keep.as_str(),
    )
    .await?;
    Ok(())
}

async fn write_rejected(tx: &mut Tx, rejected: &[Rejected]) -> StoreResult<()> {
    let now = tx.now();
    let keep = tx.on_conflict_keep("shard, entry_ms, entry_sequence");
    tx.insert_rows(
        "INSERT INTO rejected_event (shard, entry_ms, entry_sequence, event_id, payload, reason, \
         rejected_at) ",
        &rejected[..],
        |one| {
            params![
                i64::from(one.id.shard),
                one.id.ms,
                one.id.sequence,
                one.event_id.map(|id| id.0.to_vec()),
                one.payload.as_str(),
                one.reason.as_str(),
                now
            ]
        },
        keep.as_str(),
    )
    .await?;
    Ok(())
}

/// Leaves out the counts that are in the table as they are, or higher.
async fn drop_kept(store: &Store, counts: &mut Vec<SuppressedCount>) -> StoreResult<()> {
    let kinds: HashSet<(NaiveDate, &str)> = counts
        .iter()
        .map(|one| (one.date, one.reason.name()))
        .collect();
    let mut tx = store.db.read().await?;
    for (date, reason) in kinds {
        let is_of_kind = |one: &SuppressedCount| one.date == date && one.reason.name() == reason;
        let videos = counts.iter().filter(|one| is_of_kind(one));
        let kept: Vec<(i64, i64)> = tx
            .fetch_in(
                "SELECT video_id, count FROM refusal_count WHERE video_id IN ",
                videos.map(|one| one.video_id.0),
                " AND date = ? AND reason = ?",
                &params![date, reason],
            )
            .await?;
        let kept: HashMap<i64, i64> = kept.into_iter().collect();
        counts.retain(|one| {
            let kept = kept.get(&one.video_id.0).filter(|_| is_of_kind(one));
            kept.is_none_or(|kept| *kept < one.count)
        });
    }
    Ok(())
}

async fn write_suppressed(store: &Store, counts: &[SuppressedCount]) -> StoreResult<()> {
    let mut tx = store.db.write().await?;
    let raise = tx.on_conflict_raise("date, video_id, reason", "count");
    tx.insert_rows(
        "INSERT INTO refusal_count (date, video_id, reason, count) ",
        &counts[..],
        |one| params![one.date, one.video_id.0, one.reason.name(), one.count],
        raise.as_str(),
    )
    .await?;
    tx.commit().await
}
