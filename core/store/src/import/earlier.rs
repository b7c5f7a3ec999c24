//! The history that an import is merged with.

use crate::{
    StoreResult,
    import::SourcedPlay,
    settlement::days::next_active_day,
    sql::{statement::params, tx::Tx},
};
use balance_domain::{
    calendar::BusinessTimezone,
    playback::{EventId, ViewWindow},
};
use std::collections::HashSet;

/// A play of the existing history.
#[derive(sqlx::FromRow)]
pub(super) struct EarlierPlay {
    event_id: Vec<u8>,
    pub(super) user_id: i64,
    pub(super) video_id: i64,
    pub(super) occurred_at_micros: i64,
    pub(super) counted: i64,
    pub(super) reported_time: i64,
}

impl EarlierPlay {
    pub(super) fn id(&self) -> Option<EventId> {
        self.event_id.as_slice().try_into().ok().map(EventId)
    }
}

/// Returns the history of the batch's users and videos in the order of time, from one view window
/// before the batch to its end. Other rows are streamed and dropped.
pub(super) async fn earlier_plays(
    tx: &mut Tx,
    timezone: BusinessTimezone,
    window: ViewWindow,
    batch: &[SourcedPlay],
) -> StoreResult<Vec<EarlierPlay>> {
    let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
        return Ok(Vec::new());
    };
    let from = first.play.started_at_micros - window.micros();
    let until = last.play.started_at_micros;
    let day = |at| timezone.day_of(at).map(|day| day.date);
    let (Ok(first_day), Ok(last_day)) = (day(from.max(0)), day(until)) else {
        return Ok(Vec::new());
    };
    let pairs: HashSet<(i64, i64)> = batch
        .iter()
        .map(|row| (row.play.user_id.0, row.play.video_id.0))
        .collect();
    let mut earlier: Vec<EarlierPlay> = Vec::new();
    // One query per day, so that each reads a range of the primary key.
    let mut before = first_day.pred_opt();
    while let Some(date) = next_active_day(tx, before).await?
        && date <= last_day
    {
        tx.fetch_each(
            "SELECT event_id, user_id, video_id, occurred_at_micros, counted, \
             reported_time FROM play_history \
             WHERE date = ? AND event_id BETWEEN ? AND ?",
            &params![
                date,
                EventId::floor(from).0.to_vec(),
                EventId::ceiling(until).0.to_vec()
            ],
            |row: EarlierPlay| {
                if pairs.contains(&(row.user_id, row.video_id)) {
                    earlier.push(row);
                }
            },
        )
        .await?;
        before = Some(date);
    }
    earlier.sort_by_key(|row| row.occurred_at_micros);
    Ok(earlier)
}
