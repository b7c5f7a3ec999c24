//! The event stream of an execution. The document describes a single event, because OpenAPI 3.0 has
//! no schema for streams.

use crate::jobs::progress::{self, ProgressView};
use futures_util::{Stream, StreamExt, stream::BoxStream};
use poem::{IntoResponse, Response};
use poem_openapi::{
    Enum, Object,
    payload::{EventStream, Payload},
    registry::{MetaSchemaRef, Registry},
    types::{Example, ToJSON, Type},
};
use std::time::Duration;

/// The interval of keep-alive comments on an idle stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum JobEventKind {
    Progress,
    Ended,
}

/// The fields of a server-sent event.
#[derive(Debug, Object)]
#[oai(example)]
struct JobEvent {
    /// `progress` after each change, `ended` at the end.
    event: JobEventKind,
    /// The same as `event`. A client sends it as `Last-Event-ID` when it reconnects.
    id: JobEventKind,
    /// A JobProgress as JSON on one line.
    data: String,
}

impl Example for JobEvent {
    fn example() -> Self {
        Self {
            event: JobEventKind::Progress,
            id: JobEventKind::Progress,
            data: ProgressView::example().to_json_string(),
        }
    }
}

/// The events of an execution.
pub(crate) struct Events(EventStream<BoxStream<'static, ProgressView>>);

impl Events {
    pub(crate) fn of(events: impl Stream<Item = ProgressView> + Send + 'static) -> Self {
        let events = EventStream::new(events.boxed());
        Self(events.to_event(progress::event).keep_alive(KEEP_ALIVE))
    }
}

impl Payload for Events {
    const CONTENT_TYPE: &'static str = "text/event-stream";

    fn schema_ref() -> MetaSchemaRef {
        JobEvent::schema_ref()
    }

    fn register(registry: &mut Registry) {
        JobEvent::register(registry);
        ProgressView::register(registry);
    }
}

impl IntoResponse for Events {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}
