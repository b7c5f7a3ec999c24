//! Execution contexts of steps and jobs, as stored in the `*_EXECUTION_CONTEXT` tables.

use crate::spring::{ContextError, ContextValue, MAX_BASE64_BYTES, java};
use base64::{DecodeError, Engine as _, engine::general_purpose::STANDARD};
use std::collections::BTreeMap;

/// The key under which the manager step stores the number of partitions. On restart the stored
/// number overrides the configured one.
pub const GRID_SIZE_KEY: &str = "SimpleStepExecutionSplitter.GRID_SIZE";

/// The prefix of the keys that Spring Batch adds to the contexts of its own executions.
const SPRING_PREFIX: &str = "batch.";

/// Length of the `SHORT_CONTEXT` column, in characters.
const SHORT_CHARS: usize = 2500;
/// Characters of a longer context before [`ELLIPSIS`]. Spring reserves eight characters for it.
const CUT_CHARS: usize = 2492;
const ELLIPSIS: &str = " ...";

fn not_base64(error: &DecodeError, text: &str) -> ContextError {
    let (at, what) = match *error {
        DecodeError::InvalidByte(at, _) => (at, "invalid symbol"),
        DecodeError::InvalidLastSymbol { offset, .. } => (offset, "invalid last symbol"),
        DecodeError::InvalidLength(_) => (text.len(), "incomplete end"),
        DecodeError::InvalidPadding => (text.len(), "invalid padding"),
    };
    ContextError::Base64 { at, what }
}

/// The two columns of a context row. The row must exist even if the context is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextColumns {
    /// `SHORT_CONTEXT`: the context in Base64 or its beginning, of at most 2500 characters.
    pub short_context: String,
    /// `SERIALIZED_CONTEXT`: the full context, if it does not fit into the short column.
    pub serialized_context: Option<String>,
}

/// The state that a step or job needs for a restart.
///
/// It should contain cursors and ranges, but no lists: MySQL limits the column to 64 KiB, and
/// contexts above [`MAX_BASE64_BYTES`] cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionContext(BTreeMap<String, ContextValue>);

impl ExecutionContext {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a number and replaces the key's previous value.
    pub fn put_long(&mut self, key: impl Into<String>, value: i64) {
        self.0.insert(key.into(), ContextValue::Long(value));
    }

    /// Sets a text and replaces the key's previous value.
    pub fn put_text(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), ContextValue::Text(value.into()));
    }

    /// Returns the number of the key. Returns `None` if the key is missing or has a text.
    pub fn long(&self, key: &str) -> Option<i64> {
        match self.0.get(key)? {
            ContextValue::Long(value) => Some(*value),
            ContextValue::Text(_) => None,
        }
    }

    /// Returns the text of the key. Returns `None` if the key is missing or has a number.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            ContextValue::Text(value) => Some(value),
            ContextValue::Long(_) => None,
        }
    }

    /// Removes the key and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<ContextValue> {
        self.0.remove(key)
    }

    /// Iterates over the entries, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ContextValue)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Returns whether Spring Batch added keys of its own, such as `batch.version`.
    pub fn has_spring_keys(&self) -> bool {
        self.0.keys().any(|key| key.starts_with(SPRING_PREFIX))
    }

    /// Removes the keys that Spring Batch added.
    pub fn remove_spring_keys(&mut self) {
        self.0.retain(|key, _| !key.starts_with(SPRING_PREFIX));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Serializes the context as Spring's `DefaultExecutionContextSerializer` does: the Java
    /// serialization of a `HashMap`, in Base64.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(java::write(&self.0))
    }

    /// Reads a context that [`to_base64`](Self::to_base64) or Java serialized.
    ///
    /// # Errors
    /// Returns an error if the text is damaged or too long, or contains values other than Strings,
    /// Longs and Integers.
    pub fn from_base64(text: &str) -> Result<Self, ContextError> {
        if text.len() > MAX_BASE64_BYTES {
            return Err(ContextError::TooLong { bytes: text.len() });
        }
        let stream = STANDARD
            .decode(text)
            .map_err(|error| not_base64(&error, text))?;
        java::read(&stream).map(Self)
    }

    /// Converts the context to its two columns.
    pub fn to_columns(&self) -> ContextColumns {
        let text = self.to_base64();
        // Base64 is ASCII, so each byte is a character.
        match text.get(..CUT_CHARS) {
            Some(start) if text.len() > SHORT_CHARS => ContextColumns {
                short_context: format!("{start}{ELLIPSIS}"),
                serialized_context: Some(text),
            },
            _ => ContextColumns {
                short_context: text,
                serialized_context: None,
            },
        }
    }

    /// Reads a context from its two columns. As in Spring, `SERIALIZED_CONTEXT` takes precedence.
    ///
    /// # Errors
    /// Returns the same errors as [`from_base64`](Self::from_base64).
    pub fn from_columns(short: &str, serialized: Option<&str>) -> Result<Self, ContextError> {
        Self::from_base64(serialized.unwrap_or(short))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAB3CAAAABAAAAAAeA==";

    fn base64_of(chars: usize) -> ExecutionContext {
        let mut context = ExecutionContext::new();
        for length in 0..chars {
            context.put_text("key", "x".repeat(length));
            if context.to_base64().len() >= chars {
                break;
            }
        }
        assert_eq!(context.to_base64().len(), chars);
        context
    }

    #[test]
    fn the_empty_context_equals_that_of_java() {
        let columns = ExecutionContext::new().to_columns();
        assert_eq!(columns.short_context, EMPTY);
        assert_eq!(columns.serialized_context, None);
        assert!(ExecutionContext::from_base64(EMPTY).unwrap().is_empty());
    }

    #[test]
    fn a_value_is_returned_only_as_its_own_type() {
        let mut context = ExecutionContext::new();
        context.put_long(GRID_SIZE_KEY, 4);
        context.put_text("state", "open");
        assert_eq!(context.long(GRID_SIZE_KEY), Some(4));
        assert_eq!(context.text(GRID_SIZE_KEY), None);
        assert_eq!(context.text("state"), Some("open"));
        assert_eq!(context.long("state"), None);
        assert_eq!(context.long("nothing"), None);
        let keys: Vec<_> = context.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [GRID_SIZE_KEY, "state"]);
        assert_eq!(context.remove(GRID_SIZE_KEY), Some(ContextValue::Long(4)));
        assert_eq!(context.long(GRID_SIZE_KEY), None);
    }

    #[test]
    fn up_to_2500_characters_are_short() {
        let context = base64_of(2500);
        let columns = context.to_columns();
        assert_eq!(columns.short_context.len(), 2500);
        assert_eq!(columns.serialized_context, None);
        let read = ExecutionContext::from_columns(&columns.short_context, None);
        assert_eq!(read, Ok(context));
    }

    #[test]
    fn over_2500_characters_are_cut_at_2492() {
        let context = base64_of(2504);
        let columns = context.to_columns();
        let text = context.to_base64();
        assert_eq!(columns.short_context, format!("{} ...", &text[..2492]));
        assert_eq!(columns.serialized_context.as_deref(), Some(text.as_str()));
        let read = ExecutionContext::from_columns(&columns.short_context, Some(&text));
        assert_eq!(read, Ok(context));
        // The short column alone is not a context.
        assert_eq!(
            ExecutionContext::from_columns(&columns.short_context, None),
            Err(ContextError::Base64 {
                at: 2492,
                what: "invalid symbol"
            })
        );
    }

    #[test]
    fn base64_errors_report_their_position() {
        for (text, at) in [
            ("{}", 0),
            ("rO0ABXNy\nABF", 8),
            ("rO0AB", 5),
            ("rO0ABQ", 6),
            ("rO0ABR==", 5),
        ] {
            let error = ExecutionContext::from_base64(text).unwrap_err();
            assert!(
                matches!(error, ContextError::Base64 { at: found, .. } if found == at),
                "{text}: {error}"
            );
        }
        let error = ExecutionContext::from_base64("").unwrap_err();
        assert!(matches!(error, ContextError::Damaged { at: 0, .. }));
        let long = "A".repeat(MAX_BASE64_BYTES + 4);
        assert_eq!(
            ExecutionContext::from_base64(&long),
            Err(ContextError::TooLong { bytes: long.len() })
        );
    }
}
