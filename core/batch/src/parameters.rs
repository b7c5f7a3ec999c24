//! Job parameters, as stored in the `BATCH_JOB_EXECUTION_PARAMS` table.

use chrono::{Datelike, NaiveDate};
use std::cmp::Ordering;

const DATE: &str = "date";
const RUN_ID: &str = "run.id";

/// Maximum length of a parameter name, in characters: `PARAMETER_NAME VARCHAR(100)`.
pub const MAX_NAME_CHARS: usize = 100;
/// Maximum length of a parameter value in its Java form, in characters:
/// `PARAMETER_VALUE VARCHAR(2500)`.
pub const MAX_VALUE_CHARS: usize = 2500;

/// The reason why job parameters are rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The name exceeds the length of its column.
    #[error("a job parameter's name has {chars} characters, at most {MAX_NAME_CHARS} are allowed")]
    NameTooLong {
        /// Length of the name, in characters.
        chars: usize,
    },
    /// The value exceeds the length of its column.
    #[error(
        "the value of job parameter {name:?} has {chars} characters, at most {MAX_VALUE_CHARS} are allowed"
    )]
    ValueTooLong {
        name: String,
        /// Length of the value's Java form, in characters.
        chars: usize,
    },
    /// Two parameters have the same name.
    #[error("job parameter {name:?} is given twice")]
    Duplicate { name: String },
    /// The Java class is not supported.
    #[error("job parameters of class {class:?} are not supported")]
    UnknownClass { class: String },
    /// The text is not a value of its class in Java's format.
    #[error("{value:?} is not a {class}")]
    InvalidValue { class: &'static str, value: String },
}

/// The value of a parameter, of one of the three Java classes that every Spring version supports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterValue {
    /// A `java.lang.String`.
    Text(String),
    /// A `java.lang.Long`.
    Long(i64),
    /// A `java.time.LocalDate`.
    LocalDate(NaiveDate),
}

impl ParameterValue {
    const TEXT: &'static str = "java.lang.String";
    const LONG: &'static str = "java.lang.Long";
    const LOCAL_DATE: &'static str = "java.time.LocalDate";

    /// Returns the full name of the Java class, as stored in `PARAMETER_TYPE`.
    pub fn java_class(&self) -> &'static str {
        match self {
            Self::Text(_) => Self::TEXT,
            Self::Long(_) => Self::LONG,
            Self::LocalDate(_) => Self::LOCAL_DATE,
        }
    }

    /// Returns the result of Java's `toString()`: the form in `PARAMETER_VALUE` and in the job key.
    pub fn java_string(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Long(number) => number.to_string(),
            Self::LocalDate(date) => java_date(*date),
        }
    }

    /// Parses a value from its Java class name and its `toString()` form.
    ///
    /// # Errors
    /// - [`ParameterError::UnknownClass`] for any other class.
    /// - [`ParameterError::InvalidValue`] for a text that is not a value of the class, such as an
    ///   empty Long or a date outside chrono's range.
    pub fn parse(class: &str, value: &str) -> Result<Self, ParameterError> {
        let invalid = |class| ParameterError::InvalidValue {
            class,
            value: value.to_owned(),
        };
        match class {
            Self::TEXT => Ok(Self::Text(value.to_owned())),
            Self::LONG => value
                .parse()
                .map(Self::Long)
                .map_err(|_| invalid(Self::LONG)),
            Self::LOCAL_DATE => parse_java_date(value)
                .map(Self::LocalDate)
                .ok_or_else(|| invalid(Self::LOCAL_DATE)),
            _ => Err(ParameterError::UnknownClass {
                class: class.to_owned(),
            }),
        }
    }
}

/// Formats a date as `LocalDate.toString()`: the year has at least four digits, and a sign if it is
/// negative or above 9999.
fn java_date(date: NaiveDate) -> String {
    let sign = match date.year() {
        ..0 => "-",
        0..=9999 => "",
        10_000.. => "+",
    };
    let year = date.year().unsigned_abs();
    format!("{sign}{year:04}-{:02}-{:02}", date.month(), date.day())
}

fn parse_java_date(value: &str) -> Option<NaiveDate> {
    let (rest, day) = value.rsplit_once('-')?;
    let (year, month) = rest.rsplit_once('-')?;
    let date = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    // Java rejects forms such as `2024-1-1` and `+2024-01-01`.
    (java_date(date) == value).then_some(date)
}

/// One named parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobParameter {
    /// The name, of at most [`MAX_NAME_CHARS`] characters.
    pub name: String,
    /// The value, of at most [`MAX_VALUE_CHARS`] characters in its Java form.
    pub value: ParameterValue,
    /// Whether the parameter is part of the job instance's key.
    pub identifying: bool,
}

impl JobParameter {
    fn identifying(name: &str, value: ParameterValue) -> Self {
        Self {
            name: name.to_owned(),
            value,
            identifying: true,
        }
    }

    fn check(&self) -> Result<(), ParameterError> {
        let chars = self.name.chars().count();
        if chars > MAX_NAME_CHARS {
            return Err(ParameterError::NameTooLong { chars });
        }
        let chars = self.value.java_string().chars().count();
        if chars > MAX_VALUE_CHARS {
            return Err(ParameterError::ValueTooLong {
                name: self.name.clone(),
                chars,
            });
        }
        Ok(())
    }
}

/// The parameters of one job execution: unique names, in Java's sort order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobParameters(Vec<JobParameter>);

impl JobParameters {
    /// Validates and sorts the parameters.
    ///
    /// # Errors
    /// Returns an error if a name or a value is too long for its column, or a name occurs twice.
    pub fn new(parameters: impl IntoIterator<Item = JobParameter>) -> Result<Self, ParameterError> {
        let mut parameters: Vec<_> = parameters.into_iter().collect();
        for parameter in &parameters {
            parameter.check()?;
        }
        parameters.sort_by(|a, b| java_order(&a.name, &b.name));
        for pair in parameters.windows(2) {
            if let [a, b] = pair
                && a.name == b.name
            {
                return Err(ParameterError::Duplicate {
                    name: a.name.clone(),
                });
            }
        }
        Ok(Self(parameters))
    }

    /// Returns the parameters of a daily job: an identifying `date`, and `run.id` for a rerun of the
    /// day.
    pub fn for_date(date: NaiveDate, run_id: Option<i64>) -> Self {
        let date = JobParameter::identifying(DATE, ParameterValue::LocalDate(date));
        let run_id = run_id.map(|id| JobParameter::identifying(RUN_ID, ParameterValue::Long(id)));
        // The names are short, distinct and sorted, so `new` could not fail.
        Self([date].into_iter().chain(run_id).collect())
    }

    /// Returns the parameter of that name.
    pub fn get(&self, name: &str) -> Option<&JobParameter> {
        self.0.iter().find(|parameter| parameter.name == name)
    }

    /// Returns the value of `date`, if it exists and is a `LocalDate`.
    pub fn date(&self) -> Option<NaiveDate> {
        match self.get(DATE)?.value {
            ParameterValue::LocalDate(date) => Some(date),
            _ => None,
        }
    }

    /// Returns the value of `run.id`, if it exists and is a `Long`.
    pub fn run_id(&self) -> Option<i64> {
        match self.get(RUN_ID)?.value {
            ParameterValue::Long(id) => Some(id),
            _ => None,
        }
    }

    /// Iterates over the parameters, sorted by name.
    pub fn iter(&self) -> std::slice::Iter<'_, JobParameter> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a JobParameters {
    type Item = &'a JobParameter;
    type IntoIter = std::slice::Iter<'a, JobParameter>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Compares names as Java does: by UTF-16 code unit, so that 😀 sorts before U+FFFD.
fn java_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(name: &str, value: &str) -> JobParameter {
        JobParameter::identifying(name, ParameterValue::Text(value.to_owned()))
    }

    fn date(year: i32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, 3, 9).unwrap()
    }

    #[test]
    fn dates_are_formatted_as_in_java() {
        // Printed by java.time.LocalDate.of(year, 3, 9) of JDK 17.
        for (year, printed) in [
            (-262_143, "-262143-03-09"),
            (-10_000, "-10000-03-09"),
            (-9999, "-9999-03-09"),
            (-999, "-0999-03-09"),
            (-1, "-0001-03-09"),
            (0, "0000-03-09"),
            (1, "0001-03-09"),
            (2024, "2024-03-09"),
            (9999, "9999-03-09"),
            (10_000, "+10000-03-09"),
            (262_142, "+262142-03-09"),
        ] {
            let value = ParameterValue::LocalDate(date(year));
            assert_eq!(value.java_string(), printed);
            assert_eq!(
                ParameterValue::parse("java.time.LocalDate", printed),
                Ok(value)
            );
        }
    }

    #[test]
    fn values_that_java_rejects_are_rejected() {
        for value in [
            "",
            "2024",
            "2024-1-1",
            "2024-02-30",
            "+2024-01-01",
            "-0000-01-01",
            "10000-01-01",
            "2024-01-01 ",
            "2024-01-+1",
            "+999999999-01-01",
        ] {
            let read = ParameterValue::parse("java.time.LocalDate", value);
            assert!(
                matches!(read, Err(ParameterError::InvalidValue { .. })),
                "{value}"
            );
        }
        for value in ["", " 1", "1.0", "9223372036854775808"] {
            let read = ParameterValue::parse("java.lang.Long", value);
            assert!(
                matches!(read, Err(ParameterError::InvalidValue { .. })),
                "{value}"
            );
        }
        let read = ParameterValue::parse("java.util.Date", "2024-01-01");
        assert!(matches!(read, Err(ParameterError::UnknownClass { .. })));
    }

    #[test]
    fn names_are_unique_and_sorted_as_in_java() {
        let parameters =
            JobParameters::new([text("\u{fffd}", ""), text("😀", ""), text("a", "")]).unwrap();
        let names: Vec<_> = parameters.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["a", "😀", "\u{fffd}"]);

        let twice = JobParameters::new([text("a", "1"), text("b", "2"), text("a", "3")]);
        assert_eq!(
            twice,
            Err(ParameterError::Duplicate {
                name: "a".to_owned()
            })
        );
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert!(JobParameters::new([text(&"é".repeat(100), &"é".repeat(2500))]).is_ok());
        assert_eq!(
            JobParameters::new([text(&"é".repeat(101), "")]),
            Err(ParameterError::NameTooLong { chars: 101 })
        );
        assert_eq!(
            JobParameters::new([text("a", &"é".repeat(2501))]),
            Err(ParameterError::ValueTooLong {
                name: "a".to_owned(),
                chars: 2501
            })
        );
    }

    #[test]
    fn for_date_returns_valid_parameters() {
        let parameters = JobParameters::for_date(date(2024), Some(3));
        assert_eq!(parameters.date(), Some(date(2024)));
        assert_eq!(parameters.run_id(), Some(3));
        assert_eq!(
            JobParameters::new(parameters.iter().rev().cloned()),
            Ok(parameters)
        );
        assert_eq!(JobParameters::for_date(date(2024), None).run_id(), None);
    }

    #[test]
    fn a_text_parameter_named_date_is_not_a_date() {
        let parameters = JobParameters::new([text("date", "2024-01-01")]).unwrap();
        assert_eq!(parameters.date(), None);
    }

    proptest! {
        #[test]
        fn every_value_round_trips(number: i64, days in -95_000_000..95_000_000_i32, text: String) {
            let mut values = vec![ParameterValue::Long(number), ParameterValue::Text(text)];
            values.extend(NaiveDate::from_epoch_days(days).map(ParameterValue::LocalDate));
            for value in values {
                let read = ParameterValue::parse(value.java_class(), &value.java_string());
                prop_assert_eq!(read, Ok(value));
            }
        }

        #[test]
        fn parsing_any_text_does_not_panic(text: String) {
            let _ = ParameterValue::parse("java.lang.Long", &text);
            let _ = ParameterValue::parse("java.time.LocalDate", &text);
        }
    }
}
