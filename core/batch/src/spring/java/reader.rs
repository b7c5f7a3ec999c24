//! Reads the stream of a HashMap as real Java writes it: back-references included.

use crate::spring::{
    context::{ContextError, ContextValue},
    java::{
        ARRAY, BLOCK_DATA, CLASS_DESCRIPTION, Class, END_BLOCK_DATA, ENUM, FIRST_HANDLE,
        LONG_STRING, MAP_BLOCK_BYTES, MAX_REPEATED_BYTES, MIN_ENTRY_BYTES, NULL, OBJECT, REFERENCE,
        STREAM_HEAD, STRING, utf::from_modified_utf8,
    },
};
use std::collections::BTreeMap;

/// Reads the stream of a `HashMap` of Strings, Longs and Integers.
///
/// # Errors
/// [`ContextError`], with the byte of the fault, for everything else.
pub(crate) fn read(stream: &[u8]) -> Result<BTreeMap<String, ContextValue>, ContextError> {
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
