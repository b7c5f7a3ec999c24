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

/// A view that its type cannot represent in JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0} has no JSON representation")]
pub struct NoJson(&'static str);

/// Converts a view to JSON.
///
/// # Errors
/// If the view has no JSON representation.
pub fn to_json<T: ToJSON>(view: &T) -> Result<Value, NoJson> {
    view.to_json().ok_or(NoJson(std::any::type_name::<T>()))
}
