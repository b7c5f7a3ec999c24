//! The import of plays and opening balances.

pub(crate) mod play_import;
pub(crate) mod plays;
pub(crate) mod types;

pub use types::{
    BalanceCounts, BalanceError, MAX_PLAY_BATCH, PlayCounts, PlayImportError, PlayRules,
    PlaySource, SourcedPlay,
};
