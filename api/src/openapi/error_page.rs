//! The page `/docs/errors`: `docs/errors.md` as HTML, with one anchor per problem code.

use pulldown_cmark::{CowStr, Event, Parser, Tag, TagEnd, html};

const SOURCE: &str = include_str!("../../../docs/errors.md");
const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <title>Balance: errors</title>\n<style>\
    body{font:16px/1.5 sans-serif;max-width:48em;margin:2em auto;padding:0 1em}\
    :target{background:#ffeb99}\
    </style>\n</head>\n<body>\n";
const FOOT: &str = "</body>\n</html>\n";

/// Renders the page.
pub(crate) fn html() -> String {
    let mut events = without_foreign_links(Parser::new(SOURCE));
    add_anchors(&mut events);
    let mut page = HEAD.to_owned();
    html::push_html(&mut page, events.into_iter());
    page.push_str(FOOT);
    page
}

/// Removes links to other documents, which the API does not serve. Their text stays.
fn without_foreign_links<'a>(events: impl Iterator<Item = Event<'a>>) -> Vec<Event<'a>> {
    let mut is_foreign = false;
    events
        .filter(|event| match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                is_foreign = !dest_url.starts_with('#');
                !is_foreign
            }
            Event::End(TagEnd::Link) => !is_foreign,
            _ => true,
        })
        .collect()
}

/// Sets the id of each heading to its text.
fn add_anchors(events: &mut [Event<'_>]) {
    for index in 1..events.len() {
        let (before, rest) = events.split_at_mut(index);
        if let (Some(Event::Start(Tag::Heading { id, .. })), Some(Event::Text(text))) =
            (before.last_mut(), rest.first())
        {
            *id = Some(CowStr::from(text.to_string()));
        }
    }
}
