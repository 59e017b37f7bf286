//! Aggregates by name: SQL, or a plugin over some columns.

use serde_json::Value as Json;

use crate::graph::Limits;
use crate::place::At;
use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::mapping::Mapping;
use crate::read::{limits, settings};
use crate::written::{AggregateColumn, AggregatePlugin, Computation};

const KEYS: &[&str] = &["plugin", "of", "settings", "limits", "on-poison"];

/// Reads aggregates. `of_job` are the job's limits.
pub fn read(field: &Field<'_>, of_job: Limits, problems: &mut Problems) -> Option<Vec<AggregateColumn>> {
    let columns = Mapping::open(field, "aggregates: a mapping from name to expression", problems)?;
    let column = |(name, value): (At<String>, Field<'_>)| {
        let by = match Mapping::open_if(&value) {
            Some(_) => by_plugin(&value, of_job, problems).map(Computation::Plugin),
            None => value.expression(problems).map(Computation::Sql),
        };
        AggregateColumn { name, by }
    };
    let columns: Vec<AggregateColumn> = columns.entries().map(column).collect();
    if columns.is_empty() {
        problems.error(code::INVALID_VALUE, &field.spot).found_to_be("no columns").expected("at least one column");
        return None;
    }
    Some(columns)
}

fn by_plugin(field: &Field<'_>, of_job: Limits, problems: &mut Problems) -> Option<AggregatePlugin> {
    let keys = Mapping::open(field, "an aggregate by a plugin: { plugin: p, of: [mag] }", problems)?;
    keys.check_keys(KEYS, &[], problems);
    let path = keys.require("plugin", "the path of a plugin: its directory, or a .wasm file", problems);
    let path = path.and_then(|field| field.text("the path of a plugin: its directory, or a .wasm file", problems));
    let of = keys.require("of", "the columns that it is over: [mag]", problems);
    let of = of.and_then(|field| field.texts("a list of columns: [mag]", "the name of a column", problems));
    let settings = match keys.get("settings") {
        Some(field) => settings::read(&field, problems),
        None => Some(Json::Object(serde_json::Map::new())),
    };
    if let Some(field) = keys.get("on-poison") {
        field.word(&[("halt", ())], &["dead-letter", "skip"], problems)?;
    }
    let own = keys.get("limits").map(|field| limits::read(&field, problems)).unwrap_or_default();
    Some(AggregatePlugin { path: path?, of: of?, settings: settings?, limits: limits::or(own, of_job) })
}
