//! Business days in requests.

use crate::problem::Fault;
use chrono::{Datelike, NaiveDate};

/// A day of four-digit years: the tables order days by their text.
pub(crate) fn business(date: NaiveDate, field: &str) -> Result<NaiveDate, Fault> {
    match date.year() {
        1970..=9998 => Ok(date),
        _ => Err(Fault::field(field, "must be from 1970-01-01 to 9998-12-31")),
    }
}

/// A day from a body's text.
pub(crate) fn parse(text: &str, field: &str) -> Result<NaiveDate, Fault> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    date.map_err(|_| Fault::field(field, "must be a date such as 2026-03-31"))
}
