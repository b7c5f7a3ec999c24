//! The accounts whose ids an import contains. An id of another platform must not become that of an
//! account by chance: the account would own its videos and their revenue.

use crate::{StoreResult, import::types::LinkedAccounts, sql::tx::Tx};
use balance_domain::accounts::UserId;
use std::collections::HashMap;

/// Adds the accounts among the users to a list. An imported user whose password an admin has set is none
/// of them: its id is that of the imported platform.
pub(super) async fn add_accounts(
    tx: &mut Tx,
    known: &HashMap<UserId, Option<i64>>,
    accounts: &mut LinkedAccounts,
) -> StoreResult<()> {
    let others: Vec<i64> = known
        .iter()
        .filter(|(_, import)| import.is_none())
        .map(|(id, _)| id.0)
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    let found: Vec<(i64, String)> = tx
        .fetch_in(
            "SELECT u.id, u.username FROM users u JOIN credential c ON c.user_id = u.id \
             WHERE u.id IN ",
            others,
            "",
            &[],
        )
        .await?;
    for (id, name) in found {
        accounts.add(UserId(id), name);
    }
    Ok(())
}
