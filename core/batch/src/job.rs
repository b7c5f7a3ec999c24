//! Jobs, their names and their steps. The worker implements the steps.

use std::fmt;

/// A batch job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// Closes and settles one business day.
    DayStatistics,
}

impl Job {
    pub const ALL: [Self; 1] = [Self::DayStatistics];

    /// Returns the name in the job tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DayStatistics => "dayStatisticsJob",
        }
    }

    /// Returns the job of that name, if it exists.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|job| job.name() == name)
    }

    /// Returns the steps in the order of execution.
    #[must_use]
    pub const fn steps(self) -> &'static [Step] {
        match self {
            Self::DayStatistics => &[
                Step::CloseDay,
                Step::DayStatistics,
                Step::DayRevenue,
                Step::PeriodRollup,
            ],
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Closes the day, so that no event can be added to it.
    CloseDay,
    /// Counts each video's views, seconds and ad views.
    DayStatistics,
    /// Computes each video's revenue.
    DayRevenue,
    /// Recomputes the week and the month of each video.
    PeriodRollup,
}

impl Step {
    const ALL: [Self; 4] = [
        Self::CloseDay,
        Self::DayStatistics,
        Self::DayRevenue,
        Self::PeriodRollup,
    ];

    /// Returns the name of the step's own row: the manager of a partitioned step, or the tasklet.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloseDay => "closeDayStep",
            Self::DayStatistics => "partitionedDayStatisticsStep",
            Self::DayRevenue => "partitionedDayRevenueStep",
            Self::PeriodRollup => "partitionedPeriodRollupStep",
        }
    }

    /// Returns the prefix of the partitions' names; `None` for a tasklet.
    #[must_use]
    pub const fn worker_name(self) -> Option<&'static str> {
        match self {
            Self::CloseDay => None,
            Self::DayStatistics => Some("dayStatisticsStep"),
            Self::DayRevenue => Some("dayRevenueStep"),
            Self::PeriodRollup => Some("periodRollupStep"),
        }
    }

    /// Returns whether the step is split into partitions.
    #[must_use]
    pub const fn is_partitioned(self) -> bool {
        self.worker_name().is_some()
    }
}

/// The name of a step execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StepName {
    pub step: Step,
    /// The partition's number; `None` for the step's own row.
    pub partition: Option<u32>,
}

impl StepName {
    /// Returns the name of the step's own row.
    #[must_use]
    pub const fn of_step(step: Step) -> Self {
        Self {
            step,
            partition: None,
        }
    }

    /// Returns the name of a partition's row.
    #[must_use]
    pub const fn of_partition(step: Step, number: u32) -> Self {
        Self {
            step,
            partition: Some(number),
        }
    }

    /// Parses a name of the job tables. Returns `None` if it names no known step.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let Some((worker, number)) = name.split_once(":partition") else {
            return Step::ALL
                .into_iter()
                .find(|step| step.name() == name)
                .map(Self::of_step);
        };
        let step = Step::ALL
            .into_iter()
            .find(|step| step.worker_name() == Some(worker))?;
        let number = number.parse().ok()?;
        let parsed = Self::of_partition(step, number);
        (parsed.to_string() == name).then_some(parsed)
    }
}

/// Formats the name as in the job tables: `closeDayStep`, `dayStatisticsStep:partition3`.
impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.partition, self.step.worker_name()) {
            (Some(number), Some(worker)) => f.pad(&format!("{worker}:partition{number}")),
            _ => f.pad(self.step.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for step in Job::ALL.iter().flat_map(|job| job.steps()).copied() {
            let own = StepName::of_step(step);
            assert_eq!(StepName::parse(&own.to_string()), Some(own));
            if step.is_partitioned() {
                let partition = StepName::of_partition(step, 12);
                assert_eq!(StepName::parse(&partition.to_string()), Some(partition));
            }
        }
        for name in [
            "",
            "other",
            "dayStatisticsStep:partition",
            "dayStatisticsStep:partition01",
            "closeDayStep:partition0",
        ] {
            assert_eq!(StepName::parse(name), None, "{name}");
        }
    }
}
