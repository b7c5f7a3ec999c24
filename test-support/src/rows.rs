//! Comparison of rows as text.

/// Asserts that two lists of rows are equal. A failure prints only the first difference.
#[track_caller]
pub fn assert_same(found: &[String], expected: &[String], what: &str) {
    let differing = found.iter().zip(expected).find(|(a, b)| a != b);
    assert!(differing.is_none(), "{what}: {differing:?}");
    assert_eq!(found.len(), expected.len(), "{what}: number of rows");
}
