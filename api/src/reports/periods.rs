//! Periods in requests and answers.

use crate::errors::problem::ApiError;
use balance_domain::period::{Period, PeriodKind};
use chrono::NaiveDate;
use poem_openapi::{
    Enum, Object,
    types::{Example, ParseFromJSON, ToJSON},
};
use std::collections::HashSet;

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum)]
#[oai(rename = "PeriodKind", rename_all = "lowercase")]
pub(crate) enum PeriodName {
    /// A business day.
    Day,
    /// Monday to Sunday.
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

/// Something for each of several periods.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields, example)]
pub(crate) struct ByPeriod<T: ParseFromJSON + ToJSON + Example> {
    /// The day.
    #[oai(default, skip_serializing_if_is_none)]
    day: Option<T>,
    /// The week that the day is in.
    #[oai(default, skip_serializing_if_is_none)]
    week: Option<T>,
    /// The month that the day is in.
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

/// What was asked for: one period as it is, several by their names.
pub(crate) enum Asked<T: ParseFromJSON + ToJSON + Example> {
    One(T),
    Several(ByPeriod<T>),
}

impl<T: ParseFromJSON + ToJSON + Example> FromIterator<(PeriodKind, T)> for Asked<T> {
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

/// What is asked for by nobody in particular.
pub(crate) fn all_periods() -> Vec<PeriodName> {
    PeriodKind::ALL.map(Into::into).to_vec()
}

/// The periods asked for, each once.
pub(crate) fn kinds(asked: &[PeriodName]) -> Result<Vec<PeriodKind>, ApiError> {
    let mut seen = HashSet::new();
    if asked.is_empty() {
        return Err(ApiError::field("period", "must be day, week or month"));
    }
    if !asked.iter().all(|name| seen.insert(*name)) {
        return Err(ApiError::field("period", "must name each period once"));
    }
    Ok(asked.iter().copied().map(Into::into).collect())
}

/// Whether nothing of a period changes any more.
pub(crate) fn is_settled(period: Period, settled_through: Option<NaiveDate>) -> bool {
    settled_through.is_some_and(|through| through >= period.to)
}
