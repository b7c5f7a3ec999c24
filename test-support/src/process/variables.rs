//! Environment variables that configure the tests, not the program.

/// Returns the value of an environment variable.
#[expect(
    clippy::disallowed_methods,
    reason = "a setting of the tests, not of the program"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the value of an environment variable. If it is not set, prints which test is skipped.
pub fn variable_or_skip(name: &str, test: &str) -> Option<String> {
    let value = variable(name);
    if value.is_none() {
        eprintln!("SKIPPED: {test}; set {name} to run it");
    }
    value
}
