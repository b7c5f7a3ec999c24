//! The place in a trace that work belongs to.

/// A place in a trace, as W3C's Trace Context writes it (version 00): the trace, the span in it,
/// and whether it is recorded. It travels with a job execution to whoever works it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(String);

/// Its length, in characters.
const LENGTH: usize = 55;

impl TraceParent {
    /// Of its text, if that is one: `00-<32 digits>-<16 digits>-<2 digits>`, hexadecimal and lower
    /// case, neither id nothing but zeros.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let ["00", trace, span, flags] = parts[..] else {
            return None;
        };
        let is_hex = |part: &str, digits: usize| {
            let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            part.len() == digits && part.bytes().all(is_digit)
        };
        let is_id = |part: &str, digits| is_hex(part, digits) && part.bytes().any(|b| b != b'0');
        let is_whole = text.len() == LENGTH && is_id(trace, 32) && is_id(span, 16);
        (is_whole && is_hex(flags, 2)).then(|| Self(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace, the span and the flags, as hexadecimal digits.
    #[must_use]
    pub fn parts(&self) -> (&str, &str, &str) {
        (&self.0[3..35], &self.0[36..52], &self.0[53..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_places_are_taken() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let place = TraceParent::parse(text).unwrap();
        assert_eq!(place.as_str(), text);
        let parts = (&text[3..35], "b7ad6b7169203331", "01");
        assert_eq!(place.parts(), parts);
        for invalid_input in [
            "",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-011",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-1",
        ] {
            assert_eq!(TraceParent::parse(invalid_input), None, "{invalid_input}");
        }
    }
}
