//! The JSON type of the work that waits for workers.

use balance_service::jobs::queries::QueueState;
use balance_store::jobs::Leases;
use poem_openapi::{Object, types::Example};

/// The partitions and tasklets of running executions, by the state of their leases.
#[derive(Debug, Object)]
#[oai(rename = "Queue", rename_all = "camelCase", example)]
pub(crate) struct QueueView {
    /// The number of claims that the workers that are alive can process at a time.
    slots: u32,
    /// The partitions that a worker may claim.
    claimable: u64,
    /// The partitions that a worker owns.
    owned: u64,
    /// The partitions whose lease has expired. Another worker may claim them.
    expired: u64,
    /// The suggested action for an operator if no worker is alive; otherwise null.
    suggested_action: Option<String>,
}

impl From<QueueState> for QueueView {
    fn from(state: QueueState) -> Self {
        let Leases {
            claimable,
            owned,
            expired,
        } = state.leases;
        let is_stuck = state.slots == 0 && claimable + owned + expired > 0;
        Self {
            slots: state.slots,
            claimable,
            owned,
            expired,
            suggested_action: is_stuck
                .then(|| "No worker is alive. Start one: `balance worker`.".to_owned()),
        }
    }
}

impl Example for QueueView {
    fn example() -> Self {
        Self {
            slots: 8,
            claimable: 3,
            owned: 5,
            expired: 0,
            suggested_action: None,
        }
    }
}
