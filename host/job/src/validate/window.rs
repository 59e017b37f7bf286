//! What a window makes of an aggregate: its bounds among the columns, and an output for rows that come too late.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use wasmill_flow::column_type::TIMESTAMP;

use crate::catalog::WindowDeclared;
use crate::graph::{LATE_PORT, MAIN_PORT, Plugin, Port, Results, Verb, Window};
use crate::place::At;
use crate::problem::{Problems, code};
use crate::validate::operator::{Outcome, refused};
use crate::validate::{Given, paths};
use crate::written::{self, AggregateColumn};

/// The column that says what a result is to those before it.
const CHANGE: &str = "change";
/// The columns that say when a window begins and ends.
const BOUNDS: [&str; 2] = ["window_start", "window_end"];

/// Complains about a window over rows that have no event time.
pub fn check_timed(timed: bool, window: &At<Window>, problems: &mut Problems) -> Option<()> {
    if !timed {
        let problem = problems.error(code::NO_EVENT_TIME, &window.spot);
        problem
            .found_to_be("a window over rows without event time")
            .expected("sources that say what time it was")
            .advice("add to each source before it: event-time: { field: COLUMN, max-out-of-orderness: 10s }; or to the window: time: processing");
    }
    timed.then_some(())
}

/// A window function, asked what it makes of the rows. Where nobody reads its late rows only the columns are needed that it needs itself.
pub fn of_plugin(
    verb: &written::Verb,
    window: &At<Window>,
    late_is_read: bool,
    input: &SchemaRef,
    key_by: Option<&[usize]>,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<Outcome> {
    let written::Verb::Plugin { path: written, settings, on_poison, limits, .. } = verb else { return None };
    if window.value.results == Results::Retracting {
        let problem = problems.error(code::NOT_IN_THIS_VERSION, &window.spot).found("retracting");
        problem
            .expected("`accumulating`, or an `aggregate`")
            .advice("a window function gives any number of rows, and which of them take the place of which isn't known");
        return None;
    }
    let path = paths::local(written, given.dir, problems)?;
    let WindowDeclared { gives, reads } = match given.catalog.window_plugin(&path, settings.as_ref()?, input, limits) {
        Ok(declared) => declared,
        Err(fault) => {
            refused(fault, written, "a plugin that is a window function of these rows", problems);
            return None;
        }
    };
    let bounded = window.value.shape.has_bounds();
    let key = key_by?.iter().map(|&column| Arc::clone(&input.fields()[column]));
    let bounds = BOUNDS.iter().filter(|_| bounded).map(|name| Arc::new(Field::new(*name, TIMESTAMP, false)));
    let mut fields: Vec<FieldRef> = Vec::new();
    for field in key.chain(bounds).chain(gives.into_iter().map(Arc::new)) {
        if fields.iter().any(|other| other.name() == field.name()) {
            let problem = problems.error(code::DUPLICATE_COLUMN, &written.spot);
            problem
                .found_to_be(format!("column `{}` twice", field.name()))
                .expected(
                    "the key's columns, `window_start` and `window_end`, and those that the plugin gives, with distinct names",
                )
                .advice("give the key's column another name before, with `select` or `with`, or have the plugin give another");
            return None;
        }
        fields.push(field);
    }
    let main = Port { name: MAIN_PORT.to_owned(), schema: Arc::new(Schema::new(fields)) };
    let late = bounded.then(|| Port { name: LATE_PORT.to_owned(), schema: Arc::clone(input) });
    let plugin = Plugin { path, settings: settings.clone()?, on_poison: on_poison.value, limits: *limits };
    Some(Outcome {
        verb: Verb::Window { plugin, window: window.value.clone() },
        ports: [main].into_iter().chain(late).collect(),
        keeps: if bounded { Vec::new() } else { vec!["rows".to_owned()] },
        reads: vec![Some(reads).filter(|_| !late_is_read)],
    })
}

/// An aggregate in windows. Where nobody reads its late rows only the columns are needed that it needs itself.
pub fn windowed(
    aggregate: Outcome,
    window: &At<Window>,
    late_is_read: bool,
    input: &SchemaRef,
    columns: &[AggregateColumn],
    problems: &mut Problems,
) -> Option<Outcome> {
    let Outcome { verb: Verb::Aggregate { columns: texts, at_end, .. }, ports, reads, .. } = aggregate else { return None };
    let fields = ports.first()?.schema.fields();
    let (key, values) = fields.split_at(fields.len() - columns.len());
    let change = (window.value.results == Results::Retracting).then_some(CHANGE);
    let bounds = if window.value.shape.has_bounds() { &BOUNDS[..] } else { &[] };
    for name in bounds.iter().copied().chain(change) {
        if let Some(column) = columns.iter().find(|column| column.name.value == name) {
            let problem = problems.error(code::DUPLICATE_COLUMN, &column.name.spot).found(name);
            problem.expected("another name: it is that of a column which windows have");
            return None;
        }
        if key.iter().any(|field| field.name() == name) {
            let problem = problems.error(code::DUPLICATE_COLUMN, &window.spot);
            problem
                .found_to_be(format!("a key of column `{name}`, which is what a column is called that windows have"))
                .expected("a key of columns with other names")
                .advice("give it another name before, with `select` or `with`");
            return None;
        }
    }
    let has_late = !bounds.is_empty();
    let bounds = bounds.iter().map(|name| Arc::new(Field::new(*name, TIMESTAMP, false)));
    let change: Option<FieldRef> = change.map(|name| Arc::new(Field::new(name, DataType::Utf8View, false)));
    let fields = change.iter().chain(key).cloned().chain(bounds).chain(values.iter().cloned());
    let schema = Arc::new(Schema::new(fields.collect::<Vec<FieldRef>>()));
    let port = |name: &str, schema| Port { name: name.to_owned(), schema };
    let verb = Verb::Aggregate { columns: texts, at_end, retract_where: None, window: Some(window.value.clone()) };
    if !has_late {
        let keeps = columns.iter().map(|column| column.name.value.clone()).collect();
        return Some(Outcome { verb, ports: vec![port(MAIN_PORT, schema)], reads, keeps });
    }
    Some(Outcome {
        verb,
        ports: vec![port(MAIN_PORT, schema), port(LATE_PORT, Arc::clone(input))],
        keeps: Vec::new(),
        reads: if late_is_read { vec![None] } else { reads },
    })
}
