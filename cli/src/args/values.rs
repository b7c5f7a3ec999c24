//! Parsers of argument values.

use balance_domain::accounts::{InvalidInput, Username};
use chrono::{Datelike, NaiveDate};

pub(super) fn username(text: &str) -> Result<Username, InvalidInput> {
    Username::parse(text)
}

/// Parses a date from 1970 to 9998: the tables order dates by their text, so years have four
/// digits.
pub(super) fn business_date(text: &str) -> Result<NaiveDate, String> {
    let date: NaiveDate = text
        .parse()
        .map_err(|_| "not a date such as 2026-03-31".to_owned())?;
    match date.year() {
        1970..=9998 => Ok(date),
        _ => Err("the year is not from 1970 to 9998".to_owned()),
    }
}

pub(super) fn positive_id(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(id) if id > 0 => Ok(id),
        _ => Err("an ID is a number of 1 or more".to_owned()),
    }
}
