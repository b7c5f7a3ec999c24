//! Reader of the stream of a HashMap, including the back-references that Java writes.

use crate::spring::{
    ContextError, ContextValue,
    java::{
        format::{
            ARRAY, BLOCK_DATA, CLASS_DESCRIPTION, Class, END_BLOCK_DATA, ENUM, FIRST_HANDLE,
            LONG_STRING, MAP_BLOCK_BYTES, MAX_REPEATED_BYTES, MIN_ENTRY_BYTES, NULL, OBJECT,
            REFERENCE, STREAM_HEAD, STRING,
        },
        utf::from_modified_utf8,
    },
};
use std::collections::BTreeMap;

/// Reads the stream of a `HashMap` of Strings, Longs and Integers.
///
/// # Errors
/// Returns [`ContextError`] with the byte position for any other stream.
pub(crate) fn read(stream: &[u8]) -> Result<BTreeMap<String, ContextValue>, ContextError> {
    let mut reader = Reader {
        stream,
        rest: stream,
        handles: Vec::new(),
        repeated: 0,
    };
    reader.expect(&STREAM_HEAD, "the header of a Java stream")?;
    let map = reader.map()?;
    match reader.rest.len() {
        0 => Ok(map),
        bytes => Err(reader.damaged(format!("{bytes} bytes follow the end of the map"))),
    }
}

/// The target of a back-reference. The n-th object or class of the stream has handle n.
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
    /// Bytes of text repeated by back-references so far.
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
            return Err(damaged(at, format!("invalid load factor {load_factor}")));
        }
        // Java ignores the threshold, and the capacity below, when it reads a map.
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
                damaged(at, format!("{size} entries in {left} remaining bytes"))
            })?;

        let mut map = BTreeMap::new();
        for _ in 0..size {
            let at = self.at();
            let ContextValue::Text(key) = self.value()? else {
                return Err(damaged(at, "the key is not a string"));
            };
            if map.contains_key(&key) {
                return Err(damaged(at, "duplicate key"));
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
                // The class is read only to name it in the error.
                self.class(&[], WANTED)?;
                return Err(damaged(at, "array or enum"));
            }
            _ => {
                let what = format!("type code 0x{code:02x}, expected a value");
                return Err(damaged(at, what));
            }
        };
        self.handles.push(Handle::Value(value.clone()));
        Ok(value)
    }

    /// Reads a back-reference to an earlier String or boxed number.
    fn repeated_value(&mut self) -> Result<ContextValue, ContextError> {
        let at = self.at();
        let value = match self.handle()? {
            Handle::Value(value) => value.clone(),
            Handle::Map => return Err(damaged(at, "the map contains itself")),
            Handle::Class(_) => {
                return Err(damaged(at, "reference to a class, expected a value"));
            }
        };
        if let ContextValue::Text(text) = &value {
            self.repeated += text.len();
            if self.repeated > MAX_REPEATED_BYTES {
                let what = format!("more than {MAX_REPEATED_BYTES} bytes of repeated text");
                return Err(damaged(at, what));
            }
        }
        Ok(value)
    }

    /// Reads a class description or a reference to one. A class that is not in `accepted` is rejected
    /// before its superclass is read, which bounds the nesting of damaged streams.
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
                self.expect(class.body(), "the JDK's description of this class")?;
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
                    _ => Err(damaged(at, "reference to a value, expected a class")),
                }
            }
            _ => {
                let what = format!("type code 0x{code:02x}, expected a class");
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
            .ok_or_else(|| damaged(at, format!("reference to unknown handle 0x{number:x}")))
    }

    fn text(&mut self, length: u64) -> Result<String, ContextError> {
        let at = self.at();
        let bytes = self.take(length)?;
        from_modified_utf8(bytes)
            .map_err(|before| damaged(at + before, "invalid modified UTF-8 or unpaired surrogate"))
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
                Err(damaged(self.at() + same, format!("expected {what}")))
            }
        }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ContextError> {
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length));
        let Some((bytes, rest)) = split else {
            let left = self.rest.len();
            return Err(self.damaged(format!("expected {length} bytes, {left} remain")));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ContextError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            let left = self.rest.len();
            return Err(self.damaged(format!("expected {N} bytes, {left} remain")));
        };
        self.rest = rest;
        Ok(*bytes)
    }

    /// Returns the number of bytes read so far.
    fn at(&self) -> usize {
        self.stream.len() - self.rest.len()
    }

    fn damaged(&self, what: impl Into<String>) -> ContextError {
        damaged(self.at(), what)
    }
}

pub(super) fn damaged(at: usize, what: impl Into<String>) -> ContextError {
    ContextError::Damaged {
        at,
        what: what.into(),
    }
}

pub(super) fn unknown_class(at: usize, class: &str, wanted: &'static str) -> ContextError {
    ContextError::UnknownClass {
        at,
        class: class.chars().take(200).collect(),
        wanted,
    }
}
