//! Plays: sums by video, and single events.

use crate::{
    Store, StoreError, StoreResult,
    sql::{dialect::CLAMPED_SUM, statement::params, tx::Tx},
    verification::{EventFacts, PlayFacts},
};
use balance_domain::playback::EventId;
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// The plays of a video on a day: id, views, seconds, the least seconds, the least and the greatest
/// `counted`.
type PlaySums = (i64, i64, i64, i64, i64, i64);

impl Store {
    /// Returns at most `limit` events of a date with ids between `above` and `below`, both excluded, in
    /// the order of ids.
    pub async fn events(
        &self,
        date: NaiveDate,
        above: EventId,
        below: EventId,
        limit: u32,
    ) -> StoreResult<Vec<EventFacts>> {
        let mut tx = self.db.snapshot().await?;
        let events = events(&mut tx, date, above, below, limit).await?;
        tx.rollback().await?;
        Ok(events)
    }

    /// Returns those of at most 1,000 events that the history of a date contains.
    pub async fn known_events(
        &self,
        date: NaiveDate,
        events: &[EventId],
    ) -> StoreResult<Vec<EventId>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.db.snapshot().await?;
        let known = known_events(&mut tx, date, events).await?;
        tx.rollback().await?;
        Ok(known)
    }
}

/// Returns a day's plays by video. If a sum exceeds 64 bits, this program adds up the rows.
pub(super) async fn plays(
    tx: &mut Tx,
    date: NaiveDate,
    after: i64,
    limit: u32,
) -> StoreResult<Vec<(i64, PlayFacts)>> {
    let rows: StoreResult<Vec<PlaySums>> = tx
        .fetch_all(
            "SELECT video_id, CAST(SUM(counted) AS SIGNED), CAST(SUM(play_time) AS SIGNED), \
         MIN(play_time), MIN(counted), MAX(counted) FROM play_history \
         WHERE date = ? AND video_id > ? GROUP BY video_id ORDER BY video_id LIMIT ?",
            &params![date, after, limit],
        )
        .await;
    match rows {
        Ok(rows) if rows.iter().all(|row| row.2 < CLAMPED_SUM) => Ok(rows
            .into_iter()
            .map(|(id, views, seconds, least_seconds, least, most)| {
                let facts = PlayFacts {
                    views: views.into(),
                    seconds: seconds.into(),
                    least_seconds,
                    counted: (least, most),
                };
                (id, facts)
            })
            .collect()),
        Ok(_) | Err(StoreError::Data(_)) => plays_row_by_row(tx, date, after, limit).await,
        Err(error) => Err(error),
    }
}

/// Adds up a day's plays in 128 bits.
async fn plays_row_by_row(
    tx: &mut Tx,
    date: NaiveDate,
    after: i64,
    limit: u32,
) -> StoreResult<Vec<(i64, PlayFacts)>> {
    let ids: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT video_id FROM play_history WHERE date = ? AND video_id > ? \
         GROUP BY video_id ORDER BY video_id LIMIT ?",
            &params![date, after, limit],
        )
        .await?;
    let upto = ids.last().map_or(after, |(id,)| *id);
    let mut plays: BTreeMap<i64, PlayFacts> = BTreeMap::new();
    tx.fetch_each(
        "SELECT video_id, counted, play_time FROM play_history \
         WHERE date = ? AND video_id > ? AND video_id <= ?",
        &params![date, after, upto],
        |row: (i64, i64, i64)| {
            let (id, counted, seconds) = row;
            let facts = plays.entry(id).or_insert(PlayFacts {
                views: 0,
                seconds: 0,
                least_seconds: seconds,
                counted: (counted, counted),
            });
            facts.views += i128::from(counted);
            facts.seconds += i128::from(seconds);
            facts.least_seconds = facts.least_seconds.min(seconds);
            let (least, most) = facts.counted;
            facts.counted = (least.min(counted), most.max(counted));
        },
    )
    .await?;
    Ok(plays.into_iter().collect())
}

fn event_id(bytes: &[u8]) -> StoreResult<EventId> {
    let id = bytes.try_into().map_err(|_| {
        StoreError::Damaged(format!(
            "an event id has {} bytes instead of 16",
            bytes.len()
        ))
    })?;
    Ok(EventId(id))
}

async fn events(
    tx: &mut Tx,
    date: NaiveDate,
    above: EventId,
    below: EventId,
    limit: u32,
) -> StoreResult<Vec<EventFacts>> {
    let rows: Vec<(Vec<u8>, i64)> = tx
        .fetch_all(
            "SELECT event_id, occurred_at_micros FROM play_history \
         WHERE date = ? AND event_id > ? AND event_id < ? ORDER BY event_id LIMIT ?",
            &params![date, above.0.to_vec(), below.0.to_vec(), limit],
        )
        .await?;
    rows.into_iter()
        .map(|(id, occurred_at_micros)| {
            Ok(EventFacts {
                event_id: event_id(&id)?,
                occurred_at_micros,
            })
        })
        .collect()
}

async fn known_events(
    tx: &mut Tx,
    date: NaiveDate,
    events: &[EventId],
) -> StoreResult<Vec<EventId>> {
    let rows: Vec<(Vec<u8>,)> = tx
        .fetch_in(
            "SELECT event_id FROM play_history WHERE event_id IN ",
            events.iter().map(|event| &event.0[..]),
            " AND date = ?",
            &params![date],
        )
        .await?;
    rows.iter().map(|(id,)| event_id(id)).collect()
}
