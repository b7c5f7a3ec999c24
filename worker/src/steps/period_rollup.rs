//! `periodRollupStep`: the week and the month of each video that was active on the day.

use crate::steps::chunk::{Chunk, Processed, collect};
use balance_batch::{chunk::Claim, partition::IdRange};
use balance_domain::settlement::SettleError;
use balance_store::{Store, StoreResult, claims::ChunkOutput};

pub(super) async fn prepare(
    store: &Store,
    claim: &Claim,
    range: IdRange,
    limit: u32,
) -> StoreResult<Chunk> {
    let page = store.periods(claim.date, range, limit).await?;
    let items = page.items.into_iter().map(|video| match video.rows {
        Some(rows) => Processed::Write(rows),
        None => Processed::Reject(video.video_id, SettleError::Overflow("sum of the period")),
    });
    let (videos, commit) = collect(page.upto, items);
    Ok(Chunk {
        commit,
        output: ChunkOutput::Rollup(videos.into_iter().flatten().collect()),
    })
}
