//! The import of opening balances.

use crate::{
    Store, StoreError, StoreResult,
    import::{MAX_PLAY_BATCH, types::unassigned},
    settlement::days::closed_through,
    sql::{statement::params, tx::Tx},
    videos::catalog::known_videos,
};
use balance_domain::{
    ids::ASSIGNED_IDS,
    videos::{OpeningBalance, VideoId},
};
use chrono::NaiveDate;
use std::collections::{HashMap, HashSet};

/// Why an import of opening balances was rejected. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BalanceError {
    /// A day is closed, so its lifetime counts build on the opening balances.
    #[error(
        "opening balances must be imported before the first day is closed; days are closed through {0}"
    )]
    Closed(NaiveDate),
    /// A later video would take the id, and the counts.
    #[error("video_id: {}", unassigned(.0.0))]
    Unassigned(VideoId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The number of imported opening balances by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BalanceCounts {
    /// Videos without an earlier balance.
    pub new: u64,
    /// Videos with different earlier counts.
    pub changed: u64,
    /// Videos with equal earlier counts.
    pub unchanged: u64,
}

impl Store {
    /// Imports opening balances in one transaction. Replaces earlier balances of the same videos.
    ///
    /// # Errors
    /// If a day is closed, or the store fails. Then nothing was changed.
    pub async fn import_balances(
        &self,
        balances: &[OpeningBalance],
    ) -> Result<BalanceCounts, BalanceError> {
        self.ids.check()?;
        let mut tx = self.db.write().await?;
        let lock = tx.for_share();
        if let Some(closed) = closed_through(&mut tx, lock).await? {
            return Err(BalanceError::Closed(closed));
        }
        let mut counts = BalanceCounts::default();
        for balances in balances.chunks(MAX_PLAY_BATCH) {
            reject_assigned(&mut tx, balances).await?;
            replace_balances(&mut tx, balances, &mut counts).await?;
        }
        tx.commit().await?;
        Ok(counts)
    }
}

/// Rejects unregistered videos whose ids Balance assigns.
async fn reject_assigned(tx: &mut Tx, balances: &[OpeningBalance]) -> Result<(), BalanceError> {
    let ids = balances.iter().map(|balance| balance.video_id);
    let ids: HashSet<VideoId> = ids.filter(|id| ASSIGNED_IDS.contains(&id.0)).collect();
    let known = known_videos(tx, &ids).await?;
    match ids.into_iter().filter(|id| !known.contains_key(id)).min() {
        Some(id) => Err(BalanceError::Unassigned(id)),
        None => Ok(()),
    }
}

async fn replace_balances(
    tx: &mut Tx,
    balances: &[OpeningBalance],
    counts: &mut BalanceCounts,
) -> StoreResult<()> {
    let found: Vec<(i64, i64, i64)> = tx
        .fetch_in(
            "SELECT video_id, view_count, ad_view_count FROM opening_balance WHERE video_id IN ",
            balances.iter().map(|balance| balance.video_id.0),
            "",
            &[],
        )
        .await?;
    let found: HashMap<i64, (i64, i64)> = found
        .into_iter()
        .map(|(id, views, ad_views)| (id, (views, ad_views)))
        .collect();
    for balance in balances {
        *match found.get(&balance.video_id.0) {
            None => &mut counts.new,
            Some(old) if *old == (balance.view_count, balance.ad_view_count) => {
                &mut counts.unchanged
            }
            Some(_) => &mut counts.changed,
        } += 1;
    }
    tx.insert_rows(
        "REPLACE INTO opening_balance (video_id, view_count, ad_view_count) ",
        balances,
        |balance| {
            params![
                balance.video_id.0,
                balance.view_count,
                balance.ad_view_count
            ]
        },
        "",
    )
    .await?;
    Ok(())
}
