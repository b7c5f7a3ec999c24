//! `balance import` and `balance import-balances`.

mod balances;
mod plays;

pub(super) use balances::run as balances;
pub(super) use plays::{print, rules, run as plays};
