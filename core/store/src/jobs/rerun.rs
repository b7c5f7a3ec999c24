//! The partitions of a restart: what earlier executions of the instance left undone.

use crate::{
    StoreResult,
    jobs::{
        advance::{claimable, manager},
        rows::NewStep,
    },
    sql::{statement::params, tx::Tx},
};
use balance_batch::{
    execution::{StepExecutionId, exit_message},
    job::Step,
    spring::context::ExecutionContext,
    status::{BatchStatus, ExitCode},
    step::StepExecution,
};
use std::collections::HashMap;

/// The manager and the partitions of a restart: what is COMPLETED is left out, what is
/// quarantined stays FAILED, the rest goes on from its cursor.
pub(crate) async fn partitions(
    tx: &mut Tx,
    step: Step,
    earlier: &[StepExecution],
) -> StoreResult<Vec<NewStep>> {
    let undone: Vec<&StepExecution> = earlier
        .iter()
        .filter(|row| row.status != BatchStatus::Completed)
        .collect();
    let mut contexts = contexts(tx, &undone).await?;
    let quarantined = quarantined(tx, &undone).await?;
    let mut rows = vec![manager(step, earlier.len())];
    for row in undone {
        let context = contexts.remove(&row.id).unwrap_or_default();
        let mut again = claimable(row.name, context);
        if let Some(reason) = quarantined.get(&row.id) {
            again.status = BatchStatus::Failed;
            again.exit_code = ExitCode::FAILED;
            again.exit_message.clone_from(reason);
            again.is_claimable = false;
        }
        rows.push(again);
    }
    Ok(rows)
}

/// Rows of one IN list.
const IN_LIST: usize = 1_000;

/// The contexts as they are. One that cannot be read becomes an empty one, which its next claim
/// fails with the reason.
async fn contexts(
    tx: &mut Tx,
    rows: &[&StepExecution],
) -> StoreResult<HashMap<StepExecutionId, ExecutionContext>> {
    let mut contexts = HashMap::with_capacity(rows.len());
    for rows in rows.chunks(IN_LIST) {
        let found: Vec<(i64, String, Option<String>)> = tx
            .fetch_in(
                "SELECT STEP_EXECUTION_ID, SHORT_CONTEXT, SERIALIZED_CONTEXT \
             FROM BATCH_STEP_EXECUTION_CONTEXT WHERE STEP_EXECUTION_ID IN ",
                rows.iter().map(|row| row.id.0),
                "",
                &[],
            )
            .await?;
        contexts.extend(found.into_iter().filter_map(|(id, short, serialized)| {
            let context = ExecutionContext::from_columns(&short, serialized.as_deref()).ok()?;
            Some((StepExecutionId(id), context))
        }));
    }
    Ok(contexts)
}

async fn quarantined(
    tx: &mut Tx,
    rows: &[&StepExecution],
) -> StoreResult<HashMap<StepExecutionId, String>> {
    let mut reasons = HashMap::new();
    for rows in rows.chunks(IN_LIST) {
        let found: Vec<(i64, String)> = tx
            .fetch_in(
                "SELECT step_execution_id, reason FROM step_quarantine WHERE step_execution_id IN ",
                rows.iter().map(|row| row.id.0),
                "",
                &[],
            )
            .await?;
        reasons.extend(
            found
                .into_iter()
                .map(|(id, reason)| (StepExecutionId(id), reason)),
        );
    }
    Ok(reasons)
}

/// A partition that stays quarantined is so under its new row too.
pub(crate) async fn keep_quarantine(
    tx: &mut Tx,
    ids: &[StepExecutionId],
    rows: &[NewStep],
) -> StoreResult<()> {
    let kept: Vec<(i64, String)> = ids
        .iter()
        .zip(rows)
        .filter(|(_, row)| row.status == BatchStatus::Failed)
        .map(|(id, row)| (id.0, row.exit_message.clone()))
        .collect();
    tx.insert_rows(
        "INSERT INTO step_quarantine (step_execution_id, reason) ",
        &kept[..],
        |kept| params![kept.0, exit_message(&kept.1)],
        "",
    )
    .await?;
    Ok(())
}
