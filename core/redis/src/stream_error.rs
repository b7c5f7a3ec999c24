//! Conversion of errors of Redis to errors of the event stream.

use crate::{
    connection::{self, ConnectionError},
    identity::missing_reason,
};
use ::redis::RedisError;
use balance_service::events::stream::StreamError;
use balance_store::events::StreamIdentity;

pub(crate) fn missing(identity: &StreamIdentity) -> StreamError {
    StreamError(missing_reason(identity))
}

pub(crate) fn stream_error(error: RedisError) -> StreamError {
    from_connection(connection::connection_error(error))
}

pub(crate) fn from_connection(error: ConnectionError) -> StreamError {
    match error {
        ConnectionError::Rejected(reason) | ConnectionError::NotWritable(reason) => {
            StreamError(reason.to_owned())
        }
        ConnectionError::Unavailable(reason) => StreamError(reason),
    }
}
