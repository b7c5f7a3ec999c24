//! Events in the stream: the fields of an entry, and how they read back.
//!
//! | field | of | says |
//! |---|---|---|
//! | `id` | both | the event's id, 32 hexadecimal digits |
//! | `kind` | both | `play` or `pause` |
//! | `user`, `video` | both | their ids |
//! | `counted` | play | `1` where it counts as a view, else `0` |
//! | `from` | pause | where the session stood before, in seconds |
//! | `credited` | pause | seconds that count |
//! | `reported` | pause | seconds that the player reported |
//! | `seal` | a seal alone | the day's end, in milliseconds since 1970 |

use balance_domain::{accounts::UserId, playback::EventId, videos::VideoId};
use balance_store::events::{Content, EventKind, PlaybackEvent};
use std::collections::BTreeMap;

/// The most that one pause can report, in seconds: no video is longer.
const MAX_SECONDS: i64 = balance_domain::videos::MAX_DURATION_S;

/// An event's id as its field.
pub(crate) fn hex(id: EventId) -> String {
    format!("{:032x}", u128::from_be_bytes(id.0))
}

/// Reads an entry's fields. What is not ours is told with its reason.
pub(crate) fn decode(fields: &BTreeMap<String, String>) -> Content {
    if fields.contains_key("seal") {
        return Content::Seal;
    }
    match event(fields) {
        Ok(event) => Content::Event(event),
        Err(reason) => Content::Foreign {
            payload: format!("{fields:?}"),
            reason,
        },
    }
}

fn event(fields: &BTreeMap<String, String>) -> Result<PlaybackEvent, String> {
    let text = |name: &str| {
        fields
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| format!("it has no {name}"))
    };
    let number = |name: &str, least: i64, most: i64| {
        let text = text(name)?;
        match text.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!("{name} is not a number from {least} to {most}")),
        }
    };
    let id = text("id")?;
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = u128::from_str_radix(id, 16)
        .ok()
        .filter(|_| is_id)
        .ok_or("id is not 32 hexadecimal digits")?;
    let what = match text("kind")? {
        "play" => EventKind::Play {
            is_counted: number("counted", 0, 1)? == 1,
        },
        "pause" => EventKind::Pause {
            from_s: number("from", 0, MAX_SECONDS)?,
            credited_s: number("credited", 0, MAX_SECONDS)?,
            reported_s: number("reported", 0, MAX_SECONDS)?,
        },
        _ => return Err("kind is neither play nor pause".to_owned()),
    };
    Ok(PlaybackEvent {
        id: EventId(id.to_be_bytes()),
        user_id: UserId(number("user", 1, i64::MAX)?),
        video_id: VideoId(number("video", 1, i64::MAX)?),
        what,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> BTreeMap<String, String> {
        text.split_whitespace()
            .filter_map(|field| field.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn events_read_back() {
        let id = EventId([0x0f; 16]);
        let play = format!("id={} kind=play user=7 video=9 counted=1", hex(id));
        assert_eq!(
            decode(&fields(&play)),
            Content::Event(PlaybackEvent {
                id,
                user_id: UserId(7),
                video_id: VideoId(9),
                what: EventKind::Play { is_counted: true },
            })
        );
        let pause = format!(
            "id={} kind=pause user=7 video=9 from=10 credited=20 reported=30",
            hex(id)
        );
        let Content::Event(event) = decode(&fields(&pause)) else {
            panic!("an event");
        };
        let pause = EventKind::Pause {
            from_s: 10,
            credited_s: 20,
            reported_s: 30,
        };
        assert_eq!(event.what, pause);
        assert_eq!(decode(&fields("seal=1")), Content::Seal);
    }

    #[test]
    fn what_is_not_ours_is_told_why() {
        let id = "0123456789abcdef0123456789abcdef";
        for (text, reason) in [
            ("", "it has no id"),
            ("id=12", "id is not 32 hexadecimal digits"),
            ("id=+123456789abcdef0123456789abcdef", "id is not 32"),
            (&format!("id={id}"), "it has no kind"),
            (&format!("id={id} kind=stop"), "kind is neither"),
            (
                &format!("id={id} kind=play user=1 video=1"),
                "it has no counted",
            ),
            (
                &format!("id={id} kind=play counted=2 user=1 video=1"),
                "counted is not",
            ),
            (
                &format!("id={id} kind=play counted=1 user=0 video=1"),
                "user is not",
            ),
            (
                &format!("id={id} kind=play counted=1 user=1 video=x"),
                "video is not",
            ),
            (
                &format!("id={id} kind=pause from=0 credited=-1 reported=1 user=1 video=1"),
                "credited is not",
            ),
            (
                &format!("id={id} kind=pause from=0 credited=86401 reported=1 user=1 video=1"),
                "credited is not",
            ),
        ] {
            let Content::Foreign { reason: told, .. } = decode(&fields(text)) else {
                panic!("{text}");
            };
            assert!(told.starts_with(reason), "{text}: {told}");
        }
    }
}
