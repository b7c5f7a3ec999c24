//! Values of an execution context.

/// A value in an execution context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextValue {
    /// A `java.lang.Long`. A `java.lang.Integer` is read as a Long and written back as one.
    Long(i64),
    /// A `java.lang.String`.
    Text(String),
}
