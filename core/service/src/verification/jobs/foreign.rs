//! Step executions that another program wrote, such as Spring Batch. The rules of the engine do not apply
//! to them.

use balance_batch::{
    spring::context::ExecutionContext,
    status::{BatchStatus, ExitCode},
};
use balance_store::verification::{ExecutionFacts, StepFacts};

/// Returns whether another program created a step execution: it launched the execution, or the context
/// has keys of Spring Batch. Executions that are older than the record of launches have only the keys.
pub(super) fn is_created(execution: &ExecutionFacts, step: &StepFacts) -> bool {
    if execution.is_foreign {
        return true;
    }
    let context = step.run.context.as_ref().and_then(|(short, serialized)| {
        ExecutionContext::from_columns(short, serialized.as_deref()).ok()
    });
    context.is_some_and(|context| context.has_spring_keys())
}

/// Returns whether another program ended a step execution. The engine sets the exit code of each row
/// that it ends.
pub(super) fn is_ended(step: &StepFacts, status: BatchStatus) -> bool {
    !status.is_running() && step.run.exit_code.as_deref() == Some(ExitCode::EXECUTING.as_str())
}

/// Returns the number of step executions that another program created or ended.
pub(in crate::verification) fn count(execution: &ExecutionFacts) -> u64 {
    let is_foreign = |step: &&StepFacts| {
        let status = step.run.status.as_deref();
        let status = status.and_then(|word| word.parse().ok());
        is_created(execution, step) || status.is_some_and(|status| is_ended(step, status))
    };
    u64::try_from(execution.steps.iter().filter(is_foreign).count()).unwrap_or(u64::MAX)
}
