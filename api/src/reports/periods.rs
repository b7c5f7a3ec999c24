//! Periods in requests and responses.

use crate::errors::problem::ApiError;
use balance_domain::period::{Period, PeriodKind};
use chrono::NaiveDate;
use poem_openapi::{
    Enum, Object,
    types::{Example, ParseFromJSON, ToJSON},
};
use std::collections::HashSet;

/// The kind of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum)]
#[oai(rename = "PeriodKind", rename_all = "lowercase")]
pub enum PeriodName {
    /// One business day.
    Day,
    /// A week from Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

impl From<PeriodName> for PeriodKind {
    fn from(name: PeriodName) -> Self {
        match name {
            PeriodName::Day => Self::Day,
            PeriodName::Week => Self::Week,
            PeriodName::Month => Self::Month,
        }
    }
}

impl From<PeriodKind> for PeriodName {
    fn from(kind: PeriodKind) -> Self {
        match kind {
            PeriodKind::Day => Self::Day,
            PeriodKind::Week => Self::Week,
            PeriodKind::Month => Self::Month,
        }
    }
}

/// One report per requested period.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields, example)]
pub struct ByPeriod<T: ParseFromJSON + ToJSON + Example> {
    /// The report of the day.
    #[oai(default, skip_serializing_if_is_none)]
    day: Option<T>,
    /// The report of the week that contains the day.
    #[oai(default, skip_serializing_if_is_none)]
    week: Option<T>,
    /// The report of the month that contains the day.
    #[oai(default, skip_serializing_if_is_none)]
    month: Option<T>,
}

impl<T: ParseFromJSON + ToJSON + Example> Example for ByPeriod<T> {
    fn example() -> Self {
        Self {
            day: None,
            week: Some(T::example()),
            month: None,
        }
    }
}

/// The reports of a request: a single report, or several by period.
pub enum PeriodReports<T: ParseFromJSON + ToJSON + Example> {
    One(T),
    Several(ByPeriod<T>),
}

impl<T: ParseFromJSON + ToJSON + Example> FromIterator<(PeriodKind, T)> for PeriodReports<T> {
    fn from_iter<I: IntoIterator<Item = (PeriodKind, T)>>(reports: I) -> Self {
        let mut reports: Vec<(PeriodKind, T)> = reports.into_iter().collect();
        if reports.len() == 1
            && let Some((_, one)) = reports.pop()
        {
            return Self::One(one);
        }
        let mut all = ByPeriod {
            day: None,
            week: None,
            month: None,
        };
        for (kind, report) in reports {
            match kind {
                PeriodKind::Day => all.day = Some(report),
                PeriodKind::Week => all.week = Some(report),
                PeriodKind::Month => all.month = Some(report),
            }
        }
        Self::Several(all)
    }
}

/// Returns the default of the parameter `period`.
pub(crate) fn all_periods() -> Vec<PeriodName> {
    PeriodKind::ALL.map(Into::into).to_vec()
}

/// Returns the requested periods.
///
/// # Errors
/// Returns the error of the parameter if the list is empty or repeats a period.
pub(crate) fn kinds(requested: &[PeriodName]) -> Result<Vec<PeriodKind>, ApiError> {
    let mut seen = HashSet::new();
    if requested.is_empty() {
        return Err(ApiError::field("period", "must be day, week or month"));
    }
    if !requested.iter().all(|name| seen.insert(*name)) {
        return Err(ApiError::field("period", "must not repeat a period"));
    }
    Ok(requested.iter().copied().map(Into::into).collect())
}

/// Returns whether all days of a period are settled, so that its report is final.
pub(crate) fn is_settled(period: Period, settled_through: Option<NaiveDate>) -> bool {
    settled_through.is_some_and(|through| through >= period.to)
}
