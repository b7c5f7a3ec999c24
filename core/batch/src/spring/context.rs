//! A step's or job's memory between restarts, as the `*_EXECUTION_CONTEXT` tables hold it.

use crate::spring::java;
use base64::{DecodeError, Engine as _, engine::general_purpose::STANDARD};
use std::collections::BTreeMap;

/// The manager step's key for the number of partitions; on restart it overrides the configured one.
pub const GRID_SIZE_KEY: &str = "SimpleStepExecutionSplitter.GRID_SIZE";

/// The longest Base64 text that is read, in bytes. MySQL's `TEXT` ends at 64 KiB, long before.
pub const MAX_BASE64_BYTES: usize = 1 << 20;

/// Characters in `SHORT_CONTEXT`.
const SHORT_CHARS: usize = 2500;
/// Characters of a longer context that go before [`ELLIPSIS`] (Spring leaves eight for it).
const CUT_CHARS: usize = 2492;
const ELLIPSIS: &str = " ...";

/// Why a stored context is refused. Damage names its place; a byte counts from 0 in the decoded
/// Java stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// The text is no Base64 (padded, without line breaks).
    #[error("the execution context is not Base64: {what} at character {at}")]
    Base64 {
        /// Characters before the fault.
        at: usize,
        /// The fault.
        what: &'static str,
    },
    /// The text is longer than [`MAX_BASE64_BYTES`].
    #[error(
        "the execution context is {bytes} bytes of Base64, at most {MAX_BASE64_BYTES} are read"
    )]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The bytes are not what Java writes.
    #[error("the execution context is damaged at byte {at}: {what}")]
    Damaged {
        /// Bytes before the fault.
        at: usize,
        /// The fault.
        what: String,
    },
    /// An object of a class that is not read in this place.
    #[error(
        "the execution context holds a {class:?} at byte {at}, where only {wanted} can be read"
    )]
    UnknownClass {
        /// Bytes before the class's name.
        at: usize,
        /// The class found, in Java's binary form, cut at 200 characters.
        class: String,
        /// What can be read there.
        wanted: &'static str,
    },
    /// A null key or value.
    #[error("the execution context holds a null at byte {at}")]
    Null {
        /// Bytes before the null.
        at: usize,
    },
}

fn not_base64(error: &DecodeError, text: &str) -> ContextError {
    let (at, what) = match *error {
        DecodeError::InvalidByte(at, _) => (at, "a foreign symbol"),
        DecodeError::InvalidLastSymbol { offset, .. } => (offset, "an impossible last symbol"),
        DecodeError::InvalidLength(_) => (text.len(), "an incomplete end"),
        DecodeError::InvalidPadding => (text.len(), "bad padding"),
    };
    ContextError::Base64 { at, what }
}

/// A value in a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextValue {
    /// A `java.lang.Long`; a `java.lang.Integer` reads as one, and is written back as a Long.
    Long(i64),
    /// A `java.lang.String`.
    Text(String),
}

/// The two columns of a context row. A row must always be there, even for an empty context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextColumns {
    /// `SHORT_CONTEXT`: the whole context in Base64, or its beginning; at most 2500 characters.
    pub short_context: String,
    /// `SERIALIZED_CONTEXT`: the whole context, if it does not fit the short column.
    pub serialized_context: Option<String>,
}

/// What a step or job keeps for its restart. Keep cursors and ranges here, never lists: the
/// column ends at 64 KiB in MySQL, and over [`MAX_BASE64_BYTES`] nothing is read back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionContext(BTreeMap<String, ContextValue>);

impl ExecutionContext {
    /// An empty context.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a number, in place of any value the key had.
    pub fn put_long(&mut self, key: impl Into<String>, value: i64) {
        self.0.insert(key.into(), ContextValue::Long(value));
    }

    /// Sets a text, in place of any value the key had.
    pub fn put_text(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), ContextValue::Text(value.into()));
    }

    /// The number at the key; none if there is nothing or a text.
    pub fn long(&self, key: &str) -> Option<i64> {
        match self.0.get(key)? {
            ContextValue::Long(value) => Some(*value),
            ContextValue::Text(_) => None,
        }
    }

    /// The text at the key; none if there is nothing or a number.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            ContextValue::Text(value) => Some(value),
            ContextValue::Long(_) => None,
        }
    }

    /// Takes the key out and gives what it had.
    pub fn remove(&mut self, key: &str) -> Option<ContextValue> {
        self.0.remove(key)
    }

    /// All entries, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ContextValue)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The context as Spring's `DefaultExecutionContextSerializer` stores it: the Java
    /// serialisation of a `HashMap`, in Base64.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(java::write(&self.0))
    }

    /// Reads what [`to_base64`](Self::to_base64) or Java wrote.
    ///
    /// # Errors
    /// A text that is damaged, too long, or holds other than texts, Longs and Integers.
    pub fn from_base64(text: &str) -> Result<Self, ContextError> {
        if text.len() > MAX_BASE64_BYTES {
            return Err(ContextError::TooLong { bytes: text.len() });
        }
        let stream = STANDARD
            .decode(text)
            .map_err(|error| not_base64(&error, text))?;
        java::read(&stream).map(Self)
    }

    /// The context as its two columns hold it.
    pub fn to_columns(&self) -> ContextColumns {
        let text = self.to_base64();
        // Base64 is ASCII, so that bytes are characters.
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

    /// Reads a context from its two columns; as in Spring, a long one hides the short.
    ///
    /// # Errors
    /// As [`from_base64`](Self::from_base64).
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
    fn the_empty_context_is_that_of_java() {
        let columns = ExecutionContext::new().to_columns();
        assert_eq!(columns.short_context, EMPTY);
        assert_eq!(columns.serialized_context, None);
        assert!(ExecutionContext::from_base64(EMPTY).unwrap().is_empty());
    }

    #[test]
    fn a_value_is_had_only_as_what_it_is() {
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
                what: "a foreign symbol"
            })
        );
    }

    #[test]
    fn what_is_no_base64_says_where() {
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
