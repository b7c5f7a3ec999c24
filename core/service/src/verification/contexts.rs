//! Contexts: a row that is there and that Java could have written.

use crate::verification::findings::{At, Findings, Kind, ROW};
use balance_batch::spring::context::ExecutionContext;
use balance_store::verification::ContextFacts;
use std::fmt::Display;

/// Reads a context, or tells why it cannot be read.
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
            findings.add(at, column, "a context as Java writes it", error);
            None
        }
    }
}
