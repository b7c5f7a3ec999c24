//! The Java serialisation of a `HashMap<String, Object>` of Strings and numbers.
//!
//! Source: "Java Object Serialization Specification", chapter 6, and the `writeObject` methods of
//! the JDK's `HashMap`, `Long` and `Integer`. What is written repeats every class description in
//! full, which Java accepts. What is read may hold Java's back-references.

mod reader;

mod utf;

mod writer;

#[cfg(test)]
mod tests;

use crate::spring::context::MAX_BASE64_BYTES;

pub(super) use reader::read;
pub(super) use writer::write;

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
