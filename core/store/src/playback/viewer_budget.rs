//! The budgets of viewers in the database of the embedded intake.

use crate::{
    StoreError, StoreResult,
    sql::{statement::params, tx::Tx},
};
use balance_domain::{
    accounts::UserId,
    playback::{OpenSession, Viewer},
};

/// Returns the budgets of a viewer. Those of a viewer without a row are full.
pub(crate) async fn find(tx: &mut Tx, user_id: UserId) -> StoreResult<Viewer> {
    let row: Option<(i64, i64, i64, Option<i64>, String)> = tx
        .fetch_optional(
            "SELECT last_micros, credit_tat_micros, view_tat_micros, ad_stock_s, open_sessions \
             FROM viewer_budget WHERE user_id = ?",
            &params![user_id.0],
        )
        .await?;
    let Some((last_micros, credit_tat_micros, view_tat_micros, ad_stock_s, open)) = row else {
        return Ok(Viewer::default());
    };
    let open = OpenSession::from_text(&open).ok_or_else(|| {
        StoreError::Damaged(format!("invalid open sessions of user {user_id}: '{open}'"))
    })?;
    Ok(Viewer {
        last_micros,
        credit_tat_micros,
        view_tat_micros,
        ad_stock_s,
        open,
    })
}

/// Stores the budgets of a viewer.
pub(crate) async fn store(tx: &mut Tx, user_id: UserId, viewer: &Viewer) -> StoreResult<()> {
    tx.execute(
        "REPLACE INTO viewer_budget (user_id, last_micros, credit_tat_micros, view_tat_micros, \
         ad_stock_s, open_sessions) VALUES (?, ?, ?, ?, ?, ?)",
        &params![
            user_id.0,
            viewer.last_micros,
            viewer.credit_tat_micros,
            viewer.view_tat_micros,
            viewer.ad_stock_s,
            OpenSession::to_text(&viewer.open)
        ],
    )
    .await?;
    Ok(())
}
