//! Storage of events: in the play history, or as late or rejected events.

use crate::{
    Store, StoreError, StoreResult,
    events::{Content, Entry, EntryId, EventKind, PlaybackEvent, WrittenEntries},
    playback::play_rules,
    settlement::days::closed_through,
    sql::{
        retry::on_conflict,
        statement::{LIST_CHUNK, Query, params},
        tx::Tx,
    },
    videos::catalog,
};
use balance_domain::{
    calendar::BusinessTimezone,
    playback::EventId,
    units::MICROS_PER_MS,
    videos::{AdId, AdInterval, AdSchedule, AdSlot},
};
use chrono::NaiveDate;
use std::collections::HashSet;

/// The maximum length of a stored payload or reason, in characters.
const MAX_TEXT: usize = 1_000;

impl Store {
    /// Stores a group of entries in one transaction. An event goes to the history of its day, or to the
    /// late events if the day is closed and the event is not stored yet. Repeated writes have no
    /// effect. An event that is late although its day is open leaves the late events. Events of versions that did not decide about ads show those of the newest rules.
    ///
    /// # Errors
    /// If the store fails. If the database rejects the data of a single entry, it is stored as
    /// rejected; if it rejects a larger group, the error is [`StoreError::Data`].
    pub async fn write_entries(
        &self,
        entries: &[Entry],
        timezone: BusinessTimezone,
    ) -> StoreResult<WrittenEntries> {
        let group = Group::sort(entries, timezone);
        match on_conflict(|| write(self, &group)).await {
            Err(StoreError::Data(reason)) => match entries {
                // The database rejects this entry, so it is stored as rejected.
                [entry] => {
                    let group = Group::rejected(entry, &reason);
                    on_conflict(|| write(self, &group)).await
                }
                _ => Err(StoreError::Data(reason)),
            },
            written => written,
        }
    }
}

/// An event with its time and business day.
struct Timed<'a> {
    event: &'a PlaybackEvent,
    at_micros: i64,
    date: NaiveDate,
}

impl Timed<'_> {
    /// Returns the counted views, the credited seconds and the reported seconds.
    const fn numbers(&self) -> (i64, i64, i64) {
        match self.event.kind {
            EventKind::Play { is_counted } => (is_counted as i64, 0, 0),
            EventKind::Pause {
                credited_s,
                reported_s,
                is_counted,
                ..
            } => (is_counted as i64, credited_s, reported_s),
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

/// A group of entries by kind.
#[derive(Default)]
struct Group<'a> {
    events: Vec<Timed<'a>>,
    rejected: Vec<Rejected>,
}

impl<'a> Group<'a> {
    fn sort(entries: &'a [Entry], timezone: BusinessTimezone) -> Self {
        let mut group = Self::default();
        for entry in entries {
            match &entry.content {
                Content::Seal => {}
                Content::Event(event) => {
                    let at_micros = entry.id.ms.saturating_mul(MICROS_PER_MS);
                    match timezone.day_of(at_micros) {
                        Ok(day) => group.events.push(Timed {
                            event,
                            at_micros,
                            date: day.date,
                        }),
                        Err(error) => group
                            .rejected
                            .push(Rejected::new(entry, &error.to_string())),
                    }
                }
                Content::Invalid { payload, reason } => group.rejected.push(Rejected {
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
    text.chars().take(MAX_TEXT).collect()
}

/// Stores a group in one transaction.
async fn write(store: &Store, group: &Group<'_>) -> StoreResult<WrittenEntries> {
    let mut tx = store.db.write().await?;
    // Locked first and shared: no day is closed before the commit.
    let lock = tx.for_share();
    let closed = closed_through(&mut tx, lock).await?;
    let (late, open): (Vec<&Timed<'_>>, Vec<&Timed<'_>>) = group
        .events
        .iter()
        .partition(|timed| closed.is_some_and(|closed| timed.date <= closed));
    // A rejected event stays rejected, even if it could be stored by now.
    let stored = find_stored(&mut tx, &open, &["play_history", "rejected_event"]).await?;
    let known: Vec<&Timed<'_>> = open
        .iter()
        .filter(|timed| stored.contains(&timed.event.id))
        .copied()
        .collect();
    let new = not_stored(open, &stored);
    write_history(&mut tx, &new).await?;
    write_ads(&mut tx, &new, &known).await?;
    remove_late(&mut tx, &new).await?;
    let stored = find_stored(
        &mut tx,
        &late,
        &["play_history", "late_event", "rejected_event"],
    )
    .await?;
    let late = not_stored(late, &stored);
    write_late(&mut tx, &late).await?;
    write_rejected(&mut tx, &group.rejected).await?;
    tx.commit().await?;
    let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
    Ok(WrittenEntries {
        new: count(new.len()),
        late: count(late.len()),
        known: count(group.events.len() - new.len() - late.len()),
        rejected: count(group.rejected.len()),
    })
}

/// Returns the events that are not stored yet, without duplicates.
fn not_stored<'a, 'e>(events: Vec<&'a Timed<'e>>, stored: &HashSet<EventId>) -> Vec<&'a Timed<'e>> {
    let mut seen = HashSet::with_capacity(events.len());
    events
        .into_iter()
        .filter(|timed| !stored.contains(&timed.event.id) && seen.insert(timed.event.id))
        .collect()
}

/// Returns the events that one of the tables contains.
async fn find_stored(
    tx: &mut Tx,
    events: &[&Timed<'_>],
    tables: &[&str],
) -> StoreResult<HashSet<EventId>> {
    let mut stored = HashSet::new();
    let dates: HashSet<NaiveDate> = events.iter().map(|timed| timed.date).collect();
    for date in dates {
        let of_day: Vec<&Timed<'_>> = events
            .iter()
            .filter(|timed| timed.date == date)
            .copied()
            .collect();
        for table in tables {
            // The primary key of the history begins with the date.
            let head = match *table {
                "play_history" => format!(
                    "SELECT event_id FROM play_history WHERE date = '{date}' AND event_id IN "
                ),
                _ => format!("SELECT event_id FROM {table} WHERE event_id IN "),
            };
            for some in of_day.chunks(LIST_CHUNK) {
                let ids: Vec<&[u8]> = some.iter().map(|timed| &timed.event.id.0[..]).collect();
                let rows: Vec<(Vec<u8>,)> = tx.fetch_in(head.as_str(), ids, "", &[]).await?;
                stored.extend(
                    rows.iter()
                        .filter_map(|(id,)| id.as_slice().try_into().ok().map(EventId)),
                );
            }
        }
    }
    Ok(stored)
}

async fn write_history(tx: &mut Tx, events: &[&Timed<'_>]) -> StoreResult<()> {
    let keep = tx.on_conflict_keep("date, event_id");
    tx.insert_rows(
        "INSERT INTO play_history (date, event_id, video_id, user_id, occurred_at_micros, \
         counted, play_time, reported_time, rules_version, new_account) ",
        events,
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
                reported_s,
                timed.event.rules_version,
                timed.event.is_new_account.map(i64::from)
            ]
        },
        keep.as_str(),
    )
    .await?;
    Ok(())
}

/// Writes the ad views of new events, and those that known ones have decided: an event that was late has
/// none yet.
async fn write_ads(tx: &mut Tx, events: &[&Timed<'_>], known: &[&Timed<'_>]) -> StoreResult<()> {
    let mut shown: Vec<(&Timed<'_>, AdSlot)> = Vec::new();
    for timed in events.iter().chain(known) {
        let decided = timed.event.kind.decided_ads();
        shown.extend(decided.iter().map(|slot| (*timed, *slot)));
    }
    let undecided: Vec<_> = events
        .iter()
        .filter_map(|timed| Some((*timed, timed.event.kind.undecided_s()?)))
        .collect();
    if !undecided.is_empty() {
        let schedule = current_schedule(tx).await?;
        for (timed, (from_s, upto_s)) in undecided {
            shown.extend(schedule.shown(from_s, upto_s).map(|slot| (timed, slot)));
        }
    }
    let keep = tx.on_conflict_release("date, video_id, user_id, slot_s");
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

/// Returns the ads of the newest rules, for events without a decision about ads.
async fn current_schedule(tx: &mut Tx) -> StoreResult<AdSchedule> {
    let rules = play_rules::required(tx).await?.rules;
    let ids = catalog::ensure_ads(tx, 0, None).await?;
    Ok(AdSchedule::new(
        AdInterval::from_seconds(rules.ad_interval_s),
        ids.into_iter().map(AdId).collect(),
    ))
}

/// Removes events that entered the history from the late events: a repair of the clock has opened their
/// day.
async fn remove_late(tx: &mut Tx, events: &[&Timed<'_>]) -> StoreResult<()> {
    let late = find_stored(tx, events, &["late_event"]).await?;
    let late: Vec<EventId> = late.into_iter().collect();
    for some in late.chunks(LIST_CHUNK) {
        let mut delete = Query::new("DELETE FROM late_event WHERE event_id IN ");
        delete.bind_list(some.iter().map(|id| &id.0[..]));
        tx.execute_query(delete).await?;
    }
    Ok(())
}

async fn write_late(tx: &mut Tx, events: &[&Timed<'_>]) -> StoreResult<()> {
    let now = tx.now();
    let keep = tx.on_conflict_keep("event_id");
    tx.insert_rows(
        "INSERT INTO late_event (event_id, date, video_id, user_id, occurred_at_micros, \
         counted, play_time, reported_time, received_at) ",
        events,
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
        rejected,
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
