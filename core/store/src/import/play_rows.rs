//! The rows that an import of plays writes.

use crate::{
    StoreResult,
    import::{ImportId, PlayCounts},
    sql::{statement::params, tx::Tx},
};
use balance_domain::{
    playback::{EventId, Play},
    videos::{AdSchedule, AdSlot},
};
use chrono::NaiveDate;
use std::collections::HashSet;

/// The maximum number of ad views in memory: a long play with close ad slots has many.
const MAX_AD_VIEWS: usize = 10_000;

/// A play to be added to the history.
pub(super) struct NewPlay {
    pub(super) event_id: EventId,
    pub(super) date: NaiveDate,
    pub(super) play: Play,
    /// Whether the play counts as a view. A play by the video's owner does not.
    pub(super) is_counted: bool,
}

/// Inserts plays into the history.
pub(super) async fn insert_plays(
    tx: &mut Tx,
    import: ImportId,
    rules_version: u32,
    new: &[NewPlay],
) -> StoreResult<()> {
    tx.insert_rows(
        "INSERT INTO play_history (date, event_id, video_id, user_id, occurred_at_micros, \
         counted, play_time, reported_time, rules_version, import_id) ",
        new,
        |new| {
            // An owner's play does not count: it has no view and no credited seconds.
            let credited_s = if new.is_counted {
                new.play.play_time_s
            } else {
                0
            };
            params![
                new.date,
                &new.event_id.0[..],
                new.play.video_id.0,
                new.play.user_id.0,
                new.play.started_at_micros,
                i64::from(new.is_counted),
                credited_s,
                new.play.play_time_s,
                rules_version,
                import.0
            ]
        },
        "",
    )
    .await?;
    Ok(())
}

/// Inserts the ad views of counted plays.
pub(super) async fn insert_ads(
    tx: &mut Tx,
    import: ImportId,
    new: &[NewPlay],
    ads: &AdSchedule,
    counts: &mut PlayCounts,
) -> StoreResult<()> {
    let mut shown = Vec::new();
    for row in new.iter().filter(|row| row.is_counted) {
        let until_s = row.play.play_time_s.min(row.play.duration_s);
        for slot in ads.shown(0, until_s) {
            shown.push((row.date, row.play, slot));
            if shown.len() == MAX_AD_VIEWS {
                insert_ad_views(tx, import, &mut shown, counts).await?;
            }
        }
    }
    insert_ad_views(tx, import, &mut shown, counts).await
}

/// Inserts ad views and clears the list.
async fn insert_ad_views(
    tx: &mut Tx,
    import: ImportId,
    shown: &mut Vec<(NaiveDate, Play, AdSlot)>,
    counts: &mut PlayCounts,
) -> StoreResult<()> {
    let key = |(date, play, slot): &(NaiveDate, Play, AdSlot)| {
        (*date, play.video_id.0, play.user_id.0, slot.slot_s)
    };
    let mut keys = HashSet::new();
    shown.retain(|ad| keys.insert(key(ad)));
    let known = tx.known_ad_views(&keys).await?;
    let keep = tx.on_conflict_keep("date, video_id, user_id, slot_s");
    let inserted = tx
        .insert_rows(
            "INSERT INTO ad_history (date, video_id, user_id, slot_s, ad_id, import_id) ",
            &shown[..],
            |ad| {
                let (date, video, user, slot_s) = key(ad);
                params![date, video, user, slot_s, ad.2.ad_id.0, import.0]
            },
            keep.as_str(),
        )
        .await?;
    counts.ad_views += inserted.saturating_sub(known);
    shown.clear();
    Ok(())
}
