//! Writer of the stream of a HashMap.

use crate::spring::{
    ContextValue,
    java::{
        format::{
            BLOCK_DATA, CLASS_DESCRIPTION, Class, END_BLOCK_DATA, LOAD_FACTOR, LONG_STRING,
            MAP_BLOCK_BYTES, NULL, OBJECT, STREAM_HEAD, STRING,
        },
        utf::to_modified_utf8,
    },
};
use std::collections::BTreeMap;

/// Serializes a `HashMap` with these entries.
pub(crate) fn write(entries: &BTreeMap<String, ContextValue>) -> Vec<u8> {
    let mut out = STREAM_HEAD.to_vec();
    out.push(OBJECT);
    write_class(&mut out, Class::HashMap);

    // Java counts entries in an i32. Memory does not suffice for more.
    let size = i32::try_from(entries.len()).unwrap_or(i32::MAX);
    let (capacity, threshold) = capacity_and_threshold(size);
    out.extend(LOAD_FACTOR.to_be_bytes());
    out.extend(threshold.to_be_bytes());
    out.extend([BLOCK_DATA, MAP_BLOCK_BYTES]);
    out.extend(capacity.to_be_bytes());
    out.extend(size.to_be_bytes());

    for (key, value) in entries {
        write_string(&mut out, key);
        match value {
            ContextValue::Text(text) => write_string(&mut out, text),
            ContextValue::Long(number) => {
                out.push(OBJECT);
                write_class(&mut out, Class::Long);
                out.extend(number.to_be_bytes());
            }
        }
    }
    out.push(END_BLOCK_DATA);
    out
}

/// Returns the capacity of a `new HashMap()` after `size` calls of `put`, and the size at which it
/// grows next.
pub(super) fn capacity_and_threshold(size: i32) -> (i32, i32) {
    let mut capacity: i32 = 16;
    if size == 0 {
        // Java allocates no table before the first `put`.
        return (capacity, 0);
    }
    // HashMap.MAXIMUM_CAPACITY is 2^30.
    while size > capacity / 4 * 3 && capacity < 1 << 30 {
        capacity *= 2;
    }
    (capacity, capacity / 4 * 3)
}

pub(super) fn write_class(out: &mut Vec<u8>, class: Class) {
    out.push(CLASS_DESCRIPTION);
    let name = class.name();
    // All four names are short and ASCII.
    out.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(name.as_bytes());
    out.extend(class.body());
    match class.parent() {
        Some(parent) => write_class(out, parent),
        None => out.push(NULL),
    }
}

pub(super) fn write_string(out: &mut Vec<u8>, text: &str) {
    let bytes = to_modified_utf8(text);
    if let Ok(length) = u16::try_from(bytes.len()) {
        out.push(STRING);
        out.extend(length.to_be_bytes());
    } else {
        out.push(LONG_STRING);
        out.extend((bytes.len() as u64).to_be_bytes());
    }
    out.extend(bytes);
}
