//! Modified UTF-8, the text encoding of Java's streams.

/// Encodes text as Java's `writeUTF` does: NUL takes two bytes, each surrogate of a pair three.
pub(super) fn to_modified_utf8(text: &str) -> Vec<u8> {
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

/// Decodes text as Java's `readUTF` does, which accepts overlong forms.
///
/// # Errors
/// Returns the number of bytes before the first invalid one.
pub(super) fn from_modified_utf8(bytes: &[u8]) -> Result<String, usize> {
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
    // Java's Strings allow an unpaired surrogate; Rust's do not.
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
