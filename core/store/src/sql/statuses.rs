//! Batch statuses as SQL text. Literals instead of parameters let the databases plan with them.

use balance_batch::status::BatchStatus;

/// Returns a status as an SQL string literal.
pub(crate) fn literal(status: BatchStatus) -> String {
    format!("'{}'", status.name())
}

/// Returns statuses as an SQL list in parentheses.
pub(crate) fn list(statuses: impl IntoIterator<Item = BatchStatus>) -> String {
    let literals: Vec<String> = statuses.into_iter().map(literal).collect();
    format!("({})", literals.join(", "))
}

/// Returns the SQL list of the statuses of unfinished executions.
pub(crate) fn running() -> String {
    list(
        BatchStatus::ALL
            .into_iter()
            .filter(|status| status.is_running()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_quote_the_names() {
        assert_eq!(running(), "('STARTING', 'STARTED', 'STOPPING')");
        assert_eq!(list([BatchStatus::Completed]), "('COMPLETED')");
    }
}
