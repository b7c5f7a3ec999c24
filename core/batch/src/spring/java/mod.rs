//! Java serialization of a `HashMap<String, Object>` of Strings and numbers.
//!
//! Source: "Java Object Serialization Specification", chapter 6, and the `writeObject` methods of
//! the JDK's `HashMap`, `Long` and `Integer`. The writer repeats every class description in full,
//! which Java accepts. The reader also accepts Java's back-references.

mod format;
mod reader;
mod utf;
mod writer;

#[cfg(test)]
mod tests;

pub(super) use reader::read;
pub(super) use writer::write;
