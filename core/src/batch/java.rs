//! The Java serialisation of a `HashMap<String, Object>` of Strings and numbers.
//!
//! Source: "Java Object Serialization Specification", chapter 6, and the `writeObject` methods of
//! the JDK's `HashMap`, `Long` and `Integer`. What is written repeats every class description in
//! full, which Java accepts. What is read may hold Java's back-references.

use std::collections::BTreeMap;

use super::context::{ContextError, ContextValue, MAX_BASE64_BYTES};

const STREAM_HEAD: [u8; 4] = [0xac, 0xed, 0x00, 0x05];

// The type codes of the specification, section 6.4.2.
const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS_DESCRIPTION: u8 = 0x72;
const OBJECT: u8 = 0x73;
const STRING: u8 = 0x74;
const ARRAY: u8 = 0x75;
const BLOCK_DATA: u8 = 0x77;
const END_BLOCK_DATA: u8 = 0x78;
const LONG_STRING: u8 = 0x7c;
const ENUM: u8 = 0x7e;

/// Back-references count from here.
const FIRST_HANDLE: u32 = 0x7e_0000;

/// `HashMap.DEFAULT_LOAD_FACTOR`, 0.75.
const LOAD_FACTOR: f32 = 0.75;
/// The bytes in a HashMap's block data: its capacity and its size.
const MAP_BLOCK_BYTES: u8 = 8;
/// The fewest bytes an entry takes: two empty strings.
const MIN_ENTRY_BYTES: usize = 6;
/// The most bytes of text that back-references may repeat: a small stream could else ask for
/// gigabytes.
const MAX_REPEATED_BYTES: usize = MAX_BASE64_BYTES;

/// A class that is written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    HashMap,
    Integer,
    Long,
    Number,
}

impl Class {
    const ALL: [Self; 4] = [Self::HashMap, Self::Integer, Self::Long, Self::Number];

    fn name(self) -> &'static str {
        match self {
            Self::HashMap => "java.util.HashMap",
            Self::Integer => "java.lang.Integer",
            Self::Long => "java.lang.Long",
            Self::Number => "java.lang.Number",
        }
    }

    /// The description from after the name up to its superclass: serialVersionUID, flags (02
    /// serialisable, 01 has a `writeObject`), fields, no annotations.
    fn body(self) -> &'static [u8] {
        match self {
            Self::HashMap => {
                b"\x05\x07\xda\xc1\xc3\x16\x60\xd1\x03\x00\x02F\x00\x0aloadFactorI\x00\x09threshold\x78"
            }
            Self::Integer => b"\x12\xe2\xa0\xa4\xf7\x81\x87\x38\x02\x00\x01I\x00\x05value\x78",
            Self::Long => b"\x3b\x8b\xe4\x90\xcc\x8f\x23\xdf\x02\x00\x01J\x00\x05value\x78",
            Self::Number => b"\x86\xac\x95\x1d\x0b\x94\xe0\x8b\x02\x00\x00\x78",
        }
    }

    fn parent(self) -> Option<Self> {
        match self {
            Self::Integer | Self::Long => Some(Self::Number),
            Self::HashMap | Self::Number => None,
        }
    }
}

/// Writes the stream of a `HashMap` with these entries.
pub(super) fn write(entries: &BTreeMap<String, ContextValue>) -> Vec<u8> {
    let mut out = STREAM_HEAD.to_vec();
    out.push(OBJECT);
    write_class(&mut out, Class::HashMap);

    // Memory ends long before the i32 that Java counts entries in.
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

/// The table a `new HashMap()` has after that many `put`s, and the size at which it next grows.
fn capacity_and_threshold(size: i32) -> (i32, i32) {
    let mut capacity: i32 = 16;
    if size == 0 {
        // No table is allocated before the first put.
        return (capacity, 0);
    }
    // HashMap.MAXIMUM_CAPACITY is 2^30.
    while size > capacity / 4 * 3 && capacity < 1 << 30 {
        capacity *= 2;
    }
    (capacity, capacity / 4 * 3)
}

fn write_class(out: &mut Vec<u8>, class: Class) {
    out.push(CLASS_DESCRIPTION);
    let name = class.name();
    // All four names are short, and ASCII.
    out.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(name.as_bytes());
    out.extend(class.body());
    match class.parent() {
        Some(parent) => write_class(out, parent),
        None => out.push(NULL),
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
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

/// The UTF-8 of Java's `writeUTF`: NUL takes two bytes, and each surrogate of a pair three.
fn to_modified_utf8(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        let [high, low] = unit.to_be_bytes();
        let last = 0x80 | (low & 0x3f);
        match unit {
            0x01..=0x7f => bytes.push(low),
            0 | 0x80..=0x7ff => bytes.extend([0xc0 | (high << 2) | (low >> 6), last]),
            _ => bytes.extend([
                0xe0 | (high >> 4),
                0x80 | ((high & 0x0f) << 2) | (low >> 6),
                last,
            ]),
        }
    }
    bytes
}

/// Reads `readUTF`'s form, as lenient as Java is with overlong forms. The error is the number of
/// bytes before the fault.
fn from_modified_utf8(bytes: &[u8]) -> Result<String, usize> {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (c, after) = modified_char(rest).ok_or(bytes.len() - rest.len())?;
        text.push(c);
        rest = after;
    }
    Ok(text)
}

fn modified_char(bytes: &[u8]) -> Option<(char, &[u8])> {
    let (unit, rest) = modified_unit(bytes)?;
    if let Some(c) = char::from_u32(u32::from(unit)) {
        return Some((c, rest));
    }
    let (second, rest) = modified_unit(rest)?;
    // A surrogate that is no half of a pair is a String in Java, but not in Rust.
    let c = char::decode_utf16([unit, second]).next()?.ok()?;
    Some((c, rest))
}

fn modified_unit(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let bits = |byte: u8, mask: u8| u16::from(byte & mask);
    match bytes {
        [a @ ..=0x7f, rest @ ..] => Some((u16::from(*a), rest)),
        [a @ 0xc0..=0xdf, b @ 0x80..=0xbf, rest @ ..] => {
            Some(((bits(*a, 0x1f) << 6) | bits(*b, 0x3f), rest))
        }
        [a @ 0xe0..=0xef, b @ 0x80..=0xbf, c @ 0x80..=0xbf, rest @ ..] => {
            let unit = (bits(*a, 0x0f) << 12) | (bits(*b, 0x3f) << 6) | bits(*c, 0x3f);
            Some((unit, rest))
        }
        _ => None,
    }
}

/// Reads the stream of a `HashMap` of Strings, Longs and Integers.
///
/// # Errors
/// [`ContextError`], with the byte of the fault, for everything else.
pub(super) fn read(stream: &[u8]) -> Result<BTreeMap<String, ContextValue>, ContextError> {
    let mut reader = Reader {
        stream,
        rest: stream,
        handles: Vec::new(),
        repeated: 0,
    };
    reader.expect(&STREAM_HEAD, "the head of a Java stream")?;
    let map = reader.map()?;
    match reader.rest.len() {
        0 => Ok(map),
        bytes => Err(reader.damaged(format!("{bytes} bytes follow the end of the map"))),
    }
}

/// What a back-reference can refer to. The n-th thing in the stream has handle n.
#[derive(Debug)]
enum Handle {
    Class(Class),
    Map,
    Value(ContextValue),
}

struct Reader<'a> {
    stream: &'a [u8],
    rest: &'a [u8],
    handles: Vec<Handle>,
    /// Bytes of text had by back-reference so far.
    repeated: usize,
}

impl<'a> Reader<'a> {
    fn map(&mut self) -> Result<BTreeMap<String, ContextValue>, ContextError> {
        self.expect(&[OBJECT], "an object")?;
        self.class(&[Class::HashMap], "a java.util.HashMap")?;
        self.handles.push(Handle::Map);

        let at = self.at();
        let load_factor = f32::from_be_bytes(self.array()?);
        if load_factor.is_nan() || load_factor <= 0.0 {
            return Err(damaged(at, format!("a load factor of {load_factor}")));
        }
        // The threshold, and below the capacity, are Java's own business: it reads past them too.
        self.array::<4>()?;
        self.expect(&[BLOCK_DATA, MAP_BLOCK_BYTES], "the map's block data")?;
        self.array::<4>()?;
        let at = self.at();
        let size = i32::from_be_bytes(self.array()?);
        let size = usize::try_from(size)
            .ok()
            .filter(|size| *size <= self.rest.len() / MIN_ENTRY_BYTES)
            .ok_or_else(|| {
                let left = self.rest.len();
                damaged(
                    at,
                    format!("{size} entries in the {left} bytes that follow"),
                )
            })?;

        let mut map = BTreeMap::new();
        for _ in 0..size {
            let at = self.at();
            let ContextValue::Text(key) = self.value()? else {
                return Err(damaged(at, "a key that is no string"));
            };
            if map.contains_key(&key) {
                return Err(damaged(at, "a key the map already has"));
            }
            let value = self.value()?;
            map.insert(key, value);
        }
        self.expect(&[END_BLOCK_DATA], "the end of the map")?;
        Ok(map)
    }

    fn value(&mut self) -> Result<ContextValue, ContextError> {
        const WANTED: &str = "a java.lang.String, Long or Integer";

        let at = self.at();
        let [code] = self.array()?;
        let value = match code {
            STRING => {
                let length = u16::from_be_bytes(self.array()?);
                ContextValue::Text(self.text(u64::from(length))?)
            }
            LONG_STRING => {
                let length = u64::from_be_bytes(self.array()?);
                ContextValue::Text(self.text(length)?)
            }
            OBJECT => match self.class(&[Class::Long, Class::Integer], WANTED)? {
                Class::Integer => ContextValue::Long(i32::from_be_bytes(self.array()?).into()),
                _ => ContextValue::Long(i64::from_be_bytes(self.array()?)),
            },
            REFERENCE => return self.repeated_value(),
            NULL => return Err(ContextError::Null { at }),
            ARRAY | ENUM => {
                // Read only to name the class in the error.
                self.class(&[], WANTED)?;
                return Err(damaged(at, "an array or enum"));
            }
            _ => {
                let what = format!("type code 0x{code:02x} where a value begins");
                return Err(damaged(at, what));
            }
        };
        self.handles.push(Handle::Value(value.clone()));
        Ok(value)
    }

    /// A String or a boxed number that the stream held before.
    fn repeated_value(&mut self) -> Result<ContextValue, ContextError> {
        let at = self.at();
        let value = match self.handle()? {
            Handle::Value(value) => value.clone(),
            Handle::Map => return Err(damaged(at, "a map that holds itself")),
            Handle::Class(_) => return Err(damaged(at, "a class where a value begins")),
        };
        if let ContextValue::Text(text) = &value {
            self.repeated += text.len();
            if self.repeated > MAX_REPEATED_BYTES {
                let what = format!("over {MAX_REPEATED_BYTES} bytes of repeated text");
                return Err(damaged(at, what));
            }
        }
        Ok(value)
    }

    /// A class description or a reference to one. Any class but those in `accepted` is refused
    /// before its superclass is read, so that damage cannot nest without end.
    fn class(&mut self, accepted: &[Class], wanted: &'static str) -> Result<Class, ContextError> {
        let at = self.at();
        let [code] = self.array()?;
        match code {
            CLASS_DESCRIPTION => {
                let at = self.at();
                let length = u16::from_be_bytes(self.array()?);
                let name = self.text(u64::from(length))?;
                let class = Class::ALL
                    .into_iter()
                    .find(|class| class.name() == name)
                    .filter(|class| accepted.contains(class))
                    .ok_or_else(|| unknown_class(at, &name, wanted))?;
                self.handles.push(Handle::Class(class));
                self.expect(class.body(), "the class description of this JDK class")?;
                match class.parent() {
                    Some(parent) => {
                        self.class(&[parent], parent.name())?;
                    }
                    None => self.expect(&[NULL], "no superclass")?,
                }
                Ok(class)
            }
            REFERENCE => {
                let at = self.at();
                match *self.handle()? {
                    Handle::Class(class) if accepted.contains(&class) => Ok(class),
                    Handle::Class(class) => Err(unknown_class(at, class.name(), wanted)),
                    _ => Err(damaged(at, "a reference to a value where a class belongs")),
                }
            }
            _ => {
                let what = format!("type code 0x{code:02x} where a class begins");
                Err(damaged(at, what))
            }
        }
    }

    fn handle(&mut self) -> Result<&Handle, ContextError> {
        let at = self.at();
        let number = u32::from_be_bytes(self.array()?);
        number
            .checked_sub(FIRST_HANDLE)
            .and_then(|index| self.handles.get(usize::try_from(index).ok()?))
            .ok_or_else(|| {
                damaged(
                    at,
                    format!("a reference to 0x{number:x}, which is not there"),
                )
            })
    }

    fn text(&mut self, length: u64) -> Result<String, ContextError> {
        let at = self.at();
        let bytes = self.take(length)?;
        from_modified_utf8(bytes)
            .map_err(|before| damaged(at + before, "no modified UTF-8, or half a surrogate pair"))
    }

    fn expect(&mut self, bytes: &[u8], what: &str) -> Result<(), ContextError> {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => {
                let same = self
                    .rest
                    .iter()
                    .zip(bytes)
                    .take_while(|(a, b)| a == b)
                    .count();
                Err(damaged(
                    self.at() + same,
                    format!("{what} is expected here"),
                ))
            }
        }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ContextError> {
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length));
        let Some((bytes, rest)) = split else {
            let left = self.rest.len();
            return Err(self.damaged(format!("{length} bytes are expected, {left} are left")));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ContextError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            let left = self.rest.len();
            return Err(self.damaged(format!("{N} bytes are expected, {left} are left")));
        };
        self.rest = rest;
        Ok(*bytes)
    }

    /// Bytes read so far.
    fn at(&self) -> usize {
        self.stream.len() - self.rest.len()
    }

    fn damaged(&self, what: impl Into<String>) -> ContextError {
        damaged(self.at(), what)
    }
}

fn damaged(at: usize, what: impl Into<String>) -> ContextError {
    ContextError::Damaged {
        at,
        what: what.into(),
    }
}

fn unknown_class(at: usize, class: &str, wanted: &'static str) -> ContextError {
    ContextError::UnknownClass {
        at,
        class: class.chars().take(200).collect(),
        wanted,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    /// Where the map's size is in a stream, and where its first entry begins.
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
    /// Contexts to be refused, with the error.
    const REFUSED: [(&str, &str); 11] = [
        (
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3B4",
            "the execution context holds a null at byte 85",
        ),
        (
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABcHNyAA5qYXZhLmxhbmcuTG9uZzuL5JDMjyPfAgABSgAFdmFsdWV4cgAQamF2YS5sYW5nLk51bWJlcoaslR0LlOCLAgAAeHAAAAAAAAAAAXg=",
            "the execution context holds a null at byte 81",
        ),
        (
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3NyAA5qYXZhLnV0aWwuRGF0ZWhqgQFLWXQZAwAAeHB3CAAAAAAAAAAAeHg=",
            "the execution context holds a \"java.util.Date\" at byte 87, where only a java.lang.String, Long or Integer can be read",
        ),
        (
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3NyABFqYXZhLmxhbmcuQm9vbGVhbs0gcoDVnPruAgABWgAFdmFsdWV4cAF4",
            "the execution context holds a \"java.lang.Boolean\" at byte 87, where only a java.lang.String, Long or Integer can be read",
        ),
        (
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3QAA+2gvXg=",
            "the execution context is damaged at byte 88: no modified UTF-8, or half a surrogate pair",
        ),
        (
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa35yABZqYXZhLmxhbmcuVGhyZWFkJFN0YXRlAAAAAAAAAAASAAB4cgAOamF2YS5sYW5nLkVudW0AAAAAAAAAABIAAHhwdAADTkVXeA==",
            "the execution context holds a \"java.lang.Thread$State\" at byte 87, where only a java.lang.String, Long or Integer can be read",
        ),
        (
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3VyAAJbSnggBLUSsXWTAgAAeHAAAAABAAAAAAAAAAF4",
            "the execution context holds a \"[J\" at byte 87, where only a java.lang.String, Long or Integer can be read",
        ),
        (
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3NxAH4AAD9AAAAAAAAAdwgAAAAQAAAAAHh4",
            "the execution context holds a \"java.util.HashMap\" at byte 87, where only a java.lang.String, Long or Integer can be read",
        ),
        (
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAABa3EAfgABeA==",
            "the execution context is damaged at byte 86: a map that holds itself",
        ),
        (
            "rO0ABXNyABFqYXZhLnV0aWwuVHJlZU1hcAzB9j4tJWrmAwABTAAKY29tcGFyYXRvcnQAFkxqYXZhL3V0aWwvQ29tcGFyYXRvcjt4cHB3BAAAAAB4",
            "the execution context holds a \"java.util.TreeMap\" at byte 6, where only a java.util.HashMap can be read",
        ),
        (
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABc3IAEWphdmEubGFuZy5JbnRlZ2VyEuKgpPeBhzgCAAFJAAV2YWx1ZXhyABBqYXZhLmxhbmcuTnVtYmVyhqyVHQuU4IsCAAB4cAAAAAF0AAF4eA==",
            "the execution context is damaged at byte 81: a key that is no string",
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
    fn writes_the_bytes_of_java() {
        // Where an object's class occurs once, Java has nothing to refer back to.
        let grid_size = map([("SimpleStepExecutionSplitter.GRID_SIZE", long(4))]);
        assert_eq!(write(&grid_size), bytes(ONE));

        // The head, up to the first entry: the capacity doubles with the thirteenth.
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
            // After the head and the empty key.
            assert_eq!(stream[ENTRIES_AT + 3], code);
            assert_eq!(read(&stream), Ok(map));
        }
    }

    #[test]
    fn refuses_what_it_cannot_hold() {
        for (base64, error) in REFUSED {
            let found = read(&bytes(base64)).unwrap_err().to_string();
            assert_eq!(found, error);
        }
    }

    #[test]
    fn every_truncation_says_where_it_ends() {
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
    fn refuses_what_follows_the_map() {
        let mut stream = write(&BTreeMap::new());
        let at = stream.len();
        stream.push(END_BLOCK_DATA);
        assert_eq!(
            read(&stream),
            Err(damaged(at, "1 bytes follow the end of the map"))
        );
    }

    /// A stream of `size` entries, to be filled by hand; handles 0 and 1 are taken.
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
    fn lengths_are_held_against_what_is_there() {
        for size in [-1, 1, i32::MAX] {
            assert_eq!(damage_at(&head(size)), SIZE_AT);
        }
        let mut stream = head(1);
        stream.push(LONG_STRING);
        stream.extend(u64::MAX.to_be_bytes());
        assert_eq!(damage_at(&stream), ENTRIES_AT + 9);
    }

    #[test]
    fn references_must_be_to_what_was_read() {
        // To nothing yet, to below the first, to the class, to the map.
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
            error.ends_with("over 1048576 bytes of repeated text"),
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
            // Each takes the place of the superclass of the one before.
            write_class(&mut stream, Class::Long);
            stream.truncate(stream.len() - superclass.len());
        }
        assert!(matches!(
            read(&stream),
            Err(ContextError::UnknownClass { .. })
        ));
    }

    #[test]
    fn a_key_comes_once() {
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
            // Plain UTF-8 of a supplementary character.
            ("a😀".as_bytes(), 1),
            // A high surrogate alone, and a low one.
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
        fn what_is_written_reads_back(
            map in prop::collection::btree_map(any::<String>(), value(), 0..40),
        ) {
            prop_assert_eq!(read(&write(&map)), Ok(map));
        }

        #[test]
        fn any_bytes_are_refused_without_panic(
            tail in prop::collection::vec(any::<u8>(), 0..200),
            start in 0_usize..120,
        ) {
            let mut stream = bytes(ONE);
            stream.truncate(start);
            stream.extend(tail);
            let _ = read(&stream);
        }

        #[test]
        fn damage_is_survived(
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
                // What still reads is a context like any other.
                prop_assert_eq!(read(&write(&map)), Ok(map));
            }
        }
    }
}
