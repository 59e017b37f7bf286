//! What a window makes of an aggregate: its bounds among the columns, and an output for rows that come too late.

use std::sync::Arc;

use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use wasmill_flow::column_type::TIMESTAMP;

use crate::graph::{LATE_PORT, MAIN_PORT, Port, Verb, Window};
use crate::place::At;
use crate::problem::{Problems, code};
use crate::validate::operator::Outcome;
use crate::written::AggregateColumn;

/// The columns that say when a window begins and ends.
const BOUNDS: [&str; 2] = ["window_start", "window_end"];

/// Complains about a window over rows that have no event time.
pub fn check_timed(timed: bool, window: &At<Window>, problems: &mut Problems) -> Option<()> {
    if !timed {
        let problem = problems.error(code::NO_EVENT_TIME, &window.spot);
        problem
            .found_to_be("a window over rows without event time")
            .expected("sources that say what time it was")
            .advice("add to each source before it: event-time: { field: COLUMN, max-out-of-orderness: 10s }");
    }
    timed.then_some(())
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
    for name in BOUNDS {
        if let Some(column) = columns.iter().find(|column| column.name.value == name) {
            let problem = problems.error(code::DUPLICATE_COLUMN, &column.name.spot).found(name);
            problem.expected("another name: it is that of a window's bound");
            return None;
        }
        if key.iter().any(|field| field.name() == name) {
            let problem = problems.error(code::DUPLICATE_COLUMN, &window.spot);
            problem
                .found_to_be(format!("a key of column `{name}`, which is what a window's bound is called"))
                .expected("a key of columns with other names")
                .advice("give it another name before, with `select` or `with`");
            return None;
        }
    }
    let bounds = BOUNDS.map(|name| Arc::new(Field::new(name, TIMESTAMP, false)));
    let schema = Arc::new(Schema::new(key.iter().chain(&bounds).chain(values).cloned().collect::<Vec<FieldRef>>()));
    let port = |name: &str, schema| Port { name: name.to_owned(), schema };
    Some(Outcome {
        verb: Verb::Aggregate { columns: texts, at_end, window: Some(window.value.clone()) },
        ports: vec![port(MAIN_PORT, schema), port(LATE_PORT, Arc::clone(input))],
        keeps: Vec::new(),
        reads: if late_is_read { vec![None] } else { reads },
    })
}
