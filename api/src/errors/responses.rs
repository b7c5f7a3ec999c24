//! The error responses of operations in the OpenAPI document.

use crate::errors::problem::{ApiError, PROBLEM_JSON, Problem};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use std::{collections::BTreeSet, marker::PhantomData};

/// The error statuses of an operation, besides those of every operation.
pub(crate) trait ErrorResponses: Send + Sync + 'static {
    const STATUSES: &'static [u16];
}

/// Defines types that implement `ErrorResponses`.
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

/// The error statuses of every operation: an invalid header, a body over the limit, a defect, and
/// an overloaded or unavailable server.
const ALWAYS: [u16; 4] = [400, 413, 500, 503];

/// The error of an operation with the error responses `R`.
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
    fn from(response: ErrorResponse<R>) -> Self {
        (*response.error).into()
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
                "The authentication scheme.",
            )],
            429 | 503 => vec![header::<u64>(
                "Retry-After",
                "The seconds after which to retry.",
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
        400 => "A parameter, a header or the body is invalid; `errors` names it.",
        401 => "The credentials are missing, invalid or expired.",
        403 => "The user is not allowed to do this.",
        404 => "The resource does not exist.",
        409 => "The state of the resource does not allow the operation.",
        413 => "The body is too large.",
        415 => "The media type of the body is not supported.",
        422 => "The request is well formed but not acceptable.",
        429 => "A view was repeated within the view window, or a limit was exceeded.",
        503 => "The server is overloaded, or the database or the intake is unavailable.",
        _ => "The server failed; the log has the cause under the `requestId`.",
    }
}
