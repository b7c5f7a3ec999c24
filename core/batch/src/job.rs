//! What the jobs are: their names and their steps. What a step does is the worker's affair.

use std::fmt;

/// A job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// Closes and settles one business day.
    DayStatistics,
}

impl Job {
    /// All jobs.
    pub const ALL: [Self; 1] = [Self::DayStatistics];

    /// The name in the job tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DayStatistics => "dayStatisticsJob",
        }
    }

    /// The job of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|job| job.name() == name)
    }

    /// The steps, in the order in which they run.
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

/// A step of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Closes the day: nothing is added to it from here on.
    CloseDay,
    /// Counts each video's views, seconds and ad views.
    DayStatistics,
    /// Pays each video.
    DayRevenue,
    /// Recomputes each video's week and month.
    PeriodRollup,
}

impl Step {
    const ALL: [Self; 4] = [
        Self::CloseDay,
        Self::DayStatistics,
        Self::DayRevenue,
        Self::PeriodRollup,
    ];

    /// The name of the step's own row: the manager of a partitioned step, or the tasklet.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloseDay => "closeDayStep",
            Self::DayStatistics => "partitionedDayStatisticsStep",
            Self::DayRevenue => "partitionedDayRevenueStep",
            Self::PeriodRollup => "partitionedPeriodRollupStep",
        }
    }

    /// The name that the partitions' rows begin with; nothing for a tasklet.
    #[must_use]
    pub const fn worker_name(self) -> Option<&'static str> {
        match self {
            Self::CloseDay => None,
            Self::DayStatistics => Some("dayStatisticsStep"),
            Self::DayRevenue => Some("dayRevenueStep"),
            Self::PeriodRollup => Some("periodRollupStep"),
        }
    }

    /// Whether the step is split into partitions.
    #[must_use]
    pub const fn is_partitioned(self) -> bool {
        self.worker_name().is_some()
    }
}

/// What a step execution's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StepName {
    /// The step.
    pub step: Step,
    /// The partition's number, or nothing for the step's own row.
    pub partition: Option<u32>,
}

impl StepName {
    /// The step's own row.
    #[must_use]
    pub const fn of_step(step: Step) -> Self {
        Self {
            step,
            partition: None,
        }
    }

    /// A partition's row.
    #[must_use]
    pub const fn of_partition(step: Step, number: u32) -> Self {
        Self {
            step,
            partition: Some(number),
        }
    }

    /// Reads a name of the job tables; nothing where it is none of ours.
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

/// `closeDayStep`, `dayStatisticsStep:partition3`.
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
        for step in Step::ALL {
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
