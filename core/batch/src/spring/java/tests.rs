//! Tests that compare the bytes with Java's and reject damaged streams.

use crate::spring::{
    ContextError, ContextValue,
    java::{format::*, reader::*, utf::*, writer::*},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Positions of the map's size and of its first entry in a stream.
const SIZE_AT: usize = 77;
const ENTRIES_AT: usize = 81;

// Written by the ObjectOutputStream of JDK 17.

/// `GRID_SIZE` = 4L.
const ONE: &str = "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAAlU2ltcGxlU3RlcEV4ZWN1dGlvblNwbGl0dGVyLkdSSURfU0laRXNyAA5qYXZhLmxhbmcuTG9uZzuL5JDMjyPfAgABSgAFdmFsdWV4cgAQamF2YS5sYW5nLk51bWJlcoaslR0LlOCLAgAAeHAAAAAAAAAABHg=";
/// `"key" + i` = `i - 6L` for i in 0..12.
const TWELVE: &str = "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAAMdAAEa2V5MXNyAA5qYXZhLmxhbmcuTG9uZzuL5JDMjyPfAgABSgAFdmFsdWV4cgAQamF2YS5sYW5nLk51bWJlcoaslR0LlOCLAgAAeHD/////////+3QABGtleTJzcQB+AAP//////////HQABGtleTBzcQB+AAP/////////+nQABGtleTVzcQB+AAP//////////3QABGtleTZzcQB+AAMAAAAAAAAAAHQABGtleTNzcQB+AAP//////////XQABGtleTRzcQB+AAP//////////nQABGtleTlzcQB+AAMAAAAAAAAAA3QABGtleTdzcQB+AAMAAAAAAAAAAXQABGtleThzcQB+AAMAAAAAAAAAAnQABWtleTExc3EAfgADAAAAAAAAAAV0AAVrZXkxMHNxAH4AAwAAAAAAAAAEeA==";
/// The same for i in 0..13.
const THIRTEEN: &str = "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAABh3CAAAACAAAAANdAAEa2V5MXNyAA5qYXZhLmxhbmcuTG9uZzuL5JDMjyPfAgABSgAFdmFsdWV4cgAQamF2YS5sYW5nLk51bWJlcoaslR0LlOCLAgAAeHD/////////+3QABGtleTJzcQB+AAP//////////HQABGtleTBzcQB+AAP/////////+nQABGtleTVzcQB+AAP//////////3QABGtleTZzcQB+AAMAAAAAAAAAAHQABGtleTNzcQB+AAP//////////XQABGtleTRzcQB+AAP//////////nQABGtleTlzcQB+AAMAAAAAAAAAA3QABGtleTdzcQB+AAMAAAAAAAAAAXQABGtleThzcQB+AAMAAAAAAAAAAnQABWtleTExc3EAfgADAAAAAAAAAAV0AAVrZXkxMHNxAH4AAwAAAAAAAAAEdAAFa2V5MTJzcQB+AAMAAAAAAAAABng=";
/// One String as a key and twice as a value, one Long twice, Integers.
const SHARED: &str = "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAAJdAABYXQABHNhbWV0AANuZXd0AARzYW1ldAABYnEAfgADcQB+AANxAH4AA3QAA21pbnNyAA5qYXZhLmxhbmcuTG9uZzuL5JDMjyPfAgABSgAFdmFsdWV4cgAQamF2YS5sYW5nLk51bWJlcoaslR0LlOCLAgAAeHCAAAAAAAAAAHQAAmwxc3EAfgAIAAAAAAAAAAd0AAJsMnEAfgAMdAABaXNyABFqYXZhLmxhbmcuSW50ZWdlchLioKT3gYc4AgABSQAFdmFsdWV4cQB+AAkAAAAqdAABanNxAH4AD/////94";
/// A NUL and characters of two, three and six bytes.
const UNICODE: &str = "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAACdAAG7aC97biAdAAAdAAEdGV4dHQADmHAgMOp4oKs7aC97biAeA==";
/// Contexts that must be rejected, with the error message.
const REJECTED: [(&str, &str); 11] = [
    (
        "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3B4",
        "the execution context contains a null at byte 85",
    ),
    (
        "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABcHNyAA5qYXZhLmxhbmcuTG9uZzuL5JDMjyPfAgABSgAFdmFsdWV4cgAQamF2YS5sYW5nLk51bWJlcoaslR0LlOCLAgAAeHAAAAAAAAAAAXg=",
        "the execution context contains a null at byte 81",
    ),
    (
        "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3NyAA5qYXZhLnV0aWwuRGF0ZWhqgQFLWXQZAwAAeHB3CAAAAAAAAAAAeHg=",
        "the execution context contains a \"java.util.Date\" at byte 87, expected a java.lang.String, Long or Integer",
    ),
    (
        "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3NyABFqYXZhLmxhbmcuQm9vbGVhbs0gcoDVnPruAgABWgAFdmFsdWV4cAF4",
        "the execution context contains a \"java.lang.Boolean\" at byte 87, expected a java.lang.String, Long or Integer",
    ),
    (
        "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3QAA+2gvXg=",
        "the execution context is damaged at byte 88: invalid modified UTF-8 or unpaired surrogate",
    ),
    (
        "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa35yABZqYXZhLmxhbmcuVGhyZWFkJFN0YXRlAAAAAAAAAAASAAB4cgAOamF2YS5sYW5nLkVudW0AAAAAAAAAABIAAHhwdAADTkVXeA==",
        "the execution context contains a \"java.lang.Thread$State\" at byte 87, expected a java.lang.String, Long or Integer",
    ),
    (
        "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3VyAAJbSnggBLUSsXWTAgAAeHAAAAABAAAAAAAAAAF4",
        "the execution context contains a \"[J\" at byte 87, expected a java.lang.String, Long or Integer",
    ),
    (
        "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3NxAH4AAD9AAAAAAAAAdwgAAAAQAAAAAHh4",
        "the execution context contains a \"java.util.HashMap\" at byte 87, expected a java.lang.String, Long or Integer",
    ),
    (
        "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3EAfgABeA==",
        "the execution context is damaged at byte 86: the map contains itself",
    ),
    (
        "rO0ABXNyABFqYXZhLnV0aWwuVHJlZU1hcAzB9j4tJWrmAwABTAAKY29tcGFyYXRvcnQAFkxqYXZhL3V0aWwvQ29tcGFyYXRvcjt4cHB3BAAAAAB4",
        "the execution context contains a \"java.util.TreeMap\" at byte 6, expected a java.util.HashMap",
    ),
    (
        "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABc3IAEWphdmEubGFuZy5JbnRlZ2VyEuKgpPeBhzgCAAFJAAV2YWx1ZXhyABBqYXZhLmxhbmcuTnVtYmVyhqyVHQuU4IsCAAB4cAAAAAF0AAF4eA==",
        "the execution context is damaged at byte 81: the key is not a string",
    ),
];

fn bytes(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

fn long(value: i64) -> ContextValue {
    ContextValue::Long(value)
}

fn text(value: &str) -> ContextValue {
    ContextValue::Text(value.to_owned())
}

fn map<const N: usize>(entries: [(&str, ContextValue); N]) -> BTreeMap<String, ContextValue> {
    entries.map(|(key, value)| (key.to_owned(), value)).into()
}

fn numbers(count: i64) -> BTreeMap<String, ContextValue> {
    (0..count)
        .map(|i| (format!("key{i}"), long(i - 6)))
        .collect()
}

#[test]
fn reads_what_java_wrote() {
    let grid_size = map([("SimpleStepExecutionSplitter.GRID_SIZE", long(4))]);
    assert_eq!(read(&bytes(ONE)), Ok(grid_size));
    assert_eq!(read(&bytes(TWELVE)), Ok(numbers(12)));
    assert_eq!(read(&bytes(THIRTEEN)), Ok(numbers(13)));
    let unicode = map([("text", text("a\0é€😀")), ("😀", text(""))]);
    assert_eq!(read(&bytes(UNICODE)), Ok(unicode));
}

#[test]
fn follows_references() {
    let shared = map([
        ("a", text("same")),
        ("b", text("same")),
        ("same", text("same")),
        ("new", text("same")),
        ("i", long(42)),
        ("j", long(-1)),
        ("l1", long(7)),
        ("l2", long(7)),
        ("min", long(i64::MIN)),
    ]);
    assert_eq!(read(&bytes(SHARED)), Ok(shared));
}

#[test]
fn writes_the_same_bytes_as_java() {
    // If a class occurs once, Java writes no back-reference.
    let grid_size = map([("SimpleStepExecutionSplitter.GRID_SIZE", long(4))]);
    assert_eq!(write(&grid_size), bytes(ONE));

    // The bytes before the first entry. The capacity doubles with the thirteenth entry.
    assert_eq!(
        write(&numbers(12))[..ENTRIES_AT],
        bytes(TWELVE)[..ENTRIES_AT]
    );
    assert_eq!(
        write(&numbers(13))[..ENTRIES_AT],
        bytes(THIRTEEN)[..ENTRIES_AT]
    );
}

#[test]
fn capacity_grows_as_in_java() {
    for (size, expected) in [
        (0, (16, 0)),
        (1, (16, 12)),
        (12, (16, 12)),
        (13, (32, 24)),
        (24, (32, 24)),
        (25, (64, 48)),
        (100, (256, 192)),
    ] {
        assert_eq!(capacity_and_threshold(size), expected, "{size}");
    }
    assert_eq!(capacity_and_threshold(i32::MAX).0, 1 << 30);
}

#[test]
fn long_strings_have_a_form_of_their_own() {
    // In bytes of modified UTF-8: 65,534, 65,535 (`74`), 65,536 (`7c`), and twice as many.
    for (value, code) in [
        ("\0".repeat(32_767), STRING),
        ("x".repeat(65_535), STRING),
        ("x".repeat(65_536), LONG_STRING),
        ("é".repeat(65_536), LONG_STRING),
    ] {
        let map = map([("", text(&value))]);
        let stream = write(&map);
        // The byte after the head and the empty key.
        assert_eq!(stream[ENTRIES_AT + 3], code);
        assert_eq!(read(&stream), Ok(map));
    }
}

#[test]
fn unsupported_streams_are_rejected() {
    for (base64, error) in REJECTED {
        let found = read(&bytes(base64)).unwrap_err().to_string();
        assert_eq!(found, error);
    }
}

#[test]
fn every_truncation_is_reported_with_its_position() {
    for vector in [ONE, SHARED, UNICODE] {
        let stream = bytes(vector);
        for length in 0..stream.len() {
            let error = read(&stream[..length]).unwrap_err();
            assert!(
                matches!(error, ContextError::Damaged { at, .. } if at <= length),
                "{length}: {error}"
            );
        }
    }
}

#[test]
fn bytes_after_the_map_are_rejected() {
    let mut stream = write(&BTreeMap::new());
    let at = stream.len();
    stream.push(END_BLOCK_DATA);
    assert_eq!(
        read(&stream),
        Err(damaged(at, "1 bytes follow the end of the map"))
    );
}

/// Returns the head of a stream of `size` entries. Handles 0 and 1 are in use.
fn head(size: i32) -> Vec<u8> {
    let mut stream = write(&BTreeMap::new());
    stream.truncate(SIZE_AT);
    stream.extend(size.to_be_bytes());
    stream
}

fn damage_at(stream: &[u8]) -> usize {
    match read(stream) {
        Err(ContextError::Damaged { at, .. }) => at,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lengths_are_compared_with_the_remaining_bytes() {
    for size in [-1, 1, i32::MAX] {
        assert_eq!(damage_at(&head(size)), SIZE_AT);
    }
    let mut stream = head(1);
    stream.push(LONG_STRING);
    stream.extend(u64::MAX.to_be_bytes());
    assert_eq!(damage_at(&stream), ENTRIES_AT + 9);
}

#[test]
fn references_must_point_to_earlier_values() {
    // A handle that is not assigned yet, one below the first, the class, the map.
    for handle in [FIRST_HANDLE + 2, 0, FIRST_HANDLE, FIRST_HANDLE + 1] {
        let mut stream = head(1);
        stream.push(REFERENCE);
        stream.extend(handle.to_be_bytes());
        stream.extend([STRING, 0, 0, END_BLOCK_DATA]);
        assert_eq!(damage_at(&stream), ENTRIES_AT + 1);
    }
}

#[test]
fn repeated_text_is_limited() {
    let count = 100;
    let mut stream = head(count);
    write_string(&mut stream, "first");
    write_string(&mut stream, &"x".repeat(MAX_REPEATED_BYTES / 50));
    for key in 1..count {
        write_string(&mut stream, &key.to_string());
        stream.push(REFERENCE);
        stream.extend((FIRST_HANDLE + 3).to_be_bytes());
    }
    stream.push(END_BLOCK_DATA);
    let error = read(&stream).unwrap_err().to_string();
    assert!(
        error.ends_with("more than 1048576 bytes of repeated text"),
        "{error}"
    );
}

#[test]
fn a_superclass_cannot_nest_without_end() {
    let mut stream = head(1);
    write_string(&mut stream, "key");
    stream.push(OBJECT);
    let mut superclass = Vec::new();
    write_class(&mut superclass, Class::Number);
    for _ in 0..100_000 {
        // Each class replaces the superclass of the previous one.
        write_class(&mut stream, Class::Long);
        stream.truncate(stream.len() - superclass.len());
    }
    assert!(matches!(
        read(&stream),
        Err(ContextError::UnknownClass { .. })
    ));
}

#[test]
fn duplicate_keys_are_rejected() {
    let mut stream = head(2);
    for _ in 0..2 {
        write_string(&mut stream, "key");
        write_string(&mut stream, "");
    }
    stream.push(END_BLOCK_DATA);
    assert_eq!(damage_at(&stream), ENTRIES_AT + 9);
}

#[test]
fn only_modified_utf8_is_text() {
    assert_eq!(from_modified_utf8(b"a\xc0\x80"), Ok("a\0".to_owned()));
    for (bytes, at) in [
        (&b"ab\xff"[..], 2),
        (b"\xe2\x82", 0),
        // Standard UTF-8 of a supplementary character.
        ("a😀".as_bytes(), 1),
        // An unpaired high surrogate and an unpaired low one.
        (b"\xed\xa0\xbdab", 0),
        (b"ab\xed\xb8\x80", 2),
    ] {
        assert_eq!(from_modified_utf8(bytes), Err(at), "{bytes:x?}");
    }
}

fn value() -> impl Strategy<Value = ContextValue> {
    prop_oneof![
        any::<i64>().prop_map(ContextValue::Long),
        any::<String>().prop_map(ContextValue::Text),
    ]
}

fn vector() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![ONE, TWELVE, SHARED, UNICODE]).prop_map(bytes),
        prop::collection::btree_map(any::<String>(), value(), 0..5).prop_map(|map| write(&map)),
    ]
}

proptest! {
    #[test]
    fn written_maps_round_trip(
        map in prop::collection::btree_map(any::<String>(), value(), 0..40),
    ) {
        prop_assert_eq!(read(&write(&map)), Ok(map));
    }

    #[test]
    fn reading_any_bytes_does_not_panic(
        tail in prop::collection::vec(any::<u8>(), 0..200),
        start in 0_usize..120,
    ) {
        let mut stream = bytes(ONE);
        stream.truncate(start);
        stream.extend(tail);
        let _ = read(&stream);
    }

    #[test]
    fn damaged_streams_do_not_panic(
        mut stream in vector(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        for (index, bits) in flips {
            let index = index.index(stream.len());
            stream[index] ^= bits;
        }
        if let Some(cut) = cut {
            let length = cut.index(stream.len());
            stream.truncate(length);
        }
        if let Ok(map) = read(&stream) {
            // A stream that is still valid round-trips.
            prop_assert_eq!(read(&write(&map)), Ok(map));
        }
    }
}
