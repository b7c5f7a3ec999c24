//! A chunk: the output of a step for a page of items, with its counters.

use balance_batch::{
    chunk::{ChunkCommit, RejectedItem},
    step::Counters,
};
use balance_domain::settlement::SettleError;
use balance_store::claims::ChunkOutput;

/// A chunk that is ready to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) commit: ChunkCommit,
    pub(crate) output: ChunkOutput,
}

/// The result of processing one item.
pub(super) enum Processed<T> {
    Write(T),
    Filter,
    Reject(i64, SettleError),
}

/// Sorts the processed items of a page into rows, counters and rejected items.
pub(super) fn collect<T>(
    upto: i64,
    items: impl IntoIterator<Item = Processed<T>>,
) -> (Vec<T>, ChunkCommit) {
    let mut rows = Vec::new();
    let mut counters = Counters::default();
    let mut rejected = Vec::new();
    for item in items {
        counters.reads += 1;
        match item {
            Processed::Write(row) => {
                counters.writes += 1;
                rows.push(row);
            }
            Processed::Filter => counters.filters += 1,
            Processed::Reject(video_id, error) => {
                counters.process_skips += 1;
                rejected.push(RejectedItem {
                    video_id,
                    reason: error.to_string(),
                });
            }
        }
    }
    let commit = ChunkCommit {
        cursor: upto,
        counters,
        rejected,
    };
    (rows, commit)
}
