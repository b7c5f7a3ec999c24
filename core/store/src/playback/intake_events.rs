//! What the embedded intake records in its transaction: events, ad views and suppressed counts.

use crate::{
    StoreResult,
    events::SuppressedShard,
    playback::{IntakeRequest, SuppressedReason, clock::IntakeTime},
    sql::{statement::params, tx::Tx},
};
use balance_domain::videos::AdSlot;
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// What an event of the history records.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Recorded {
    pub(super) is_counted: bool,
    pub(super) credited_s: i64,
    pub(super) reported_s: i64,
}

/// The day and the rules of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) time: IntakeTime,
    pub(super) date: NaiveDate,
    pub(super) rules_version: u32,
}

/// Adds an event to the history.
pub(super) async fn record(
    tx: &mut Tx,
    request: &IntakeRequest,
    moment: Moment,
    recorded: Recorded,
) -> StoreResult<()> {
    let keep = tx.on_conflict_keep("date, event_id");
    tx.execute(
        AssertSqlSafe(format!(
            "INSERT INTO play_history (date, event_id, video_id, user_id, \
             occurred_at_micros, counted, play_time, reported_time, rules_version, new_account) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?){keep}"
        )),
        &params![
            moment.date,
            &request.event_id.0[..],
            request.video.id.0,
            request.user_id.0,
            moment.time.at_micros,
            i64::from(recorded.is_counted),
            recorded.credited_s,
            recorded.reported_s,
            moment.rules_version,
            request.is_new_account.map(i64::from)
        ],
    )
    .await?;
    Ok(())
}

/// Adds the ad views of slots.
pub(super) async fn record_ads(
    tx: &mut Tx,
    request: &IntakeRequest,
    date: NaiveDate,
    slots: impl IntoIterator<Item = AdSlot>,
) -> StoreResult<()> {
    let keep = tx.on_conflict_release("date, video_id, user_id, slot_s");
    for slot in slots {
        tx.execute(
            AssertSqlSafe(format!(
                "INSERT INTO ad_history (date, video_id, user_id, slot_s, ad_id) \
                 VALUES (?, ?, ?, ?, ?){keep}"
            )),
            &params![
                date,
                request.video.id.0,
                request.user_id.0,
                slot.slot_s,
                slot.ad_id.0
            ],
        )
        .await?;
    }
    Ok(())
}

/// Adds to a suppressed count. A count of 0 adds nothing.
pub(super) async fn count_suppressed(
    tx: &mut Tx,
    request: &IntakeRequest,
    date: NaiveDate,
    reason: SuppressedReason,
    count: i64,
) -> StoreResult<()> {
    if count == 0 {
        return Ok(());
    }
    let add = tx.on_conflict_add("date, video_id, reason, shard", "count");
    tx.execute(
        AssertSqlSafe(format!(
            "INSERT INTO refusal_count (date, video_id, reason, shard, count) \
             VALUES (?, ?, ?, ?, ?){add}"
        )),
        &params![
            date,
            request.video.id.0,
            reason.name(),
            SuppressedShard::EMBEDDED,
            count
        ],
    )
    .await?;
    Ok(())
}
