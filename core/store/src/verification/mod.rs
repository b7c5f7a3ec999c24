//! Reads of a verification: snapshots of the stored rows.

mod days;
mod facts;
mod jobs;
mod orphans;
mod page;
mod periods;
mod plays;
mod viewers;

pub use facts::{
    COUNTERS, ContextFacts, CounterFacts, DayFacts, DayPage, EventFacts, ExecutionFacts,
    InstanceFacts, OrphanFacts, ParameterFacts, PeriodFacts, PlayFacts, RevenueFacts, RollupFacts,
    RollupPage, RunFacts, SettledBy, Skips, StatisticsFacts, StepFacts, TotalFacts, VideoDayFacts,
    ViewerFacts, ViewerLimits,
};
