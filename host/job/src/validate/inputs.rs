//! An operator's inputs: the streams of each brought together, its key looked up, keys of equal types.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use wasmill_flow::{column_type, key};

use crate::graph::MAIN_PORT;
use crate::place::At;
use crate::problem::{Problems, code};
use crate::validate::expression::Scope;
use crate::validate::{Output, union};
use crate::written;

/// What is known of an input before its operator's verb has been looked at.
pub struct Entry {
    /// Its name; [`MAIN_PORT`] where the job gives it none.
    pub name: String,
    /// What it reads.
    pub streams: Vec<Output>,
    /// Its rows' columns.
    pub schema: SchemaRef,
    /// Indices of the columns that it is keyed by; `None` where one isn't there, which has been said.
    pub key_by: Option<Vec<usize>>,
    /// Every task is handed all of its rows.
    pub broadcast: bool,
    /// The names of what it reads.
    written: Vec<String>,
}

impl Entry {
    /// Whose columns it has, for messages.
    pub fn of(&self) -> String {
        self.written.join(", ")
    }

    /// Whether all of its rows have event times.
    pub fn is_timed(&self) -> bool {
        self.streams.iter().all(|stream| stream.timed)
    }
}

/// Works out the inputs of an operator from the streams that it reads, input by input. `None` where something is wrong with them,
/// which has been said; a key that can't be is `None` in its input.
pub fn resolve(inputs: &[written::Input], streams: Vec<Output>, problems: &mut Problems) -> Option<Vec<Entry>> {
    let mut streams = streams.into_iter();
    let entries = inputs.iter().map(|input| entry(input, streams.by_ref().take(input.from.len()).collect(), problems));
    // All of them are looked at before one that is wrong ends it.
    let entries: Vec<Option<Entry>> = entries.collect();
    let entries = entries.into_iter().collect::<Option<Vec<_>>>()?;
    check_keys(inputs, &entries, problems)?;
    Some(entries)
}

/// Complains about inputs by name of an operator that has one input.
pub fn check_named(operator: &written::Operator, problems: &mut Problems) -> Option<()> {
    let named = operator.inputs.as_ref()?.iter().find_map(|input| input.name.as_ref());
    let (Some(name), false) = (named, matches!(operator.verb, Some(written::Verb::Plugin { window: None, .. }))) else {
        return Some(());
    };
    let problem = problems.error(code::MISPLACED_KEY, &name.spot).found_to_be("an input by name");
    problem.expected(match operator.verb {
        Some(written::Verb::Plugin { .. }) => "a list of inputs with equal columns, [x, y]: the rows of a window are of one kind",
        _ => "`plugin` beside `inputs`, or a list of inputs with equal columns: [x, y]",
    });
    None
}

fn entry(input: &written::Input, streams: Vec<Output>, problems: &mut Problems) -> Option<Entry> {
    if !union::check(&input.from, &streams, problems) {
        return None;
    }
    let schema = Arc::clone(&streams.first()?.schema);
    let written: Vec<String> = input.from.iter().map(|name| name.value.clone()).collect();
    let scope = Scope { schema: &schema, of: written.join(", "), aggregates: false };
    let key_by = input.key_by.as_ref().and_then(|columns| {
        let indices: Vec<_> = columns.iter().map(|column| key_column(column, &scope, problems)).collect();
        indices.into_iter().collect::<Option<Vec<usize>>>()
    });
    let name = input.name.as_ref().map_or_else(|| MAIN_PORT.to_owned(), |name| name.value.clone());
    Some(Entry { name, streams, schema, key_by, broadcast: input.broadcast, written })
}

/// The index of a column of a key, which has no parts.
fn key_column(column: &At<String>, scope: &Scope<'_>, problems: &mut Problems) -> Option<usize> {
    let index = scope.column(column, problems)?;
    let data_type = scope.schema.field(index).data_type();
    if !key::is_supported(data_type) {
        let problem = problems.error(code::INVALID_VALUE, &column.spot);
        problem
            .found_to_be(format!("`{}`, which is {}", column.value, column_type::name(data_type)))
            .expected("a column that a key can have: no list and no struct")
            .advice("make a column of a part of it with `with`, as its first item or a field, and key by that");
        return None;
    }
    Some(index)
}

/// Complains about each key whose columns have other types than those of the first: rows of all keyed inputs share what is
/// remembered of a key.
fn check_keys(inputs: &[written::Input], entries: &[Entry], problems: &mut Problems) -> Option<()> {
    let types = |entry: &Entry| {
        let columns = entry.key_by.as_ref().filter(|columns| !columns.is_empty())?;
        Some(columns.iter().map(|&column| entry.schema.field(column).data_type().clone()).collect::<Vec<_>>())
    };
    let mut keyed = entries.iter().zip(inputs).filter_map(|(entry, input)| Some((entry, input, types(entry)?)));
    let Some((first, _, wanted)) = keyed.next() else { return Some(()) };
    let mut equal = true;
    for (entry, input, found) in keyed.filter(|(_, _, found)| *found != wanted) {
        let Some(column) = input.key_by.as_ref().and_then(|columns| columns.first()) else { continue };
        let words = |types: &[arrow_schema::DataType]| types.iter().map(column_type::name).collect::<Vec<_>>().join(", ");
        let problem = problems.error(code::UNEQUAL_KEYS, &column.spot);
        problem
            .found_to_be(format!("a key of {} for `{}`", words(&found), entry.name))
            .expected(format!("{}, as for `{}`", words(&wanted), first.name))
            .advice(
                "what is remembered of a key is of rows of all keyed inputs; bring the columns to one type with a cast before",
            );
        equal = false;
    }
    equal.then_some(())
}
