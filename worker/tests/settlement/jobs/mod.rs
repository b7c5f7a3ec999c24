//! Jobs: launches, the schedule, planning, control and the tables of the executions.

mod control;
mod metadata;
mod planning;
mod rejected_launches;
mod schedule;
