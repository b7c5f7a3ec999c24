//! The parameters of a job, as the `BATCH_JOB_EXECUTION_PARAMS` table holds them.

use chrono::{Datelike, NaiveDate};
use std::cmp::Ordering;

const DATE: &str = "date";
const RUN_ID: &str = "run.id";

/// The longest parameter name, in characters: `PARAMETER_NAME VARCHAR(100)`.
pub const MAX_NAME_CHARS: usize = 100;
/// The longest parameter value in its Java form, in characters: `PARAMETER_VALUE VARCHAR(2500)`.
pub const MAX_VALUE_CHARS: usize = 2500;

/// Why a parameter, or a set of them, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The name does not fit its column.
    #[error("a job parameter's name has {chars} characters, at most {MAX_NAME_CHARS} are allowed")]
    NameTooLong {
        /// Characters in the name.
        chars: usize,
    },
    /// The value does not fit its column.
    #[error(
        "the value of job parameter {name:?} has {chars} characters, at most {MAX_VALUE_CHARS} are allowed"
    )]
    ValueTooLong {
        /// The parameter's name.
        name: String,
        /// Characters in the value's Java form.
        chars: usize,
    },
    /// Two parameters of one set bear the same name.
    #[error("job parameter {name:?} is given twice")]
    Duplicate {
        /// The name given twice.
        name: String,
    },
    /// The Java class is none of the three that are read here.
    #[error("no job parameter of class {class:?} can be read")]
    UnknownClass {
        /// The class asked for.
        class: String,
    },
    /// The text is not a value of its class in the form Java writes.
    #[error("{value:?} is not a {class}")]
    InvalidValue {
        /// The Java class the text was to be read as.
        class: &'static str,
        /// The text.
        value: String,
    },
}

/// A parameter's value, of one of the three Java classes every Spring version reads.
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

    /// The full name of the Java class, as `PARAMETER_TYPE` holds it.
    pub fn java_class(&self) -> &'static str {
        match self {
            Self::Text(_) => Self::TEXT,
            Self::Long(_) => Self::LONG,
            Self::LocalDate(_) => Self::LOCAL_DATE,
        }
    }

    /// What Java's `toString()` gives: the form in `PARAMETER_VALUE` and in the job key.
    pub fn java_string(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Long(number) => number.to_string(),
            Self::LocalDate(date) => java_date(*date),
        }
    }

    /// Reads a value from its Java class name and `toString()` form.
    ///
    /// # Errors
    /// [`ParameterError::UnknownClass`] for any fourth class, [`ParameterError::InvalidValue`] for a
    /// text that is no value of the class (an empty Long; a date out of chrono's range).
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

/// `LocalDate.toString()`: at least four digits of year, with a sign if negative or over 9999.
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
    // Java is strict (no `2024-1-1`, no `+2024-01-01`): only its own form is read.
    (java_date(date) == value).then_some(date)
}

/// One named parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobParameter {
    /// The name, at most [`MAX_NAME_CHARS`] characters.
    pub name: String,
    /// The value, in its Java form at most [`MAX_VALUE_CHARS`] characters.
    pub value: ParameterValue,
    /// Whether the parameter is part of the job instance's identity (its key).
    pub identifying: bool,
}

impl JobParameter {
    /// A parameter that is part of the job instance's identity.
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

/// The parameters of one job execution: unique by name, in the order Java sorts names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobParameters(Vec<JobParameter>);

impl JobParameters {
    /// Checks, sorts and keeps the parameters.
    ///
    /// # Errors
    /// A name or a value too long for its column, or a name given twice.
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

    /// The parameters of a daily job: an identifying `date`, and `run.id` if the day is run again.
    pub fn for_date(date: NaiveDate, run_id: Option<i64>) -> Self {
        let date = JobParameter::identifying(DATE, ParameterValue::LocalDate(date));
        let run_id = run_id.map(|id| JobParameter::identifying(RUN_ID, ParameterValue::Long(id)));
        // Short, distinct and sorted as they stand: there is nothing for `new` to refuse.
        Self([date].into_iter().chain(run_id).collect())
    }

    /// The parameter of that name.
    pub fn get(&self, name: &str) -> Option<&JobParameter> {
        self.0.iter().find(|parameter| parameter.name == name)
    }

    /// The value of `date`, if there is one and it is a `LocalDate`.
    pub fn date(&self) -> Option<NaiveDate> {
        match self.get(DATE)?.value {
            ParameterValue::LocalDate(date) => Some(date),
            _ => None,
        }
    }

    /// The value of `run.id`, if there is one and it is a `Long`.
    pub fn run_id(&self) -> Option<i64> {
        match self.get(RUN_ID)?.value {
            ParameterValue::Long(id) => Some(id),
            _ => None,
        }
    }

    /// All parameters, sorted by name.
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

/// Java compares strings by UTF-16 unit, which puts 😀 before U+FFFD; bytes and chars do not.
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
    fn dates_take_the_form_of_java() {
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
    fn refuses_what_java_would_refuse() {
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
    fn names_are_unique_and_sorted_as_java_sorts() {
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
    fn for_date_holds_to_the_constructor() {
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
    fn a_date_of_another_class_is_no_date() {
        let parameters = JobParameters::new([text("date", "2024-01-01")]).unwrap();
        assert_eq!(parameters.date(), None);
    }

    proptest! {
        #[test]
        fn every_value_reads_back(number: i64, days in -95_000_000..95_000_000_i32, text: String) {
            let mut values = vec![ParameterValue::Long(number), ParameterValue::Text(text)];
            values.extend(NaiveDate::from_epoch_days(days).map(ParameterValue::LocalDate));
            for value in values {
                let read = ParameterValue::parse(value.java_class(), &value.java_string());
                prop_assert_eq!(read, Ok(value));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = ParameterValue::parse("java.lang.Long", &text);
            let _ = ParameterValue::parse("java.time.LocalDate", &text);
        }
    }
}
