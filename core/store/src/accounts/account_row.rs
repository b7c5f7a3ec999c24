//! Conversion of account rows.

use crate::{StoreError, StoreResult};
use balance_domain::accounts::{Account, Role, UserId, Username};
use chrono::NaiveDateTime;

/// Converts the columns of an account.
pub(crate) fn account(
    id: i64,
    username: &str,
    role: &str,
    created_at: NaiveDateTime,
) -> StoreResult<Account> {
    let damaged = |column: &str| StoreError::Damaged(format!("user {id}: invalid {column}"));
    Ok(Account {
        user_id: UserId(id),
        username: Username::parse(username).map_err(|_| damaged("username"))?,
        role: Role::from_name(role).ok_or_else(|| damaged("role"))?,
        created_at,
    })
}
