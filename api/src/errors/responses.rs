//! What an operation's refusals are called in the document.

use crate::errors::problem::{ApiError, PROBLEM_JSON, Problem};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use std::{collections::BTreeSet, marker::PhantomData};

/// The statuses with which an operation refuses, besides those that every one may answer.
pub(crate) trait ErrorResponses: Send + Sync + 'static {
    /// Which.
    const STATUSES: &'static [u16];
}

/// Names sets of refusals.
macro_rules! responses {
    ($($(#[$doc:meta])* $name:ident: $($status:literal)*;)+) => {
        $($(#[$doc])*
        #[derive(Debug)]
        pub(crate) enum $name {}

        impl $crate::errors::responses::ErrorResponses for $name {
            const STATUSES: &'static [u16] = &[$($status),*];
        })+
    };
}
pub(crate) use responses;

/// What every operation may answer: an unreadable header, a body beyond the limit, the server's own
/// fault, and a server that is busy or away.
const ALWAYS: [u16; 4] = [400, 413, 500, 503];

/// A fault of an operation that refuses in these ways.
#[derive(Debug)]
pub(crate) struct ErrorResponse<R> {
    error: Box<ApiError>,
    responses: PhantomData<fn() -> R>,
}

impl<R, E> From<E> for ErrorResponse<R>
where
    ApiError: From<E>,
{
    fn from(error: E) -> Self {
        Self {
            error: Box::new(error.into()),
            responses: PhantomData,
        }
    }
}

impl<R> From<ErrorResponse<R>> for poem::Error {
    fn from(failure: ErrorResponse<R>) -> Self {
        (*failure.error).into()
    }
}

impl<R: ErrorResponses> ApiResponse for ErrorResponse<R> {
    fn meta() -> MetaResponses {
        let statuses: BTreeSet<u16> = R::STATUSES.iter().chain(&ALWAYS).copied().collect();
        MetaResponses {
            responses: statuses.into_iter().map(error_response).collect(),
        }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

fn error_response(status: u16) -> MetaResponse {
    MetaResponse {
        description: description(status),
        status: Some(status),
        status_range: None,
        content: vec![MetaMediaType {
            content_type: PROBLEM_JSON,
            schema: Problem::schema_ref(),
        }],
        headers: match status {
            401 => vec![header::<String>(
                "WWW-Authenticate",
                "What to authenticate with.",
            )],
            429 | 503 => vec![header::<u64>(
                "Retry-After",
                "When to try again, in seconds.",
            )],
            _ => Vec::new(),
        },
    }
}

fn header<T: Type>(name: &str, description: &str) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: true,
        deprecated: false,
        schema: T::schema_ref(),
    }
}

const fn description(status: u16) -> &'static str {
    match status {
        400 => "A parameter, a header or the body is not valid; `errors` names it.",
        401 => "Nobody, or nobody known, asks.",
        403 => "Whoever asks may not do this.",
        404 => "There is no such thing.",
        409 => "It is not in the state for this.",
        413 => "The body is too large.",
        415 => "The body is of another media type.",
        422 => "The request can be read, and asks for what cannot be.",
        429 => "Too much in too short a time.",
        503 => "The server is busy, or a store is away; nothing was acknowledged.",
        _ => "A fault of the server; `requestId` leads to its cause in the log.",
    }
}
