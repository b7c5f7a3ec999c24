//! `balance import` and `balance import-balances`.

mod balances;
mod plays;
mod recorded;

pub(super) use balances::run as balances;
pub(super) use plays::{print, rules, run as plays};
pub(super) use recorded::run as recorded;
