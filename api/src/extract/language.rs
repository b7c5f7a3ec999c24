//! The language of messages to viewers: Korean by default, or English on request.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Korean,
    English,
}

/// The maximum number of languages of a request that are considered.
const MAX_LANGUAGES: usize = 16;

impl Language {
    /// Returns the supported language with the highest quality in an `Accept-Language`.
    pub(crate) fn preferred(header: Option<&str>) -> Self {
        let languages: Vec<&str> = header
            .unwrap_or_default()
            .split(',')
            .take(MAX_LANGUAGES)
            .collect();
        accept_language::parse_with_quality(&languages.join(","))
            .into_iter()
            .filter(|(_, quality)| *quality > 0.0)
            .find_map(
                |(tag, _)| match tag.split('-').next()?.to_ascii_lowercase().as_str() {
                    "en" => Some(Self::English),
                    "ko" => Some(Self::Korean),
                    _ => None,
                },
            )
            .unwrap_or(Self::Korean)
    }

    /// Returns the language tag.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::Korean => "ko",
            Self::English => "en",
        }
    }

    /// Returns the message for a viewer who plays a video from a position in seconds.
    pub(crate) fn playing(self, resume_at_s: i64) -> String {
        match (self, resume_at_s) {
            (Self::Korean, 0) => "동영상을 처음부터 재생합니다.".to_owned(),
            (Self::Korean, at_s) => format!("동영상을 {at_s}초부터 이어서 재생합니다."),
            (Self::English, 0) => "Playing the video from the beginning.".to_owned(),
            (Self::English, at_s) => format!("Resuming the video at {at_s} s."),
        }
    }

    /// Returns the message for a viewer who pauses.
    pub(crate) fn paused(self) -> String {
        match self {
            Self::Korean => "동영상 재생을 중단했습니다.",
            Self::English => "The video is paused.",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_must_be_requested() {
        for (header, language) in [
            (None, Language::Korean),
            (Some(""), Language::Korean),
            (Some("en"), Language::English),
            (Some("en-US,en;q=0.9"), Language::English),
            (Some("EN-gb"), Language::English),
            (Some("ko-KR, en;q=0.8"), Language::Korean),
            (Some("de, en;q=0.8, ko;q=0.5"), Language::English),
            (Some("en;q=0, de"), Language::Korean),
            (Some("*"), Language::Korean),
            (Some(";;q=,,=;q=nan"), Language::Korean),
        ] {
            assert_eq!(Language::preferred(header), language, "{header:?}");
        }
        let many = "x;q=nan,".repeat(1_000);
        assert_eq!(Language::preferred(Some(&many)), Language::Korean);
    }
}
