//! Jobs: launches, the schedule, planning, control, the tables of the executions, and other programs
//! that write to them.

mod abandoned;
mod control;
mod foreign;
mod metadata;
mod planning;
mod rejected_launches;
mod schedule;
mod spring;
