//! The language of messages to people: Korean, or English for those who ask for it.

/// A language that messages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Korean,
    English,
}

/// Languages of a request that are looked at.
const MAX_ASKED: usize = 16;

impl Language {
    /// The one that an `Accept-Language` likes best.
    pub(crate) fn asked(header: Option<&str>) -> Self {
        let asked: Vec<&str> = header
            .unwrap_or_default()
            .split(',')
            .take(MAX_ASKED)
            .collect();
        accept_language::parse_with_quality(&asked.join(","))
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

    /// Its tag.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::Korean => "ko",
            Self::English => "en",
        }
    }

    /// What somebody reads who plays a video from so many seconds.
    pub(crate) fn playing(self, resume_at_s: i64) -> String {
        match (self, resume_at_s) {
            (Self::Korean, 0) => "동영상을 처음부터 재생합니다.".to_owned(),
            (Self::Korean, at_s) => format!("동영상을 {at_s}초부터 이어서 재생합니다."),
            (Self::English, 0) => "Playing the video from the beginning.".to_owned(),
            (Self::English, at_s) => format!("Resuming the video at {at_s} s."),
        }
    }

    /// What somebody reads who pauses.
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
    fn english_is_for_those_who_ask_for_it() {
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
            assert_eq!(Language::asked(header), language, "{header:?}");
        }
        let many = "x;q=nan,".repeat(1_000);
        assert_eq!(Language::asked(Some(&many)), Language::Korean);
    }
}
