//! Execution contexts: each must exist and have the form that Spring Batch writes.

use crate::verification::findings::{At, Findings, Kind, ROW};
use balance_batch::spring::context::ExecutionContext;
use balance_store::verification::ContextFacts;
use std::fmt::Display;

/// Decodes a context, or reports why it cannot be decoded.
pub(super) fn decode(
    table: &'static str,
    key: &dyn Display,
    context: Option<&ContextFacts>,
    findings: &mut Findings,
) -> Option<ExecutionContext> {
    let at = At {
        kind: Kind::JobTables,
        table,
        key,
    };
    let Some((short, serialized)) = context else {
        findings.add(at, ROW, "a context", "no row");
        return None;
    };
    let column = match serialized {
        Some(_) => "SERIALIZED_CONTEXT",
        None => "SHORT_CONTEXT",
    };
    match ExecutionContext::from_columns(short, serialized.as_deref()) {
        Ok(context) => Some(context),
        Err(error) => {
            findings.add(at, column, "a context in the form of Spring Batch", error);
            None
        }
    }
}
