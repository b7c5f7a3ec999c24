//! Request bodies: strict JSON. Errors name the invalid field.

use crate::errors::problem::ApiError;
use poem::{FromRequest, Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    error::ContentTypeError,
    payload::{Json, Payload},
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};
use serde::de::DeserializeOwned;

/// The maximum length of a request body, in bytes.
pub(crate) const MAX_BODY: usize = 65_536;
/// The maximum number of characters of a field's name that an error repeats.
const MAX_NAME_CHARS: usize = 64;
/// The maximum number of characters of a reason.
const MAX_REASON_CHARS: usize = 200;

/// A required body.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// A body that may be omitted.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) Option<T>);

impl<'a, T: Type + DeserializeOwned> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(meta::<T>(true))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        check_content_type::<T>(request)?;
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        Ok(Self(parse(&bytes)?))
    }
}

impl<'a, T: Type + DeserializeOwned> ApiExtractor<'a> for OptionalBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(meta::<T>(false))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        check_content_type::<T>(request)?;
        Ok(Self(Some(parse(&bytes)?)))
    }
}

fn meta<T: Type>(required: bool) -> MetaRequest {
    MetaRequest {
        description: None,
        content: vec![MetaMediaType {
            content_type: "application/json",
            schema: T::schema_ref(),
        }],
        required,
    }
}

fn check_content_type<T: Type>(request: &Request) -> Result<(), ContentTypeError> {
    match request.content_type() {
        Some(content_type) if Json::<T>::check_content_type(content_type) => Ok(()),
        Some(content_type) => Err(ContentTypeError::NotSupported {
            content_type: content_type.to_owned(),
        }),
        None => Err(ContentTypeError::ExpectContentType),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // serde would also accept an array of the fields' values, which the document does not allow.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::field("body", "must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        field_error(&path, &message)
    })?;
    reader
        .end()
        .map_err(|error| field_error(".", &error.to_string()))?;
    Ok(value)
}

/// Creates the error of a field. The path of a missing field is empty, so the message names it.
fn field_error(path: &str, message: &str) -> ApiError {
    // The position is redundant beside the field's name.
    let reason = message.split(" at line ").next().unwrap_or(message);
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| reason.strip_prefix(start)?.split('`').next());
    let field = match (path, named) {
        ("." | "?", Some(name)) => name,
        ("." | "?", None) => "body",
        (path, _) => path,
    };
    let field: String = field.chars().take(MAX_NAME_CHARS).collect();
    let reason = reason.replace("expected i64", "expected a whole number");
    let reason: String = reason.chars().take(MAX_REASON_CHARS).collect();
    ApiError::field(field, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Two {
        #[expect(dead_code, reason = "the test only deserializes")]
        text: String,
        #[expect(dead_code, reason = "the test only deserializes")]
        number: i64,
    }

    fn field_of(text: &[u8]) -> String {
        let error = parse::<Two>(text).unwrap_err();
        error.errors[0].field.clone()
    }

    #[test]
    fn the_invalid_field_is_named() {
        assert!(parse::<Two>(br#"{"text":"a","number":1} "#).is_ok());
        for (text, field) in [
            (&br#"{"text":"a"}"#[..], "number"),
            (br#"{"text":1,"number":1}"#, "text"),
            (br#"{"text":"a","number":"1"}"#, "number"),
            (br#"{"text":"a","number":1.5}"#, "number"),
            (br#"{"text":"a","number":99999999999999999999}"#, "number"),
            (br#"{"text":null,"number":1}"#, "text"),
            (br#"{"text":"a","number":1,"more":2}"#, "more"),
            (br#"{"text":"a","number":1,"number":2}"#, "number"),
            (b"", "body"),
            (b"[]", "body"),
            (br#"["a",1]"#, "body"),
            (b"null", "body"),
            (br#"{"text":"a","number":1}{}"#, "body"),
            (b"{\"text\":\"\xff\",\"number\":1}", "text"),
            (br#"{"text":"\ud800","number":1}"#, "text"),
        ] {
            assert_eq!(field_of(text), field, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn depth_and_length_of_repeated_names_are_limited() {
        let deep = [b"{\"text\":".as_slice(), &b"[".repeat(10_000)].concat();
        assert_eq!(field_of(&deep), "text");
        let long = format!(r#"{{"{}":1}}"#, "x".repeat(10_000));
        assert_eq!(field_of(long.as_bytes()).len(), MAX_NAME_CHARS);
    }
}
