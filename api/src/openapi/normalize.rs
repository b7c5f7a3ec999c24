//! Normalization of the framework's OpenAPI document: standard formats and media types, and facts
//! that the attributes of `poem-openapi` cannot express.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The prefix of a reference to a schema.
const SCHEMAS: &str = "#/components/schemas/";

/// Parses the framework's document and normalizes it.
pub(crate) fn normalize(text: &str) -> Value {
    // The framework always generates valid JSON.
    let mut document = serde_json::from_str(text).unwrap_or_default();
    normalize_node(&mut document);
    document
}

fn normalize_node(document: &mut Value) {
    normalize_everywhere(document);
    if document["servers"].as_array().is_some_and(Vec::is_empty) {
        document["servers"] =
            json!([{"url": "/", "description": "The server that serves this document."}]);
    }
    for operation in operations(document) {
        for response in operation.get_mut("responses").into_iter().flat_map(values) {
            normalize_content(response);
            normalize_headers(response);
        }
    }
    let request_schemas = request_schemas(document);
    let one_of_schemas = one_of_schemas(document);
    let schemas = document["components"]["schemas"].as_object_mut();
    for (name, schema) in schemas.into_iter().flatten() {
        normalize_object(schema, request_schemas.contains(name));
        if one_of_schemas.contains(name) {
            schema["additionalProperties"] = false.into();
        }
    }
}

fn values(map: &mut Value) -> impl Iterator<Item = &mut Value> {
    let map = map.as_object_mut();
    map.into_iter().flat_map(Map::values_mut)
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    values(&mut document["paths"]).flat_map(values)
}

/// Removes the charset of media types. RFC 8259 and RFC 9457 register JSON without one.
fn normalize_content(response: &mut Value) {
    rename(response, "content", |name| {
        name.split(';').next().map(str::to_owned)
    });
}

/// Writes header names in mixed case. The framework writes them in upper case.
fn normalize_headers(response: &mut Value) {
    rename(response, "headers", |name| {
        let words = name.split('-').map(|word| {
            let (first, rest) = word.split_at_checked(1)?;
            Some(first.to_owned() + &rest.to_ascii_lowercase())
        });
        let words: Vec<String> = words.collect::<Option<_>>()?;
        (!name.contains(|c: char| c.is_ascii_lowercase())).then(|| words.join("-"))
    });
}

/// Renames the keys of a member that is a map, if the response has it.
fn rename(response: &mut Value, map: &str, name: impl Fn(&str) -> Option<String>) {
    let Some(map) = response.get_mut(map).and_then(Value::as_object_mut) else {
        return;
    };
    *map = std::mem::take(map)
        .into_iter()
        .map(|(key, value)| (name(&key).unwrap_or(key), value))
        .collect();
}

/// Returns the names of the schemas that request bodies consist of.
fn request_schemas(document: &mut Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut pending: Vec<Value> = operations(document)
        .map(|operation| operation["requestBody"].clone())
        .collect();
    while let Some(part) = pending.pop() {
        match part {
            Value::Object(map) => pending.extend(map.into_iter().map(|(_, value)| value)),
            Value::Array(items) => pending.extend(items),
            Value::String(text) => {
                let name = text.strip_prefix(SCHEMAS);
                let Some(name) = name.filter(|name| found.insert((*name).to_owned())) else {
                    continue;
                };
                pending.push(document["components"]["schemas"][name].clone());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

/// Returns the names of the alternatives of all `oneOf` schemas. Clients distinguish them by their
/// properties.
fn one_of_schemas(document: &Value) -> BTreeSet<String> {
    let schemas = document["components"]["schemas"].as_object();
    let all = schemas.into_iter().flat_map(Map::values);
    all.filter_map(|schema| schema["oneOf"].as_array())
        .flatten()
        .filter_map(|one| one["$ref"].as_str()?.strip_prefix(SCHEMAS))
        .map(ToOwned::to_owned)
        .collect()
}

/// Corrects `nullable`, `required` and `additionalProperties` of an object.
///
/// A property that is not required and has no default can be null, and a response always has it. A
/// property whose default is null is omitted instead. Requests allow no unknown properties.
fn normalize_object(schema: &mut Value, is_in_request: bool) {
    if schema["type"] != "object" {
        return;
    }
    let mut required: Vec<Value> = Vec::new();
    let named: BTreeSet<String> = strings(&schema["required"]);
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        let is_named = named.contains(name);
        let has_default = property.get("default").is_some();
        if !is_named && !has_default {
            normalize_nullable(property);
        }
        if is_named || (!is_in_request && !has_default) {
            required.push(name.as_str().into());
        }
        normalize_default(property);
    }
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    if is_in_request {
        schema["additionalProperties"] = false.into();
    }
}

fn strings(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str)
        .map(ToOwned::to_owned)
        .collect()
}

/// Marks a property as nullable. A reference is wrapped, because its siblings are ignored.
fn normalize_nullable(property: &mut Value) {
    if let Some(reference) = property.get("$ref").cloned() {
        *property = json!({"allOf": [{"$ref": reference}]});
    }
    property["nullable"] = true.into();
}

/// Removes a default of null, which is not a valid value of the property.
fn normalize_default(property: &mut Value) {
    let null = property.get("default").is_some_and(Value::is_null);
    if let Some(property) = property.as_object_mut().filter(|_| null) {
        property.remove("default");
    }
}

/// Removes the second copy of a reference's keywords, which generators take for another schema.
fn remove_repetition(map: &mut Map<String, Value>) {
    let Some(Value::Array(all)) = map.get("allOf") else {
        return;
    };
    let [reference, repeated] = all.as_slice() else {
        return;
    };
    let is_repeated = repeated.as_object().is_some_and(|repeated| {
        let mut keywords = repeated.iter();
        keywords.all(|(keyword, value)| map.get(keyword) == Some(value))
    });
    if is_repeated {
        let once = vec![reference.clone()];
        map.insert("allOf".to_owned(), once.into());
    }
}

/// Replaces the framework's own formats and removes repeated keywords, at all depths.
fn normalize_everywhere(part: &mut Value) {
    match part {
        Value::Object(map) => {
            remove_repetition(map);
            let integer = match map.get("format").and_then(Value::as_str) {
                Some("naive-date") => {
                    map.insert("format".to_owned(), "date".into());
                    None
                }
                Some("uint8" | "uint16") => Some("int32"),
                Some("uint32" | "uint64") => Some("int64"),
                _ => None,
            };
            if let Some(format) = integer {
                map.insert("format".to_owned(), format.into());
                map.entry("minimum").or_insert_with(|| 0.into());
            }
            map.values_mut().for_each(normalize_everywhere);
        }
        Value::Array(items) => items.iter_mut().for_each(normalize_everywhere),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framework_documents_are_normalized() {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let mut document = json!({
            "servers": [],
            "paths": {"/a": {"post": {
                "requestBody": {"content": {"application/json": {"schema": reference("Outer")}}},
                "responses": {"200": {
                    "content": {"application/json; charset=utf-8": {"schema": reference("Answer")}},
                    "headers": {"SET-COOKIE": {}, "WWW-Authenticate": {}},
                }},
            }}},
            "components": {"schemas": {
                "Outer": {"type": "object", "required": ["inner"], "properties": {
                    "inner": reference("Inner"),
                }},
                "Inner": {"type": "object", "properties": {
                    "day": {"type": "string", "format": "naive-date"},
                }},
                "Either": {"type": "object", "oneOf": [reference("Answer")]},
                "Answer": {"type": "object", "required": ["count"], "properties": {
                    "count": {"type": "integer", "format": "uint64"},
                    "note": {"allOf": [reference("Inner"), {"description": "x"}], "description": "x"},
                    "list": {"type": "array", "default": []},
                    "left": {"type": "string", "default": null},
                    "other": reference("Inner"),
                }},
            }},
        });
        normalize_node(&mut document);
        assert_eq!(
            document["paths"]["/a"]["post"]["responses"]["200"],
            json!({
                "content": {"application/json": {"schema": reference("Answer")}},
                "headers": {"Set-Cookie": {}, "WWW-Authenticate": {}},
            })
        );
        assert_eq!(
            document["components"]["schemas"],
            json!({
                "Outer": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["inner"],
                    "properties": {"inner": reference("Inner")},
                },
                "Inner": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {"day": {"type": "string", "format": "date", "nullable": true}},
                },
                "Either": {"type": "object", "oneOf": [reference("Answer")]},
                "Answer": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["count", "note", "other"],
                    "properties": {
                        "count": {"type": "integer", "format": "int64", "minimum": 0},
                        "note": {
                            "allOf": [reference("Inner")],
                            "description": "x",
                            "nullable": true,
                        },
                        "list": {"type": "array", "default": []},
                        "left": {"type": "string"},
                        "other": {"allOf": [reference("Inner")], "nullable": true},
                    },
                },
            })
        );
    }
}
