//! A strict checker of values against JSON Schemas, for the keywords that Wasmill's schemas have. A keyword that it doesn't know is a
//! failure, so that nothing is checked by name only.

use serde_json::{Map, Value};

/// Everything that is wrong with a value, each with its path.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, value, "", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
    let keywords = schema.as_object().expect("a schema is an object");
    let mut fault = |what: String| faults.push(format!("{path}: {what}"));
    for (keyword, of) in keywords {
        let bound = || of.as_f64().expect("a number");
        let length = value.as_array().map(Vec::len).or(value.as_object().map(Map::len)).map(|length| length as f64);
        let right = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "type" => of.as_array().map_or_else(|| is(of, value), |types| types.iter().any(|of| is(of, value))),
            "enum" => of.as_array().expect("a list").contains(value),
            "pattern" => value.as_str().is_none_or(|text| matches(of.as_str().expect("a text"), text)),
            "minimum" => value.as_f64().is_none_or(|number| number >= bound()),
            "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > bound()),
            "maximum" => value.as_f64().is_none_or(|number| number <= bound()),
            "minItems" | "minProperties" => length.is_none_or(|length| length >= bound()),
            "maxItems" => length.is_none_or(|length| length <= bound()),
            "required" => {
                let missing = |key: &&Value| value.is_object() && value.get(key.as_str().expect("a text")).is_none();
                of.as_array().expect("a list").iter().find(missing).is_none()
            }
            "anyOf" => of.as_array().expect("a list").iter().any(|of| {
                let mut within = Vec::new();
                check(root, of, value, path, &mut within);
                within.is_empty()
            }),
            "properties" | "additionalProperties" | "propertyNames" | "items" | "$ref" => true,
            unknown => panic!("the checker doesn't know `{unknown}`"),
        };
        if !right {
            fault(format!("{keyword} is {of}, found {value}"));
        }
    }
    if let Some(name) = keywords.get("$ref") {
        let pointer = name.as_str().and_then(|name| name.strip_prefix('#')).expect("a reference within the schema");
        check(root, root.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")), value, path, faults);
    }
    if let (Some(of), Some(items)) = (keywords.get("items"), value.as_array()) {
        items.iter().enumerate().for_each(|(index, item)| check(root, of, item, &format!("{path}[{index}]"), faults));
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        if let Some(of) = keywords.get("propertyNames") {
            check(root, of, &Value::String(key.clone()), &path, faults);
        }
        match (keywords.get("properties").and_then(|properties| properties.get(key)), keywords.get("additionalProperties")) {
            (Some(of), _) => check(root, of, value, &path, faults),
            (None, Some(Value::Bool(false))) => faults.push(format!("{path}: a key that the schema doesn't have")),
            (None, Some(of)) => check(root, of, value, &path, faults),
            (None, None) => {}
        }
    }
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().expect("a type's name") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        unknown => panic!("no type `{unknown}`"),
    }
}

/// The patterns that Wasmill's schemas have.
fn matches(pattern: &str, text: &str) -> bool {
    let measure = |units: &str| {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        digits > 0 && units.split('|').any(|unit| unit == &text[digits..])
    };
    match pattern {
        "^[a-z][a-z0-9_-]{0,62}$" => {
            text.len() <= 63
                && text.starts_with(|c: char| c.is_ascii_lowercase())
                && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
        }
        "^[0-9]+(ns|us|ms|s|min|h|d)$" => measure("ns|us|ms|s|min|h|d"),
        "^[0-9]+(B|KiB|MiB|GiB|TiB)$" => measure("B|KiB|MiB|GiB|TiB"),
        unknown => panic!("the checker doesn't know the pattern {unknown}"),
    }
}
