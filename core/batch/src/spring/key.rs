//! The key that, with the job's name, identifies a job instance.

use crate::parameters::JobParameters;
use md5::{Digest, Md5};
use std::fmt::{self, Write as _};

/// A job instance's `JOB_KEY`: 32 lower-case hex digits, the MD5 of the identifying parameters.
///
/// The same parameters must give the same key as Spring Batch's `DefaultJobKeyGenerator`, else
/// Spring would not find our instances and would run a finished day again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobKey(String);

impl JobKey {
    /// The key of these parameters; those that do not identify are left out.
    pub fn of(parameters: &JobParameters) -> Self {
        let mut md5 = Md5::new();
        for parameter in parameters.iter().filter(|parameter| parameter.identifying) {
            // `JobParameter.toString()` of Spring Batch 6, quoting and all.
            md5.update(format!(
                "JobParameter{{name='{}', value={}, type=class {}, identifying=true}}",
                parameter.name,
                parameter.value.java_string(),
                parameter.value.java_class(),
            ));
        }
        let mut key = String::with_capacity(32);
        for byte in md5.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(key, "{byte:02x}");
        }
        Self(key)
    }

    /// The 32 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{JobParameter, ParameterValue};

    const EMPTY: &str = "d41d8cd98f00b204e9800998ecf8427e";

    fn key(parameters: &[(&str, &str, &str, bool)]) -> String {
        let parameters = parameters
            .iter()
            .map(|&(name, class, value, identifying)| JobParameter {
                name: name.to_owned(),
                value: ParameterValue::parse(class, value).unwrap(),
                identifying,
            });
        JobKey::of(&JobParameters::new(parameters).unwrap()).to_string()
    }

    #[test]
    fn the_key_of_nothing() {
        assert_eq!(JobKey::of(&JobParameters::default()).as_str(), EMPTY);
    }

    #[test]
    fn the_key_of_a_date_and_a_run() {
        // In the wrong order, to be sorted.
        let parameters = [
            ("run.id", "java.lang.Long", "1", true),
            ("date", "java.time.LocalDate", "2024-01-01", true),
        ];
        assert_eq!(key(&parameters), "dc1752dfa13323c984b21f58609fe6b6");

        let date = "2024-01-01".parse().unwrap();
        assert_eq!(
            JobKey::of(&JobParameters::for_date(date, Some(1))).as_str(),
            key(&parameters)
        );
    }

    #[test]
    fn the_class_is_part_of_the_key() {
        assert_eq!(
            key(&[("date", "java.lang.String", "2024-01-01", true)]),
            "d390f91b3a9c4cabfd328d25bd0486c0"
        );
    }

    /// Computed by Spring's own `DefaultJobKeyGenerator`.
    #[test]
    fn the_key_spring_computed() {
        let parameters = [
            ("businessDate", "java.time.LocalDate", "2024-05-01", true),
            ("run.id", "java.lang.Long", "7", true),
        ];
        assert_eq!(key(&parameters), "b648581ed14ca2b77d5ce92978855050");
    }

    #[test]
    fn what_does_not_identify_is_left_out() {
        assert_eq!(key(&[("note", "java.lang.String", "x", false)]), EMPTY);
    }
}
