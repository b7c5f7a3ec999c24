//! Late events of days that a repair of the clock has opened again.

use crate::{
    Store, StoreResult,
    settlement::days::closed_through,
    sql::statement::{Query, params},
};
use chrono::NaiveDate;

/// The events that one transaction adds.
const PAGE: u32 = 1_000;

/// A late event.
#[derive(sqlx::FromRow)]
struct LateEvent {
    event_id: Vec<u8>,
    date: NaiveDate,
    video_id: i64,
    user_id: i64,
    occurred_at_micros: i64,
    counted: i64,
    play_time: i64,
    reported_time: i64,
}

/// Adds late events of days that are not closed to the history, in one transaction: they were late only
/// because their day was closed. Their ad views are added by a replay, if the stream retains them. Returns
/// the number of removed late events.
pub(super) async fn admit_late(store: &Store) -> StoreResult<u64> {
    let mut tx = store.db.write().await?;
    let lock = tx.for_share();
    let closed = closed_through(&mut tx, lock).await?;
    let events: Vec<LateEvent> = tx
        .fetch_all(
            "SELECT event_id, date, video_id, user_id, occurred_at_micros, \
             CAST(counted AS SIGNED) AS counted, play_time, reported_time FROM late_event \
             WHERE date > ? ORDER BY date, event_id LIMIT ?",
            &params![closed.unwrap_or_default(), PAGE],
        )
        .await?;
    if events.is_empty() {
        return Ok(0);
    }
    let keep = tx.on_conflict_keep("date, event_id");
    tx.insert_rows(
        "INSERT INTO play_history (date, event_id, video_id, user_id, occurred_at_micros, \
         counted, play_time, reported_time) ",
        &events,
        |event| {
            params![
                event.date,
                event.event_id.as_slice(),
                event.video_id,
                event.user_id,
                event.occurred_at_micros,
                event.counted,
                event.play_time,
                event.reported_time
            ]
        },
        keep.as_str(),
    )
    .await?;
    let mut delete = Query::new("DELETE FROM late_event WHERE event_id IN ");
    delete.bind_list(events.iter().map(|event| event.event_id.as_slice()));
    let admitted = tx.execute_query(delete).await?;
    tx.commit().await?;
    Ok(admitted)
}
