//! `balance rates` and `balance rules`: what decides about money.

mod rates;
mod rules;

pub(super) use rates::run as rates;
pub(super) use rules::run as rules;
