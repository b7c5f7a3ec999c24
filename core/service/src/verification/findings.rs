//! The findings of a verification: the first differences of each kind, and their number.

use std::fmt::Display;

/// The kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An event is on a wrong day or on two days, or has an invalid value.
    History,
    /// A day's statistics do not match the history.
    Statistics,
    /// A video's lifetime counts do not continue those of the previous row.
    Chain,
    /// A day's revenue does not match its rates.
    Revenue,
    /// A week or month is not the sum of its days.
    Periods,
    /// A manager step is not the sum of its partitions.
    Managers,
    /// Partitions have gaps or overlap, or their counts do not match the written rows.
    Partitions,
    /// The job tables hold a value that Spring Batch cannot read or would misread.
    JobTables,
    /// Days are not closed and settled in order.
    Order,
}

impl Kind {
    /// All kinds, in the order of the report.
    pub const ALL: [Self; 9] = [
        Self::History,
        Self::Statistics,
        Self::Chain,
        Self::Revenue,
        Self::Periods,
        Self::Managers,
        Self::Partitions,
        Self::JobTables,
        Self::Order,
    ];

    /// Returns the name in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Statistics => "statistics",
            Self::Chain => "chain",
            Self::Revenue => "revenue",
            Self::Periods => "periods",
            Self::Managers => "managers",
            Self::Partitions => "partitions",
            Self::JobTables => "job tables",
            Self::Order => "order",
        }
    }
}

/// A difference between an expected and a found value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub kind: Kind,
    pub table: &'static str,
    /// A description of the row.
    pub key: String,
    /// The column; `row` if the row itself is missing or superfluous.
    pub column: &'static str,
    pub expected: String,
    pub found: String,
}

/// The column of a difference that concerns a whole row.
pub(super) const ROW: &str = "row";

/// The location of a difference: its kind, table and row.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) kind: Kind,
    pub(super) table: &'static str,
    pub(super) key: &'a dyn Display,
}

/// Differences by kind. All are counted, and the first of each kind are kept.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    limit: usize,
    totals: [u64; Kind::ALL.len()],
    shown: Vec<Difference>,
}

impl Findings {
    /// Creates findings that keep at most `limit` differences of each kind.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            ..Self::default()
        }
    }

    /// Returns whether there are no differences.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.totals.iter().all(|total| *total == 0)
    }

    /// Returns the number of differences of all kinds.
    pub(super) fn count_all(&self) -> u64 {
        self.totals.iter().sum()
    }

    /// Returns the number of differences of a kind.
    #[must_use]
    pub fn total(&self, kind: Kind) -> u64 {
        self.totals[kind as usize]
    }

    /// Returns the kept differences of a kind, in the order found.
    pub fn shown(&self, kind: Kind) -> impl Iterator<Item = &Difference> {
        self.shown.iter().filter(move |one| one.kind == kind)
    }

    /// Records a difference.
    pub(super) fn add(
        &mut self,
        at: At<'_>,
        column: &'static str,
        expected: impl Display,
        found: impl Display,
    ) {
        let total = self.count(at.kind, 1);
        if total <= u64::try_from(self.limit).unwrap_or(u64::MAX) {
            self.shown.push(Difference {
                kind: at.kind,
                table: at.table,
                key: at.key.to_string(),
                column,
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }

    /// Counts differences without keeping them. Returns the new number of the kind.
    pub(super) fn count(&mut self, kind: Kind, more: u64) -> u64 {
        let total = &mut self.totals[kind as usize];
        *total += more;
        *total
    }

    /// Records a difference if two numbers are not equal.
    pub(super) fn compare(
        &mut self,
        at: At<'_>,
        column: &'static str,
        expected: i128,
        found: i128,
    ) {
        if expected != found {
            self.add(at, column, expected, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_of_each_kind_are_kept() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
        let mut findings = Findings::new(2);
        assert!(findings.is_clean());
        for number in 0..5 {
            for kind in [Kind::Chain, Kind::Order] {
                let at = At {
                    kind,
                    table: "video",
                    key: &number,
                };
                findings.compare(at, "id", 1, 1);
                findings.compare(at, "id", 1, 2);
            }
        }
        assert_eq!(
            (findings.total(Kind::Chain), findings.total(Kind::Order)),
            (5, 5)
        );
        let keys: Vec<&str> = findings
            .shown(Kind::Order)
            .map(|one| one.key.as_str())
            .collect();
        assert_eq!(keys, ["0", "1"]);
        assert!(!findings.is_clean());
        assert_eq!(findings.total(Kind::Revenue), 0);
    }
}
