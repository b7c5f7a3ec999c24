//! The partitions of a job instance: their ranges must be adjacent and cover all ids, and their
//! counts must match the written rows.
//!
//! A restarted partition has a row in each execution. Each row continues from the cursor of the
//! previous one. Rows, counters and cursor of a chunk are committed together, and a rolled-back
//! chunk counts no writes. The writes of all rows of one name are therefore the videos of its
//! range.

use crate::verification::{
    findings::{At, Findings, Kind},
    jobs::{
        execution::{STEP_EXECUTION, step_key},
        foreign,
    },
};
use balance_batch::{
    job::{Job, Step, StepName},
    partition::{IdRange, PartitionState},
    spring::context::{ExecutionContext, GRID_SIZE_KEY},
    status::BatchStatus,
};
use balance_store::verification::{ExecutionFacts, StepFacts};
use std::collections::{BTreeMap, HashMap};

const CONTEXT: &str = "BATCH_STEP_EXECUTION_CONTEXT";

/// A partition over all executions of its instance.
#[derive(Debug, Clone)]
struct Partition {
    /// The range; `None` if a context could not be read.
    range: Option<IdRange>,
    /// The status of the newest row.
    status: Option<BatchStatus>,
    /// Whether another program created one of the rows. Its steps count nothing and move no cursor.
    is_foreign: bool,
    written: i128,
    skipped: i128,
    rows: Vec<i64>,
}

/// The partitions of a job instance, from the step executions.
#[derive(Debug, Default)]
pub(in crate::verification) struct InstancePartitions {
    steps: HashMap<Step, BTreeMap<u32, Partition>>,
    /// The completed steps.
    completed: Vec<Step>,
    /// The grid size of each manager, with the key of its row.
    grids: Vec<(Step, i64, String)>,
    /// Whether an ended execution has no steps. They were pruned, or it was stopped before its
    /// first step.
    has_empty: bool,
    /// Whether such an execution followed the closing of the day. Earlier ones had no partitions.
    has_gap: bool,
}

impl InstancePartitions {
    /// Adds an execution. Executions must be added oldest first. Returns whether its steps were
    /// pruned.
    pub(in crate::verification) fn add(
        &mut self,
        execution: &ExecutionFacts,
        status: Option<BatchStatus>,
        findings: &mut Findings,
    ) -> bool {
        let has_ended = status.is_some_and(|status| !status.is_running());
        let is_empty = has_ended && execution.steps.is_empty();
        self.has_empty |= is_empty;
        self.has_gap |= is_empty && self.completed.contains(&Step::CloseDay);
        for step in &execution.steps {
            self.add_step(execution, step, findings);
        }
        is_empty && status != Some(BatchStatus::Stopped)
    }

    /// Returns whether pruning made counts and ranges incomplete.
    fn is_pruned(&self) -> bool {
        self.has_gap || (self.has_empty && !self.completed.contains(&Step::CloseDay))
    }

    fn add_step(&mut self, execution: &ExecutionFacts, facts: &StepFacts, findings: &mut Findings) {
        let Some(name) = StepName::parse(&facts.name) else {
            return;
        };
        let status = facts
            .run
            .status
            .as_deref()
            .and_then(|word| word.parse().ok());
        let context = facts.run.context.as_ref().and_then(|(short, serialized)| {
            ExecutionContext::from_columns(short, serialized.as_deref()).ok()
        });
        let key = step_key(execution, facts);
        let is_foreign = foreign::is_created(execution, facts);
        let Some(number) = name.partition else {
            if status == Some(BatchStatus::Completed) {
                self.completed.push(name.step);
            }
            if is_foreign && !has_partitions(execution, name.step) {
                // Spring Batch failed before it partitioned the step, so the grid is not that of a plan.
                return;
            }
            if let Some(grid) = context.as_ref().and_then(|one| one.long(GRID_SIZE_KEY)) {
                self.grids.push((name.step, grid, key));
            } else if name.step.is_partitioned() && context.is_some() && !is_foreign {
                let at = job_tables(&key);
                findings.add(
                    at,
                    "SHORT_CONTEXT",
                    format!("a Long {GRID_SIZE_KEY}"),
                    "none",
                );
            }
            return;
        };
        let range = context.as_ref().and_then(|context| {
            if is_foreign {
                let state = PartitionState::from_context(context);
                state.ok().map(|state| state.range)
            } else {
                read_range(context, status, &key, findings)
            }
        });
        let partition = self
            .steps
            .entry(name.step)
            .or_default()
            .entry(number)
            .or_insert_with(|| Partition {
                range,
                status,
                is_foreign,
                written: 0,
                skipped: 0,
                rows: Vec::new(),
            });
        if let (Some(before), Some(range)) = (partition.range, range)
            && before != range
        {
            let expected = format_range(before);
            findings.add(
                partitions_at(CONTEXT, &key),
                "SHORT_CONTEXT",
                expected,
                format_range(range),
            );
        }
        // A damaged context makes the partition's range unknown.
        partition.range = partition.range.and(range);
        partition.status = status;
        partition.is_foreign |= is_foreign;
        let counter = |index: usize| i128::from(facts.counters[index].unwrap_or(0));
        partition.written += counter(WRITE_COUNT);
        partition.skipped += SKIP_COUNTS.map(counter).iter().sum::<i128>();
        partition.rows.push(facts.id);
    }

    /// Checks that the ranges of each step are adjacent and cover all ids, and that the managers
    /// have the right grid size.
    pub(in crate::verification) fn verify_ranges(&self, instance: i64, findings: &mut Findings) {
        if self.is_pruned() {
            return;
        }
        for (step, grid, key) in &self.grids {
            let number = self.steps.get(step).map_or(0, BTreeMap::len);
            let found = i128::from(*grid);
            let at = partitions_at(CONTEXT, key);
            let number = i128::try_from(number).unwrap_or(i128::MAX);
            findings.compare(at, GRID_SIZE_KEY, number, found);
        }
        for (step, partitions) in &self.steps {
            let key = format!("instance {instance}, {}", step.name());
            if let Some((number, missing)) = (0..).zip(partitions.keys()).find(|(a, b)| a != *b) {
                let at = partitions_at(STEP_EXECUTION, &key);
                let found = format!("partition{missing}");
                findings.add(at, "STEP_NAME", format!("partition{number}"), found);
            }
            let Some(ranges) = ranges(partitions) else {
                continue;
            };
            let at = partitions_at(CONTEXT, &key);
            let mut next = IdRange::ALL.after;
            for (range, _) in ranges {
                if range.after != next {
                    let found = format!("the next begins after {}", range.after);
                    findings.add(at, "SHORT_CONTEXT", format!("a range after {next}"), found);
                }
                next = range.upto;
            }
            if next != IdRange::ALL.upto {
                let expected = format!("ranges up to {}", IdRange::ALL.upto);
                findings.add(
                    at,
                    "SHORT_CONTEXT",
                    expected,
                    format!("the last ends at {next}"),
                );
            }
        }
    }

    /// Checks that a COMPLETED instance has completed every step and partition.
    pub(in crate::verification) fn verify_completed(&self, instance: i64, findings: &mut Findings) {
        if self.is_pruned() {
            return;
        }
        for step in Job::DayStatistics.steps() {
            let key = format!("instance {instance}, {}", step.name());
            let at = partitions_at(STEP_EXECUTION, &key);
            if !self.completed.contains(step) {
                findings.add(at, "STATUS", "COMPLETED: the instance is", "no such row");
            }
            let partitions = self.steps.get(step);
            if step.is_partitioned() && partitions.is_none() {
                findings.add(at, "STEP_NAME", "partitions of the step", "none");
            }
            for (number, partition) in partitions.into_iter().flatten() {
                if partition.status != Some(BatchStatus::Completed) {
                    let name = StepName::of_partition(*step, *number);
                    let key = format!("instance {instance}, {name}");
                    let at = partitions_at(STEP_EXECUTION, &key);
                    let found = partition.status;
                    let found = found.map_or_else(|| "none".to_owned(), |one| one.to_string());
                    findings.add(at, "STATUS", "COMPLETED: the instance is", found);
                }
            }
        }
    }

    /// Begins to count the expected writes of each range. Returns `None` if rows were pruned.
    pub(in crate::verification) fn expected_writes(&self) -> Option<ExpectedWrites> {
        if self.is_pruned() {
            return None;
        }
        let mut steps = HashMap::new();
        for (step, partitions) in &self.steps {
            if let Some(ranges) = ranges(partitions) {
                let counts = ranges.into_iter().map(|(range, number)| Count {
                    upto: range.upto,
                    partition: partitions[&number].clone(),
                    number,
                    written: 0,
                    skipped: 0,
                });
                steps.insert(*step, (0, counts.collect()));
            }
        }
        Some(ExpectedWrites(steps))
    }
}

const WRITE_COUNT: usize = 3;
const SKIP_COUNTS: [usize; 3] = [4, 5, 6];

fn job_tables(key: &String) -> At<'_> {
    At {
        kind: Kind::JobTables,
        table: CONTEXT,
        key,
    }
}

fn partitions_at<'a>(table: &'static str, key: &'a String) -> At<'a> {
    At {
        kind: Kind::Partitions,
        table,
        key,
    }
}

fn format_range(range: IdRange) -> String {
    format!("({}, {}]", range.after, range.upto)
}

/// Returns whether an execution has partitions of a step.
fn has_partitions(execution: &ExecutionFacts, step: Step) -> bool {
    execution.steps.iter().any(|row| {
        StepName::parse(&row.name).is_some_and(|name| name.step == step && name.partition.is_some())
    })
}

/// Reads a partition's range, and checks that a COMPLETED partition has processed all of it.
fn read_range(
    context: &ExecutionContext,
    status: Option<BatchStatus>,
    key: &String,
    findings: &mut Findings,
) -> Option<IdRange> {
    match PartitionState::from_context(context) {
        Ok(state) => {
            if status == Some(BatchStatus::Completed) && !state.is_done() {
                let at = partitions_at(CONTEXT, key);
                let expected = format!("the cursor at {}: it is COMPLETED", state.range.upto);
                findings.add(at, "SHORT_CONTEXT", expected, state.cursor);
            }
            Some(state.range)
        }
        Err(error) => {
            findings.add(
                job_tables(key),
                "SHORT_CONTEXT",
                "a range and a cursor",
                error,
            );
            None
        }
    }
}

/// Returns the ranges of a step's partitions in order; `None` if a range is unknown.
fn ranges(partitions: &BTreeMap<u32, Partition>) -> Option<Vec<(IdRange, u32)>> {
    let mut ranges = partitions
        .iter()
        .map(|(number, partition)| Some((partition.range?, *number)))
        .collect::<Option<Vec<_>>>()?;
    ranges.sort_by_key(|(range, _)| (range.after, range.upto));
    Some(ranges)
}

/// A partition and the expected counts of its range.
struct Count {
    upto: i64,
    partition: Partition,
    number: u32,
    written: i128,
    skipped: i128,
}

/// The expected writes of each range of a settled day. Videos must be counted in the order of ids.
pub(in crate::verification) struct ExpectedWrites(HashMap<Step, (usize, Vec<Count>)>);

impl ExpectedWrites {
    /// Counts a video that a step wrote or skipped.
    pub(in crate::verification) fn count(
        &mut self,
        step: Step,
        video_id: i64,
        written: bool,
        skipped: bool,
    ) {
        let Some((position, counts)) = self.0.get_mut(&step) else {
            return;
        };
        while counts.get(*position).is_some_and(|one| one.upto < video_id) {
            *position += 1;
        }
        if let Some(count) = counts.get_mut(*position) {
            count.written += i128::from(written);
            count.skipped += i128::from(skipped);
        }
    }

    /// Compares the expected counts with those of the partitions.
    pub(in crate::verification) fn finish(self, instance: i64, findings: &mut Findings) {
        let mut steps: Vec<(Step, Vec<Count>)> = self
            .0
            .into_iter()
            .map(|(step, (_, counts))| (step, counts))
            .collect();
        steps.sort_by_key(|(step, _)| step.name());
        for (step, counts) in steps {
            for count in counts {
                if count.partition.is_foreign {
                    continue;
                }
                let name = StepName::of_partition(step, count.number);
                let rows: Vec<String> = count
                    .partition
                    .rows
                    .iter()
                    .map(ToString::to_string)
                    .collect();
                let rows = rows.join(", ");
                let key = format!("instance {instance}, {name} (step executions {rows})");
                let at = partitions_at(STEP_EXECUTION, &key);
                findings.compare(at, "WRITE_COUNT", count.written, count.partition.written);
                findings.compare(at, "skip counts", count.skipped, count.partition.skipped);
            }
        }
    }
}
