//! Events: each must be on its own day, and on one day only.
//!
//! The id of an event begins with its time, so the ids of a day are one range. Only events outside
//! of that range are checked: if an event is on two days, at least one of its rows is outside.

use crate::verification::findings::{At, Findings, Kind};
use balance_domain::{calendar::BusinessTimezone, playback::EventId};
use balance_store::{Store, StoreResult, verification::EventFacts};
use chrono::NaiveDate;
use std::{
    collections::{BTreeMap, HashSet},
    fmt::Display,
};

/// Events that are read at a time.
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
            misplaced(store, timezone, date, &events, findings).await?;
        }
    }
    Ok(())
}

/// Reports the events of a date whose ids have the time of another day.
async fn misplaced(
    store: &Store,
    timezone: BusinessTimezone,
    date: NaiveDate,
    events: &[EventFacts],
    findings: &mut Findings,
) -> StoreResult<()> {
    let mut by_day: BTreeMap<NaiveDate, Vec<EventId>> = BTreeMap::new();
    for event in events {
        if let Ok(day) = timezone.day_of(micros(event.event_id)) {
            by_day.entry(day.date).or_default().push(event.event_id);
        }
    }
    let mut duplicates: HashSet<EventId> = HashSet::new();
    for (day, ids) in by_day.iter().filter(|(day, _)| **day != date) {
        for id in store.known_events(*day, ids).await? {
            duplicates.insert(id);
            let key = Key { date, id };
            let at = key.at();
            findings.add(
                at,
                "event_id",
                "an event of one day",
                format!("also on {day}"),
            );
        }
    }
    for event in events
        .iter()
        .filter(|one| !duplicates.contains(&one.event_id))
    {
        let expected = timezone.day_of(event.occurred_at_micros);
        // The id of an event that arrived at midnight may be a moment older than its day.
        if let Ok(expected) = expected
            && expected.date != date
        {
            let key = Key {
                date,
                id: event.event_id,
            };
            findings.add(key.at(), "date", expected.date, date);
        }
    }
    Ok(())
}

/// Returns the time at the beginning of an id, in microseconds since 1970.
fn micros(id: EventId) -> i64 {
    let ms = id.0[..6]
        .iter()
        .fold(0_i64, |ms, byte| (ms << 8) | i64::from(*byte));
    ms * 1_000
}

/// The key of a row.
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
    fn an_id_contains_its_millisecond() {
        let at = 1_650_000_000_123_456;
        let id = EventId::of_import(UserId(1), VideoId(2), at);
        assert_eq!(micros(id), 1_650_000_000_123_000);
    }
}
