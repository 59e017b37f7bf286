//! A plugin's settings, as the JSON that it is given.

use serde_json::{Map, Number, Value as Json};

use crate::document::{Node, Plain, Value};
use crate::place::Spot;
use crate::problem::{Problems, code};
use crate::read::field::Field;

/// Reads settings. `None` where a number is none that JSON can have.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> Option<Json> {
    json(field.node, &field.spot, problems)
}

fn json(node: &Node, spot: &Spot, problems: &mut Problems) -> Option<Json> {
    match &node.value {
        Value::Scalar(scalar) => match scalar.resolve() {
            Plain::Nothing => Some(Json::Null),
            Plain::Boolean(value) => Some(Json::Bool(value)),
            Plain::Text(text) => Some(Json::String(text.to_owned())),
            Plain::Integer(value) => number(Number::from_i128(value), node, spot, problems),
            Plain::Float(value) => number(Number::from_f64(value), node, spot, problems),
        },
        Value::List(items) => {
            let items = items.iter().enumerate().map(|(index, item)| json(item, &spot.item(index, item.place), problems));
            items.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>().map(Json::Array)
        }
        Value::Mapping(entries) => {
            let entries = entries.iter().map(|entry| {
                let value = json(&entry.value, &spot.key(&entry.key, entry.value.place), problems)?;
                Some((entry.key.clone(), value))
            });
            entries.collect::<Vec<_>>().into_iter().collect::<Option<Map<_, _>>>().map(Json::Object)
        }
        Value::Unknown => None,
    }
}

fn number(number: Option<Number>, node: &Node, spot: &Spot, problems: &mut Problems) -> Option<Json> {
    if number.is_none() {
        let problem = problems.error(code::INVALID_VALUE, spot).found_to_be(node.describe());
        problem.expected("a number that JSON can have: an integer of 64 bits or a finite number").advice("put it in quotes");
    }
    number.map(Json::Number)
}
