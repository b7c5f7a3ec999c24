//! Errors of reading an execution context.

/// Maximum length of a context in Base64, in bytes. MySQL's `TEXT` is limited to 64 KiB.
pub const MAX_BASE64_BYTES: usize = 1 << 20;

/// The reason why a stored context is rejected. Byte positions count from 0 in the decoded Java
/// stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// The text is not Base64 with padding and without line breaks.
    #[error("the execution context is not Base64: {what} at character {at}")]
    Base64 {
        /// Number of characters before the error.
        at: usize,
        what: &'static str,
    },
    /// The text is longer than [`MAX_BASE64_BYTES`].
    #[error(
        "the execution context has {bytes} bytes of Base64, at most {MAX_BASE64_BYTES} are allowed"
    )]
    TooLong { bytes: usize },
    /// The bytes are not a valid Java stream.
    #[error("the execution context is damaged at byte {at}: {what}")]
    Damaged {
        /// Number of bytes before the error.
        at: usize,
        what: String,
    },
    /// The stream contains an object of a class that is not allowed at this position.
    #[error("the execution context contains a {class:?} at byte {at}, expected {wanted}")]
    UnknownClass {
        /// Number of bytes before the class name.
        at: usize,
        /// The name of the class in Java's binary form, truncated to 200 characters.
        class: String,
        /// The classes that are allowed.
        wanted: &'static str,
    },
    /// A key or a value is null.
    #[error("the execution context contains a null at byte {at}")]
    Null {
        /// Number of bytes before the null.
        at: usize,
    },
}
