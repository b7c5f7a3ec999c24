//! Constants of the stream format and the supported classes.

use crate::spring::MAX_BASE64_BYTES;

pub(super) const STREAM_HEAD: [u8; 4] = [0xac, 0xed, 0x00, 0x05];

// Type codes, section 6.4.2 of the specification.
pub(super) const NULL: u8 = 0x70;
pub(super) const REFERENCE: u8 = 0x71;
pub(super) const CLASS_DESCRIPTION: u8 = 0x72;
pub(super) const OBJECT: u8 = 0x73;
pub(super) const STRING: u8 = 0x74;
pub(super) const ARRAY: u8 = 0x75;
pub(super) const BLOCK_DATA: u8 = 0x77;
pub(super) const END_BLOCK_DATA: u8 = 0x78;
pub(super) const LONG_STRING: u8 = 0x7c;
pub(super) const ENUM: u8 = 0x7e;

/// The number of the first handle.
pub(super) const FIRST_HANDLE: u32 = 0x7e_0000;

/// `HashMap.DEFAULT_LOAD_FACTOR`, 0.75.
pub(super) const LOAD_FACTOR: f32 = 0.75;
/// Length of a HashMap's block data, in bytes: its capacity and its size.
pub(super) const MAP_BLOCK_BYTES: u8 = 8;
/// Minimum length of an entry, in bytes: two empty strings.
pub(super) const MIN_ENTRY_BYTES: usize = 6;
/// Maximum number of bytes of text that back-references may repeat. Without it, a small stream could
/// require gigabytes of memory.
pub(super) const MAX_REPEATED_BYTES: usize = MAX_BASE64_BYTES;

/// A supported class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    HashMap,
    Integer,
    Long,
    Number,
}

impl Class {
    pub(super) const ALL: [Self; 4] = [Self::HashMap, Self::Integer, Self::Long, Self::Number];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::HashMap => "java.util.HashMap",
            Self::Integer => "java.lang.Integer",
            Self::Long => "java.lang.Long",
            Self::Number => "java.lang.Number",
        }
    }

    /// Returns the class description after the name and before the superclass: serialVersionUID,
    /// flags (02 serializable, 01 has a `writeObject`), fields, no annotations.
    pub(super) fn body(self) -> &'static [u8] {
        match self {
            Self::HashMap => {
                b"\x05\x07\xda\xc1\xc3\x16\x60\xd1\x03\x00\x02F\x00\x0aloadFactorI\x00\x09threshold\x78"
            }
            Self::Integer => b"\x12\xe2\xa0\xa4\xf7\x81\x87\x38\x02\x00\x01I\x00\x05value\x78",
            Self::Long => b"\x3b\x8b\xe4\x90\xcc\x8f\x23\xdf\x02\x00\x01J\x00\x05value\x78",
            Self::Number => b"\x86\xac\x95\x1d\x0b\x94\xe0\x8b\x02\x00\x00\x78",
        }
    }

    pub(super) fn parent(self) -> Option<Self> {
        match self {
            Self::Integer | Self::Long => Some(Self::Number),
            Self::HashMap | Self::Number => None,
        }
    }
}
