//! Trace context of a job execution.

/// A `traceparent` of W3C Trace Context, version 00: trace id, span id and flags. The job execution
/// stores it, so that the workers' spans join the trace of the launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(String);

/// Length of the text, in characters.
const LENGTH: usize = 55;

impl TraceParent {
    /// Parses `00-<32 digits>-<16 digits>-<2 digits>`. Digits are hexadecimal and lower case. Returns
    /// `None` for any other text and for an id that is all zeros.
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
        let has_ids = text.len() == LENGTH && is_id(trace, 32) && is_id(span, 16);
        (has_ids && is_hex(flags, 2)).then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the trace id, the span id and the flags, as hexadecimal digits.
    #[must_use]
    pub fn parts(&self) -> (&str, &str, &str) {
        (&self.0[3..35], &self.0[36..52], &self.0[53..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_trace_parents_are_valid() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parent = TraceParent::parse(text).unwrap();
        assert_eq!(parent.as_str(), text);
        let parts = (&text[3..35], "b7ad6b7169203331", "01");
        assert_eq!(parent.parts(), parts);
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
