//! `dayRevenueStep`: the revenue of each video on the day.

use crate::steps::chunk::{Chunk, Processed, collect};
use balance_batch::{chunk::Claim, partition::IdRange};
use balance_domain::{
    rates::RateVersion,
    settlement::{SettleError, VideoRevenue},
};
use balance_store::{Store, StoreResult, claims::ChunkOutput, settlement::RevenueInput};

pub(super) async fn prepare(
    store: &Store,
    claim: &Claim,
    range: IdRange,
    limit: u32,
) -> StoreResult<Chunk> {
    let rates = store.rates_on(claim.date).await?;
    let page = store
        .revenue_inputs(claim.job_instance_id, claim.date, range, limit)
        .await?;
    let items = page
        .items
        .iter()
        .map(|item| process(item, claim, rates.as_ref()));
    let (rows, commit) = collect(page.upto, items);
    Ok(Chunk {
        commit,
        output: ChunkOutput::Revenue(rows),
    })
}

fn process(
    item: &RevenueInput,
    claim: &Claim,
    rates: Option<&RateVersion>,
) -> Processed<VideoRevenue> {
    let statistics = match item {
        RevenueInput::Settled(statistics) => statistics,
        RevenueInput::Held { video_id } => {
            return Processed::Reject(*video_id, SettleError::Held(claim.date));
        }
    };
    let revenue = rates
        .ok_or(SettleError::NoRate(claim.date))
        .and_then(|rates| VideoRevenue::of(statistics, rates));
    match revenue {
        Ok(row) => Processed::Write(row),
        Err(error) => Processed::Reject(statistics.video_id.0, error),
    }
}
