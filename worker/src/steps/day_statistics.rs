//! `dayStatisticsStep`: the views, play time and ad views of each video on the day.

use crate::steps::chunk::{Chunk, Processed, collect};
use balance_batch::{chunk::Claim, partition::IdRange};
use balance_store::{Store, StoreResult, claims::ChunkOutput};

pub(super) async fn prepare(
    store: &Store,
    claim: &Claim,
    range: IdRange,
    limit: u32,
) -> StoreResult<Chunk> {
    let page = store.activity(claim.date, range, limit).await?;
    let items = page.items.iter().map(|activity| match activity.settle() {
        Ok(Some(row)) => Processed::Write(row),
        Ok(None) => Processed::Filter,
        Err(error) => Processed::Reject(activity.video_id.0, error),
    });
    let (rows, commit) = collect(page.upto, items);
    Ok(Chunk {
        commit,
        output: ChunkOutput::Statistics(rows),
    })
}
