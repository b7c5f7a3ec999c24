//! Business days in requests and responses.

use crate::errors::problem::ApiError;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{Example, ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use std::borrow::Cow;

const FORMAT: &str = "must be a date such as 2026-03-31";

/// Checks that a day has a year from 1970 to 9998. The tables order days as text of ten characters.
///
/// # Errors
/// Returns the error of the field.
pub(crate) fn check_business_day(date: NaiveDate, field: &str) -> Result<NaiveDate, ApiError> {
    match date.year() {
        1970..=9998 => Ok(date),
        _ => Err(ApiError::field(
            field,
            "must be from 1970-01-01 to 9998-12-31",
        )),
    }
}

/// A date in the form of RFC 3339 only: `2026-3-1` is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day(pub(crate) NaiveDate);

impl Day {
    fn parse(text: &str) -> Option<Self> {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        (date.to_string() == text && text.len() == "2026-03-31".len()).then_some(Self(date))
    }
}

impl Example for Day {
    fn example() -> Self {
        Self(moment(0).date_naive())
    }
}

/// Returns an instant for examples: the end of the example day plus `seconds`.
pub(crate) fn moment(seconds: i64) -> DateTime<Utc> {
    /// 2026-03-15T15:00:00Z, midnight in Korea.
    const END: i64 = 1_773_586_800;
    DateTime::from_timestamp(END + seconds, 0).unwrap_or_default()
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Self {
        Self(date)
    }
}

impl Type for Day {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_date".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "date")))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromParameter for Day {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Self::parse(text).ok_or_else(|| ParseError::custom(FORMAT))
    }
}

impl ParseFromJSON for Day {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value.unwrap_or_default() {
            Value::String(text) => Self::parse_from_parameter(&text),
            value => Err(ParseError::expected_type(value)),
        }
    }
}

impl ToJSON for Day {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.to_string().into())
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(FORMAT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_in_one_way() {
        let day = Day::parse("2026-03-31").unwrap();
        assert_eq!(day.0.to_string(), "2026-03-31");
        for text in [
            "",
            "2026-3-1",
            "2026-02-29",
            "+2026-03-31",
            "12026-03-31",
            " 2026-03-31",
            "2026-03-31Z",
            "20260331",
        ] {
            assert_eq!(Day::parse(text), None, "{text:?}");
        }
    }
}
