//! What an owner writes: chunks, rollbacks, its end.

use crate::{
    Store, StoreError, StoreResult,
    claims::{
        ChunkLimits, ChunkOutcome, ChunkOutput, ClaimError, Ending, PeriodRow, lease::lease_end,
    },
    sql::{statement::params, tx::Tx},
};
use balance_batch::{
    chunk::{ChunkCommit, Claim, RejectedItem},
    execution::exit_message,
    partition::PartitionState,
    step::Counters,
};
use balance_domain::settlement::{VideoRevenue, VideoStatistics};
use sqlx::AssertSqlSafe;

pub(crate) async fn commit(
    store: &Store,
    claim: &mut Claim,
    commit: &ChunkCommit,
    output: &ChunkOutput,
    limits: ChunkLimits,
) -> Result<ChunkOutcome, ClaimError> {
    let state = claim
        .state
        .ok_or_else(|| StoreError::Damaged("a tasklet has no chunks".to_owned()))?;
    let next = PartitionState {
        cursor: commit.cursor,
        ..state
    };
    let mut tx = store.db.write().await?;
    let mut counters = commit.counters;
    counters.commits = 1;
    raise_version(&mut tx, claim, counters).await?;
    if !commit.rejected.is_empty()
        && !reject(&mut tx, claim, &commit.rejected, limits.skip_limit).await?
    {
        tx.rollback().await?;
        return Ok(ChunkOutcome::OverSkipLimit);
    }
    write_output(&mut tx, claim, state.cursor, commit.cursor, output).await?;
    write_state(&mut tx, claim, next).await?;
    let outcome = if next.is_done() {
        end_row(&mut tx, claim, "COMPLETED", "").await?;
        ChunkOutcome::Completed
    } else {
        let until = lease_end(tx.now_micros().await?, limits.lease_s);
        tx.execute(
            "UPDATE step_lease SET lease_until_micros = ? WHERE step_execution_id = ?",
            &params![until, claim.step_execution_id.0],
        )
        .await?;
        ChunkOutcome::Continues
    };
    crate::sql::fault::before_chunk_commit();
    tx.commit().await?;
    claim.version += 1;
    claim.state = Some(next);
    Ok(outcome)
}

pub(crate) async fn record_rollback(
    store: &Store,
    claim: &mut Claim,
    mut counters: Counters,
) -> Result<(), ClaimError> {
    counters.commits = 0;
    counters.rollbacks = 1;
    let mut tx = store.db.write().await?;
    raise_version(&mut tx, claim, counters).await?;
    tx.commit().await?;
    claim.version += 1;
    Ok(())
}

pub(crate) async fn end(store: &Store, claim: &Claim, ending: Ending) -> Result<(), ClaimError> {
    let mut tx = store.db.write().await?;
    raise_version(&mut tx, claim, Counters::default()).await?;
    let (word, message) = match ending {
        Ending::Completed => ("COMPLETED", String::new()),
        Ending::Stopped => ("STOPPED", String::new()),
        Ending::Failed(reason) => ("FAILED", exit_message(&reason)),
    };
    end_row(&mut tx, claim, word, &message).await?;
    if word == "COMPLETED" {
        // A tasklet has no chunk that would clear its count of crashes.
        tx.execute(
            "DELETE FROM step_expiry WHERE step_execution_id = ?",
            &params![claim.step_execution_id.0],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

pub(crate) async fn release(
    store: &Store,
    claim: &Claim,
    delay_ms: u32,
    starts_anew: bool,
) -> Result<(), ClaimError> {
    let mut tx = store.db.write().await?;
    raise_version(&mut tx, claim, Counters::default()).await?;
    if starts_anew {
        tx.execute(
            "UPDATE BATCH_STEP_EXECUTION SET START_TIME = NULL WHERE STEP_EXECUTION_ID = ?",
            &params![claim.step_execution_id.0],
        )
        .await?;
    }
    let from = tx
        .now_micros()
        .await?
        .saturating_add(i64::from(delay_ms) * 1_000);
    tx.execute(
        "UPDATE step_lease SET claim_token = NULL, worker = NULL, lease_until_micros = ? \
         WHERE step_execution_id = ?",
        &params![from, claim.step_execution_id.0],
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// The first statement of every write of an owner: only with the version that it knows, which is
/// raised. Adds to the counters.
async fn raise_version(tx: &mut Tx, claim: &Claim, counters: Counters) -> Result<(), ClaimError> {
    let now = tx.now();
    let raised = tx
        .execute(
            "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, LAST_UPDATED = ?, \
         COMMIT_COUNT = COMMIT_COUNT + ?, READ_COUNT = READ_COUNT + ?, \
         FILTER_COUNT = FILTER_COUNT + ?, WRITE_COUNT = WRITE_COUNT + ?, \
         READ_SKIP_COUNT = READ_SKIP_COUNT + ?, WRITE_SKIP_COUNT = WRITE_SKIP_COUNT + ?, \
         PROCESS_SKIP_COUNT = PROCESS_SKIP_COUNT + ?, ROLLBACK_COUNT = ROLLBACK_COUNT + ? \
         WHERE STEP_EXECUTION_ID = ? AND VERSION = ?",
            &params![
                now,
                counters.commits,
                counters.reads,
                counters.filters,
                counters.writes,
                counters.read_skips,
                counters.write_skips,
                counters.process_skips,
                counters.rollbacks,
                claim.step_execution_id.0,
                claim.version
            ],
        )
        .await?;
    if raised == 1 {
        Ok(())
    } else {
        Err(ClaimError::Fenced)
    }
}

/// Ends the claimed row. The caller has raised its version.
async fn end_row(tx: &mut Tx, claim: &Claim, word: &str, message: &str) -> StoreResult<()> {
    let now = tx.now();
    let id = claim.step_execution_id.0;
    tx.execute(
        "UPDATE BATCH_STEP_EXECUTION SET STATUS = ?, EXIT_CODE = ?, EXIT_MESSAGE = ?, \
         END_TIME = ?, LAST_UPDATED = ? WHERE STEP_EXECUTION_ID = ?",
        &params![word, word, message, now, now, id],
    )
    .await?;
    tx.execute(
        "DELETE FROM step_lease WHERE step_execution_id = ?",
        &params![id],
    )
    .await?;
    Ok(())
}

/// Writes the cursor, and forgets the crashes of the one before.
async fn write_state(tx: &mut Tx, claim: &Claim, state: PartitionState) -> StoreResult<()> {
    let columns = state.to_context().to_columns();
    let id = claim.step_execution_id.0;
    tx.execute(
        "UPDATE BATCH_STEP_EXECUTION_CONTEXT SET SHORT_CONTEXT = ?, SERIALIZED_CONTEXT = ? \
         WHERE STEP_EXECUTION_ID = ?",
        &params![columns.short_context, columns.serialized_context, id],
    )
    .await?;
    tx.execute(
        "DELETE FROM step_expiry WHERE step_execution_id = ?",
        &params![id],
    )
    .await?;
    Ok(())
}

/// Records skipped items; answers whether the step stays within its limit, which counts over all
/// its partitions and all executions of the instance, so that their number changes nothing.
async fn reject(
    tx: &mut Tx,
    claim: &Claim,
    rejected: &[RejectedItem],
    skip_limit: u32,
) -> StoreResult<bool> {
    let step = claim.name.step.name();
    // One after the other: two that skip at once would each not see what the other skips, and
    // together exceed the limit.
    let lock = tx.for_update();
    let _: Vec<(i64,)> = tx
        .fetch_all(
            AssertSqlSafe(format!(
                "SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION \
             WHERE JOB_EXECUTION_ID = ? AND STEP_NAME = ?{lock}"
            )),
            &params![claim.job_execution_id.0, step],
        )
        .await?;
    let now = tx.now();
    let keep = tx.on_conflict_keep("job_instance_id, step_name, video_id");
    tx.insert_rows(
        "INSERT INTO rejected_item \
         (job_instance_id, step_name, video_id, date, reason, rejected_at) ",
        &rejected[..],
        |item| {
            params![
                claim.job_instance_id.0,
                step,
                item.video_id,
                claim.date,
                exit_message(&item.reason),
                now
            ]
        },
        keep.as_str(),
    )
    .await?;
    let (skipped,): (i64,) = tx
        .fetch_one(
            "SELECT COUNT(*) FROM rejected_item WHERE job_instance_id = ? AND step_name = ?",
            &params![claim.job_instance_id.0, step],
        )
        .await?;
    Ok(skipped <= i64::from(skip_limit))
}

/// Replaces the rows of the chunk's ids, (`after`, `upto`].
async fn write_output(
    tx: &mut Tx,
    claim: &Claim,
    after: i64,
    upto: i64,
    output: &ChunkOutput,
) -> StoreResult<()> {
    // A row that an abandoned run left must go even where this run writes none.
    let clear = |table: &str| {
        AssertSqlSafe(format!(
            "DELETE FROM {table} WHERE date = ? AND video_id > ? AND video_id <= ?"
        ))
    };
    match output {
        ChunkOutput::Statistics(rows) => {
            tx.execute(clear("video_statistics"), &params![claim.date, after, upto])
                .await?;
            insert_statistics(tx, claim, rows).await
        }
        ChunkOutput::Revenue(rows) => {
            tx.execute(clear("video_revenue"), &params![claim.date, after, upto])
                .await?;
            insert_revenue(tx, claim, rows).await
        }
        ChunkOutput::Rollup(rows) => replace_periods(tx, rows).await,
    }
}

async fn insert_statistics(
    tx: &mut Tx,
    claim: &Claim,
    rows: &[VideoStatistics],
) -> StoreResult<()> {
    tx.insert_rows(
        "INSERT INTO video_statistics (video_id, date, view_count, total_play_time, \
         ad_view_count, cumulative_view_count, cumulative_ad_view_count) ",
        &rows[..],
        |video| {
            params![
                video.video_id.0,
                claim.date,
                video.view_count,
                video.total_play_time,
                video.ad_view_count,
                video.cumulative.views,
                video.cumulative.ad_views
            ]
        },
        "",
    )
    .await?;
    Ok(())
}

async fn insert_revenue(tx: &mut Tx, claim: &Claim, rows: &[VideoRevenue]) -> StoreResult<()> {
    tx.insert_rows(
        "INSERT INTO video_revenue \
         (video_id, date, view_revenue, ad_revenue, total_revenue) ",
        &rows[..],
        |video| {
            params![
                video.video_id.0,
                claim.date,
                video.view_revenue.hundredths(),
                video.ad_revenue.hundredths(),
                video.total_revenue.hundredths()
            ]
        },
        "",
    )
    .await?;
    Ok(())
}

/// Other days' rows of the same week and month stay: only the videos of this chunk are replaced.
async fn replace_periods(tx: &mut Tx, rows: &[PeriodRow]) -> StoreResult<()> {
    tx.insert_rows(
        "REPLACE INTO period_rollup (period, start_date, video_id, view_count, total_play_time, \
         ad_view_count, view_revenue, ad_revenue, total_revenue) ",
        &rows[..],
        |video| {
            params![
                video.kind.name(),
                video.start_date,
                video.video_id.0,
                video.view_count,
                video.total_play_time,
                video.ad_view_count,
                video.view_revenue,
                video.ad_revenue,
                video.total_revenue
            ]
        },
        "",
    )
    .await?;
    Ok(())
}
