//! The imports of plays and opening balances.

mod balances;
mod earlier;
mod gap;
mod linking;
mod liveness;
mod play_rows;
mod plays;
mod record;
mod registration;
mod removal;
mod types;
mod undo;
pub(crate) mod unfinished;
mod writes;

pub use balances::{BalanceCounts, BalanceError};
pub use removal::Undone;
pub use types::{
    ImportId, ImportRules, ImportStatus, Imported, LinkedAccounts, MAX_IMPORT_NAME, MAX_PLAY_BATCH,
    PlayCounts, PlayImport, PlayImportError, PlaySource, SourcedPlay,
};
pub use undo::UndoError;
