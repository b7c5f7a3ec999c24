//! What was found: the first differences of each kind, and how many there are.

use std::fmt::Display;

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An event on a day that is not its own, or on two; a value that no event has.
    History,
    /// A day's statistics are not what was played.
    Statistics,
    /// A video's lifetime counts do not go on from the row before.
    Chain,
    /// A day's revenue is not what its rates pay.
    Revenue,
    /// A week or month is not the sum of its days.
    Periods,
    /// A manager is not the sum of its partitions.
    Managers,
    /// Partitions have gaps, overlap, or counted other than what they wrote.
    Partitions,
    /// What Spring Batch could not read, or would read wrongly.
    JobTables,
    /// Days that are not closed and settled in order.
    Order,
}

impl Kind {
    /// All of them, in the order in which they are told.
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

    /// The word for it.
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

/// One difference: where it is, what should be there and what is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub kind: Kind,
    /// The table.
    pub table: &'static str,
    /// The row, in words.
    pub key: String,
    /// The column; `row` where the row itself is missing, or is one too many.
    pub column: &'static str,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// The column of a difference that is about a whole row.
pub(super) const ROW: &str = "row";

/// A row that is being looked at.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) kind: Kind,
    pub(super) table: &'static str,
    pub(super) key: &'a dyn Display,
}

/// Differences by kind: all are counted, the first are kept.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    limit: usize,
    totals: [u64; Kind::ALL.len()],
    shown: Vec<Difference>,
}

impl Findings {
    /// Keeps at most `limit` differences of each kind.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            ..Self::default()
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.totals.iter().all(|total| *total == 0)
    }

    /// How many there are of all kinds.
    pub(super) fn all(&self) -> u64 {
        self.totals.iter().sum()
    }

    /// How many there are of a kind.
    #[must_use]
    pub fn total(&self, kind: Kind) -> u64 {
        self.totals[kind as usize]
    }

    /// The differences of a kind that were kept, in the order found.
    pub fn shown(&self, kind: Kind) -> impl Iterator<Item = &Difference> {
        self.shown.iter().filter(move |one| one.kind == kind)
    }

    /// Writes a difference down.
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

    /// Counts differences that are not kept; answers how many of the kind there are now.
    pub(super) fn count(&mut self, kind: Kind, more: u64) -> u64 {
        let total = &mut self.totals[kind as usize];
        *total += more;
        *total
    }

    /// Writes a difference down where two numbers are not equal.
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
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
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
