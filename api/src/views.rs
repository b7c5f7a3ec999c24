//! The JSON types that the API and the command line share.

pub use crate::{
    jobs::{
        progress::ProgressView,
        views::{ExecutionPage, ExecutionView, LeaseOwnerView, PartitionsView, StepView},
    },
    operations::workers::{ClaimedStepView, WorkerList, WorkerView},
    reports::{
        periods::PeriodReports,
        revenue::{RevenueResponse, RevenueView},
        top::{TopResponse, TopView},
    },
};
use poem_openapi::types::ToJSON;
use serde_json::Value;

/// Converts a view to JSON.
#[must_use]
pub fn to_json(view: &impl ToJSON) -> Value {
    view.to_json().unwrap_or_default()
}
