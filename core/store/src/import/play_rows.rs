//! The rows that an import of plays writes.

use crate::{
    StoreResult,
    import::ImportId,
    sql::{statement::params, tx::Tx},
};
use balance_domain::{
    playback::{EventId, Play},
    videos::{AdSchedule, AdSlot},
};
use chrono::NaiveDate;
use std::collections::HashSet;

/// The maximum number of ad views of one transaction: a long play with close ad slots has many.
pub(super) const MAX_AD_VIEWS: usize = 1_000;

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

/// An ad that a play showed.
pub(super) type ShownAd = (NaiveDate, Play, AdSlot);

/// Returns the ads that the counted plays showed.
pub(super) fn shown_ads(new: &[NewPlay], ads: &AdSchedule) -> impl Iterator<Item = ShownAd> {
    let counted = new.iter().filter(|row| row.is_counted);
    counted.flat_map(|row| {
        let until_s = row.play.play_time_s.min(row.play.duration_s);
        ads.shown(0, until_s).map(|slot| (row.date, row.play, slot))
    })
}

/// Inserts ad views. Returns the number of new ones.
pub(super) async fn insert_ad_views(
    tx: &mut Tx,
    import: ImportId,
    shown: &mut Vec<ShownAd>,
) -> StoreResult<u64> {
    let key = |(date, play, slot): &ShownAd| (*date, play.video_id.0, play.user_id.0, slot.slot_s);
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
    Ok(inserted.saturating_sub(known))
}
