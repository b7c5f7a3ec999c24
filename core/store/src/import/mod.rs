//! The imports of plays and opening balances.

mod balances;
mod play_rows;
mod plays;
mod types;

pub use balances::{BalanceCounts, BalanceError};
pub use types::{MAX_PLAY_BATCH, PlayCounts, PlayImportError, PlayRules, PlaySource, SourcedPlay};
