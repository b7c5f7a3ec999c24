//! The range of ids that Balance assigns.

use std::ops::RangeInclusive;

/// The ids of accounts and videos that are created over HTTP or by `balance admin`. Imports bring ids of
/// their own and register none of these. Every JSON client represents them exactly: the last one is
/// 2^53 − 1. Platforms that count, and those that use microseconds since 1970, stay below the first one;
/// those that pack a time and a counter into 63 bits are above the last one.
pub const ASSIGNED_IDS: RangeInclusive<i64> = 8_000_000_000_000_000..=9_007_199_254_740_991;

/// The first id that is assigned.
pub const FIRST_ASSIGNED_ID: i64 = *ASSIGNED_IDS.start() + 1;
