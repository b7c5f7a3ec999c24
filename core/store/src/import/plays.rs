//! The port of the history: imports of plays and of opening balances.

use crate::{
    Store, StoreError, StoreResult,
    import::{
        BalanceCounts, BalanceError, MAX_PLAY_BATCH, PlayCounts, PlayImportError, PlayRules,
        PlaySource, play_import::Import,
    },
    settlement::days::closed_through,
    sql::{statement::params, tx::Tx},
};
use balance_domain::videos::OpeningBalance;
use std::collections::HashMap;

impl Store {
    /// Imports plays, all or nothing.
    pub async fn import_plays(
        &self,
        source: &mut dyn PlaySource,
        rules: PlayRules,
    ) -> Result<PlayCounts, PlayImportError> {
        // The first batch before the transaction: reading and sorting take their time, and a file
        // with a fault never gets as far as a lock.
        let mut batch = source.next().await?;
        let mut import = Import::begin(self, rules).await?;
        while !batch.is_empty() {
            if batch.len() > MAX_PLAY_BATCH {
                return Err(StoreError::Data("a batch of plays is too large".to_owned()).into());
            }
            import.add(&batch).await?;
            batch = source.next().await?;
        }
        Ok(import.commit().await?)
    }

    /// Imports opening balances, all or nothing; a video's earlier ones are replaced.
    pub async fn import_balances(
        &self,
        balances: &[OpeningBalance],
    ) -> Result<BalanceCounts, BalanceError> {
        let mut tx = self.db.write().await?;
        let lock = tx.for_share();
        if let Some(closed) = closed_through(&mut tx, lock).await? {
            return Err(BalanceError::Closed(closed));
        }
        let mut counts = BalanceCounts::default();
        for balances in balances.chunks(MAX_PLAY_BATCH) {
            replace_balances(&mut tx, balances, &mut counts).await?;
        }
        tx.commit().await?;
        Ok(counts)
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
        &balances[..],
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
