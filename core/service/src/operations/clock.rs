//! The repair after a wrong clock.

use crate::events::stream::{EventStream, StreamError, StreamRepair};
use balance_domain::{
    calendar::BusinessTimezone,
    clock::{Clock, instant_text},
    units::MICROS_PER_MS,
};
use balance_store::{
    Store,
    operations::{Actor, ClockRepair, ClockRepairError},
};

/// What a repair changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    pub database: ClockRepair,
    /// The deleted entries of the stream, if the stream was ahead. Their events are in the database.
    pub entries: Option<u64>,
}

/// Why a clock was not repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    #[error("the clock is at {own}, that of Redis at {stream}; correct the wrong one first")]
    ClocksDiffer { own: String, stream: String },
    #[error(
        "entries of the event stream are not persisted yet; start the workers, and repeat the command"
    )]
    Waiting,
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Database(#[from] ClockRepairError),
}

/// Repairs the stream of a fleet, if there is one, and then the database: an interrupted call can be
/// repeated.
///
/// # Errors
/// If the clocks differ, the stream has entries that are not persisted, or the database rejects the
/// repair.
pub async fn repair(
    store: &Store,
    stream: Option<&dyn EventStream>,
    clock: &dyn Clock,
    timezone: BusinessTimezone,
    by: &Actor,
) -> Result<Repaired, RepairError> {
    let entries = match stream {
        None => None,
        Some(stream) => {
            let now_micros = clock.now_micros();
            match stream.repair_clock(now_micros / MICROS_PER_MS).await? {
                StreamRepair::Right => None,
                StreamRepair::Repaired(entries) => Some(entries),
                StreamRepair::Waiting => return Err(RepairError::Waiting),
                StreamRepair::WrongClock(ms) => {
                    return Err(RepairError::ClocksDiffer {
                        own: instant_text(now_micros),
                        stream: instant_text(ms.saturating_mul(MICROS_PER_MS)),
                    });
                }
            }
        }
    };
    Ok(Repaired {
        database: store.repair_clock(timezone, by).await?,
        entries,
    })
}
