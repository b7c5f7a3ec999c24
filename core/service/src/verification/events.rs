//! Events: each on its own day, and on one only.
//!
//! An event's id begins with its time, so the events of a day are one range of its ids. Whatever
//! lies outside of it is looked at, and nothing else: of an event that is on two days, at least one
//! lies outside.

use crate::verification::findings::{At, Findings, Kind};
use balance_domain::{calendar::BusinessTimezone, playback::EventId};
use balance_store::{Store, StoreResult, verification::EventFacts};
use chrono::NaiveDate;
use std::{
    collections::{BTreeMap, HashSet},
    fmt::Display,
};

/// Events looked at together.
const PAGE: u32 = 1_000;

const LOWEST: EventId = EventId([0; 16]);
const HIGHEST: EventId = EventId([0xff; 16]);

pub(super) async fn verify(
    store: &Store,
    timezone: BusinessTimezone,
    date: NaiveDate,
    findings: &mut Findings,
) -> StoreResult<()> {
    let Ok(day) = timezone.day(date) else {
        return Ok(());
    };
    let sides = [
        (LOWEST, EventId::floor(day.start_micros)),
        (EventId::ceiling(day.end_micros - 1), HIGHEST),
    ];
    for (mut above, below) in sides {
        loop {
            let events = store.events(date, above, below, PAGE).await?;
            let Some(last) = events.last() else { break };
            above = last.event_id;
            strangers(store, timezone, date, &events, findings).await?;
        }
    }
    Ok(())
}

/// Events of a date whose ids speak of another time.
async fn strangers(
    store: &Store,
    timezone: BusinessTimezone,
    date: NaiveDate,
    events: &[EventFacts],
    findings: &mut Findings,
) -> StoreResult<()> {
    let mut homes: BTreeMap<NaiveDate, Vec<EventId>> = BTreeMap::new();
    for event in events {
        if let Ok(home) = timezone.day_of(micros(event.event_id)) {
            homes.entry(home.date).or_default().push(event.event_id);
        }
    }
    let mut doubled: HashSet<EventId> = HashSet::new();
    for (home, ids) in homes.iter().filter(|(home, _)| **home != date) {
        for id in store.known_events(*home, ids).await? {
            doubled.insert(id);
            let key = Key { date, id };
            let at = key.at();
            findings.add(
                at,
                "event_id",
                "an event of one day",
                format!("also on {home}"),
            );
        }
    }
    for event in events.iter().filter(|one| !doubled.contains(&one.event_id)) {
        let right = timezone.day_of(event.occurred_at_micros);
        // An event that arrived at midnight may have got its id a moment before its day.
        if let Ok(right) = right
            && right.date != date
        {
            let key = Key {
                date,
                id: event.event_id,
            };
            findings.add(key.at(), "date", right.date, date);
        }
    }
    Ok(())
}

/// The time that an id begins with, in microseconds since 1970.
fn micros(id: EventId) -> i64 {
    let ms = id.0[..6]
        .iter()
        .fold(0_i64, |ms, byte| (ms << 8) | i64::from(*byte));
    ms * 1_000
}

/// A row's key.
struct Key {
    date: NaiveDate,
    id: EventId,
}

impl Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "date {}, event ", self.date)?;
        self.id
            .0
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Key {
    fn at(&self) -> At<'_> {
        At {
            kind: Kind::History,
            table: "play_history",
            key: self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_domain::{accounts::UserId, videos::VideoId};

    #[test]
    fn an_id_tells_its_millisecond() {
        let at = 1_650_000_000_123_456;
        let id = EventId::of_import(UserId(1), VideoId(2), at);
        assert_eq!(micros(id), 1_650_000_000_123_000);
    }
}
