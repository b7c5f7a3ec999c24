//! Job keys. A job name and a job key identify a job instance.

use crate::parameters::JobParameters;
use md5::{Digest, Md5};
use std::fmt::{self, Write as _};

/// The `JOB_KEY` of a job instance: the MD5 of the identifying parameters, as 32 lower-case
/// hexadecimal digits.
///
/// The key must equal that of Spring Batch's `DefaultJobKeyGenerator`. Otherwise Spring would not
/// find existing instances and would run a finished day again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobKey(String);

impl JobKey {
    /// Computes the key. Parameters that are not identifying are ignored.
    pub fn of(parameters: &JobParameters) -> Self {
        let mut md5 = Md5::new();
        for parameter in parameters.iter().filter(|parameter| parameter.identifying) {
            // The format of `JobParameter.toString()` in Spring Batch 6.
            md5.update(format!(
                "JobParameter{{name='{}', value={}, type=class {}, identifying=true}}",
                parameter.name,
                parameter.value.java_string(),
                parameter.value.java_class(),
            ));
        }
        let mut key = String::with_capacity(32);
        for byte in md5.finalize() {
            // Writing to a String never fails.
            let _ = write!(key, "{byte:02x}");
        }
        Self(key)
    }

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
    fn the_key_of_no_parameters() {
        assert_eq!(JobKey::of(&JobParameters::default()).as_str(), EMPTY);
    }

    #[test]
    fn the_key_of_a_date_and_a_run() {
        // Not in sorted order.
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

    /// The expected key was computed by Spring's `DefaultJobKeyGenerator`.
    #[test]
    fn the_key_equals_that_of_spring() {
        let parameters = [
            ("businessDate", "java.time.LocalDate", "2024-05-01", true),
            ("run.id", "java.lang.Long", "7", true),
        ];
        assert_eq!(key(&parameters), "b648581ed14ca2b77d5ce92978855050");
    }

    #[test]
    fn parameters_that_are_not_identifying_are_ignored() {
        assert_eq!(key(&[("note", "java.lang.String", "x", false)]), EMPTY);
    }
}
