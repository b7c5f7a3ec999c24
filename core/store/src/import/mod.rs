//! The imports of plays and opening balances.

mod balances;
mod linking;
mod play_rows;
mod plays;
mod record;
mod registration;
mod types;
mod undo;
pub(crate) mod unfinished;

pub use balances::{BalanceCounts, BalanceError};
pub use types::{
    ImportId, ImportRules, ImportStatus, Imported, LinkedAccounts, MAX_IMPORT_NAME, MAX_PLAY_BATCH,
    PlayCounts, PlayImport, PlayImportError, PlaySource, SourcedPlay,
};
pub use undo::{UndoError, Undone};
