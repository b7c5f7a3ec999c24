//! Partitions of a restarted step: those that earlier executions of the instance did not complete.

use crate::{
    StoreResult,
    jobs::insert::NewStep,
    sql::{
        statement::{LIST_CHUNK, params},
        tx::Tx,
    },
};
use balance_batch::{
    execution::{StepExecutionId, exit_message},
    job::Step,
    spring::context::ExecutionContext,
    status::{BatchStatus, ExitCode},
    step::StepExecution,
};
use std::collections::HashMap;

/// Builds the manager and the partitions of a restart. COMPLETED partitions are left out, quarantined
/// ones stay FAILED, and the others resume at their cursors.
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
    let mut rows = vec![NewStep::manager(step, earlier.len())];
    for row in undone {
        let context = contexts.remove(&row.id).unwrap_or_default();
        let mut again = NewStep::claimable(row.name, context);
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

/// Returns the stored contexts, without the keys by which a row of Spring Batch is recognized. An invalid context is left out, so its partition gets an empty one.
/// The next claim of that partition fails with the reason.
async fn contexts(
    tx: &mut Tx,
    rows: &[&StepExecution],
) -> StoreResult<HashMap<StepExecutionId, ExecutionContext>> {
    let mut contexts = HashMap::with_capacity(rows.len());
    for rows in rows.chunks(LIST_CHUNK) {
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
            let mut context = ExecutionContext::from_columns(&short, serialized.as_deref()).ok()?;
            context.remove_spring_keys();
            Some((StepExecutionId(id), context))
        }));
    }
    Ok(contexts)
}

/// Returns the quarantined partitions with their reasons.
async fn quarantined(
    tx: &mut Tx,
    rows: &[&StepExecution],
) -> StoreResult<HashMap<StepExecutionId, String>> {
    let mut reasons = HashMap::new();
    for rows in rows.chunks(LIST_CHUNK) {
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

/// Records the quarantine of new rows that replace quarantined partitions.
pub(crate) async fn copy_quarantine(
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
