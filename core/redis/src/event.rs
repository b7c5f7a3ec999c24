//! Fields of the events in the stream.
//!
//! | field | entry | content |
//! |---|---|---|
//! | `id` | play, pause | event id, 32 hexadecimal digits |
//! | `kind` | play, pause | `play` or `pause` |
//! | `user`, `video` | play, pause | user id and video id |
//! | `counted` | play, pause | `1` if the view of the session counts from this event on; `0`, or absent from a pause, otherwise |
//! | `owner`, `length` | play | the video's owner and its length in seconds, for restores |
//! | `from` | pause | position of the session before the pause, in seconds |
//! | `credited` | pause | seconds that count |
//! | `reported` | pause | seconds that the player reported |
//! | `ads` | pause | the ads that were shown, such as `300:1,600:4`: the second of the slot, the ad id |
//! | `rules` | play, pause | version of the rules that decided |
//! | `new` | play, pause | `1` if the viewer's account was younger than seven days, otherwise `0` |
//! | `seal` | seal | end of the day, in milliseconds since 1970; the only field |
//!
//! Entries of earlier versions lack `ads`, `rules` or `new`. `new` is empty or absent if it is unknown.

use balance_domain::{
    accounts::UserId,
    playback::EventId,
    videos::{AdId, AdSlot, MAX_DURATION_S, VideoId},
};
use balance_service::events::stream::SeenIds;
use balance_store::{
    events::{Content, EventKind, PlaybackEvent, ShownAds},
    playback::VideoFacts,
};
use std::collections::BTreeMap;

/// Formats an event id as its field.
pub(crate) fn hex(id: EventId) -> String {
    format!("{:032x}", u128::from_be_bytes(id.0))
}

/// Decodes the fields of an entry. An entry that is neither an event nor a seal is returned with the
/// reason.
pub(crate) fn decode(fields: &BTreeMap<String, String>) -> Content {
    if fields.contains_key("seal") {
        return Content::Seal;
    }
    match decode_event(fields) {
        Ok(event) => Content::Event(event),
        Err(reason) => Content::Invalid {
            payload: format!("{fields:?}"),
            reason,
        },
    }
}

/// Decodes what an entry states about a user, a video and ads. A pause, and a play of an older version, lack
/// the facts about the video.
pub(crate) fn seen(fields: &BTreeMap<String, String>) -> Option<SeenIds> {
    let number = |name: &str| fields.get(name)?.parse::<i64>().ok();
    let id = VideoId(number("video")?);
    let facts = || {
        Some(VideoFacts {
            id,
            owner_id: UserId(number("owner").filter(|owner| *owner > 0)?),
            duration_s: number("length").filter(|s| (1..=MAX_DURATION_S).contains(s))?,
        })
    };
    let slots = fields.get("ads").and_then(|ads| ad_slots(ads).ok());
    let slots = slots.unwrap_or_default();
    Some(SeenIds {
        user_id: UserId(number("user")?),
        video_id: id,
        video: facts(),
        ads: slots.into_iter().map(|slot| slot.ad_id).collect(),
    })
}

fn decode_event(fields: &BTreeMap<String, String>) -> Result<PlaybackEvent, String> {
    let text = |name: &str| {
        fields
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| format!("field {name} is missing"))
    };
    let number = |name: &str, min: i64, max: i64| {
        let text = text(name)?;
        match text.parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(format!("field {name} is not a number from {min} to {max}")),
        }
    };
    let id = text("id")?;
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = u128::from_str_radix(id, 16)
        .ok()
        .filter(|_| is_id)
        .ok_or("field id is not 32 hexadecimal digits")?;
    let kind = match text("kind")? {
        "play" => EventKind::Play {
            is_counted: number("counted", 0, 1)? == 1,
        },
        "pause" => EventKind::Pause {
            from_s: number("from", 0, MAX_DURATION_S)?,
            credited_s: number("credited", 0, MAX_DURATION_S)?,
            reported_s: number("reported", 0, MAX_DURATION_S)?,
            ads: match fields.get("ads") {
                Some(ads) => ShownAds::Decided(ad_slots(ads)?),
                None => ShownAds::Undecided,
            },
            is_counted: fields.contains_key("counted") && number("counted", 0, 1)? == 1,
        },
        _ => return Err("field kind is neither play nor pause".to_owned()),
    };
    let rules_version = match fields.get("rules") {
        Some(_) => number("rules", 1, i64::from(u32::MAX))?,
        None => 0,
    };
    let is_new_account = match fields.get("new").map(String::as_str) {
        None | Some("") => None,
        Some(_) => Some(number("new", 0, 1)? == 1),
    };
    Ok(PlaybackEvent {
        is_new_account,
        rules_version: u32::try_from(rules_version).unwrap_or(u32::MAX),
        id: EventId(id.to_be_bytes()),
        user_id: UserId(number("user", 1, i64::MAX)?),
        video_id: VideoId(number("video", 1, i64::MAX)?),
        kind,
    })
}

/// Parses the field `ads`. A slot lies within the longest video, so that there are at most as many
/// slots as it has seconds.
fn ad_slots(text: &str) -> Result<Vec<AdSlot>, String> {
    let slot = |text: &str| {
        let (slot_s, ad_id) = text.split_once(':')?;
        let slot_s = slot_s.parse().ok()?;
        let ad_id = ad_id.parse().ok().filter(|id| *id > 0)?;
        let ad_id = AdId(ad_id);
        (1..=MAX_DURATION_S)
            .contains(&slot_s)
            .then_some(AdSlot { slot_s, ad_id })
    };
    let slots: Option<Vec<AdSlot>> = match text {
        "" => Some(Vec::new()),
        _ => text.split(',').map(slot).collect(),
    };
    let slots = slots.ok_or("field ads is not a list of slots and ads, such as 300:1,600:4")?;
    let is_ordered = slots.is_sorted_by(|one, next| one.slot_s < next.slot_s);
    if !is_ordered {
        return Err("field ads is not in the order of slots".to_owned());
    }
    Ok(slots)
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
    fn events_round_trip() {
        let id = EventId([0x0f; 16]);
        let play = format!(
            "id={} kind=play user=7 video=9 counted=1 rules=3 new=1",
            hex(id)
        );
        assert_eq!(
            decode(&fields(&play)),
            Content::Event(PlaybackEvent {
                id,
                user_id: UserId(7),
                video_id: VideoId(9),
                rules_version: 3,
                is_new_account: Some(true),
                kind: EventKind::Play { is_counted: true },
            })
        );
        let pause = format!(
            "id={} kind=pause user=7 video=9 from=10 credited=20 reported=30",
            hex(id)
        );
        let decoded = |pause: &str| match decode(&fields(pause)) {
            Content::Event(event) => (event.rules_version, event.kind),
            content => panic!("{content:?}"),
        };
        let kind = |ads| EventKind::Pause {
            from_s: 10,
            credited_s: 20,
            reported_s: 30,
            ads,
            is_counted: false,
        };
        assert_eq!(decoded(&pause), (0, kind(ShownAds::Undecided)), "earlier");
        let counted = format!("{pause} counted=1");
        assert!(matches!(
            decoded(&counted).1,
            EventKind::Pause {
                is_counted: true,
                ..
            }
        ));
        let none = format!("{pause} ads= rules=4294967295");
        let nothing = kind(ShownAds::Decided(Vec::new()));
        assert_eq!(decoded(&none), (u32::MAX, nothing));
        let slots = [(12, 5), (24, 1)].map(|(slot_s, id)| AdSlot {
            slot_s,
            ad_id: AdId(id),
        });
        let two = format!("{pause} ads=12:5,24:1 rules=1");
        assert_eq!(decoded(&two), (1, kind(ShownAds::Decided(slots.to_vec()))));
        assert_eq!(decode(&fields("seal=1")), Content::Seal);
    }

    #[test]
    fn invalid_entries_are_returned_with_the_reason() {
        let id = "0123456789abcdef0123456789abcdef";
        let pause = |more: &str| {
            format!("id={id} kind=pause from=0 credited=1 reported=1 user=1 video=1 {more}")
        };
        for (text, reason) in [
            ("", "field id is missing"),
            ("id=12", "field id is not 32 hexadecimal digits"),
            ("id=+123456789abcdef0123456789abcdef", "field id is not 32"),
            (&format!("id={id}"), "field kind is missing"),
            (&format!("id={id} kind=stop"), "field kind is neither"),
            (
                &format!("id={id} kind=play user=1 video=1"),
                "field counted is missing",
            ),
            (
                &format!("id={id} kind=play counted=2 user=1 video=1"),
                "field counted is not",
            ),
            (
                &format!("id={id} kind=play counted=1 user=0 video=1"),
                "field user is not",
            ),
            (
                &format!("id={id} kind=play counted=1 user=1 video=x"),
                "field video is not",
            ),
            (
                &format!("id={id} kind=pause from=0 credited=-1 reported=1 user=1 video=1"),
                "field credited is not",
            ),
            (
                &format!("id={id} kind=pause from=0 credited=86401 reported=1 user=1 video=1"),
                "field credited is not",
            ),
            (&pause("ads=300"), "field ads is not a list"),
            (&pause("ads=300:0"), "field ads is not a list"),
            (&pause("ads=0:1"), "field ads is not a list"),
            (&pause("ads=86401:1"), "field ads is not a list"),
            (&pause("ads=300:1,"), "field ads is not a list"),
            (&pause("ads=300:1,300:2"), "field ads is not in the order"),
            (&pause("ads= rules=0"), "field rules is not a number"),
            (&pause("ads= rules=1 new=2"), "field new is not a number"),
        ] {
            let Content::Invalid { reason: actual, .. } = decode(&fields(text)) else {
                panic!("{text}");
            };
            assert!(actual.starts_with(reason), "{text}: {actual}");
        }
    }
}
