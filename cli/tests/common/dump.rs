//! Comparing rows as text.

/// Fails where two dumps differ, and names the first difference only.
#[track_caller]
pub(crate) fn assert_same(found: &[String], expected: &[String], what: &str) {
    let differing = found.iter().zip(expected).find(|(a, b)| a != b);
    assert!(differing.is_none(), "{what}: {differing:?}");
    assert_eq!(found.len(), expected.len(), "{what}: the number of rows");
}
