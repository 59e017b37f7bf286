//! An operator, worked out from its inputs: what it computes, what comes out, which columns it needs.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use wasmill_flow::column_type;

use crate::catalog::{Checked, InputSchema, PluginProblem};
use crate::graph::{self, Input, Operator, Port, Verb};
use crate::place::At;
use crate::problem::{Problems, code};
use crate::validate::expression::Scope;
use crate::validate::inputs::{self, Entry};
use crate::validate::{Given, Output, aggregate, event_time, paths, window};
use crate::written;

/// What is known of an operator once its verb has been worked out.
pub struct Outcome {
    pub verb: Verb,
    pub ports: Vec<Port>,
    /// For each input.
    pub reads: Vec<Option<Vec<usize>>>,
    /// What it keeps for each key and never forgets.
    pub keeps: Vec<String>,
}

impl Outcome {
    /// Of an operator with one input.
    fn of_one(verb: Verb, ports: Vec<Port>, reads: Option<Vec<usize>>) -> Self {
        Self { verb, ports, reads: vec![reads], keeps: Vec::new() }
    }
}

/// Works out an operator of which the streams that it reads are known; `None` where they aren't, or something is wrong with it, which
/// has been said. `late_is_read` says whether somebody reads its output `late`, should it have one.
pub fn resolve(
    operator: &written::Operator,
    streams: Option<Vec<Output>>,
    late_is_read: bool,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<Operator> {
    let entries = inputs::resolve(operator.inputs.as_ref()?, streams?, problems)?;
    let first = entries.first()?;
    let schema = Arc::clone(&first.schema);
    let verb = operator.verb.as_ref()?;
    let scope = Scope { schema: &schema, of: first.of(), aggregates: matches!(verb, written::Verb::Aggregate { .. }) };
    let key_by = first.key_by.clone();
    inputs::check_named(operator, problems)?;
    let outcome = match verb {
        written::Verb::Union => Outcome::of_one(Verb::Union, main_port(Arc::clone(&schema)), None),
        written::Verb::Filter(condition) => filter(condition, &scope, &schema, given, problems)?,
        written::Verb::Select(columns) => select(columns, &scope, given, problems)?,
        written::Verb::With { columns, drop } => with(columns, drop, &scope, given, problems)?,
        written::Verb::Unnest { column, name } => unnest(column, name.as_ref(), &scope, problems)?,
        written::Verb::Split(conditions) => split(conditions, &scope, &schema, given, problems)?,
        written::Verb::Aggregate { columns, at_end, retract_where, window: None } => {
            // That rows at the end never come out where there is none is said by itself.
            let kept = columns.iter().filter(|_| at_end.is_none());
            let keeps = kept.map(|column| column.name.value.clone()).collect();
            let outcome = aggregate(columns, at_end.is_some(), key_by.as_deref(), &scope, given, problems)?;
            let outcome = match retract_where {
                Some(condition) => aggregate::retracting(outcome, columns, condition, &scope, given, problems)?,
                None => outcome,
            };
            Outcome { keeps, ..outcome }
        }
        written::Verb::Aggregate { columns, window: Some(window), .. } => {
            let timed = window.value.by_clock || !window.value.shape.has_bounds() || first.is_timed();
            window::check_timed(timed, window, problems)?;
            let aggregate = aggregate(columns, false, key_by.as_deref(), &scope, given, problems)?;
            window::windowed(aggregate, window, late_is_read, &schema, columns, problems)?
        }
        written::Verb::Plugin { window: Some(window), .. } => {
            let timed = window.value.by_clock || !window.value.shape.has_bounds() || first.is_timed();
            window::check_timed(timed, window, problems)?;
            window::of_plugin(verb, window, late_is_read, &schema, key_by.as_deref(), given, problems)?
        }
        written::Verb::Plugin { .. } => plugin(operator, &entries, given, problems)?,
    };
    let names = operator.inputs.iter().flatten().flat_map(|input| &input.from);
    let timed = event_time::of_inputs(names.zip(entries.iter().flat_map(|entry| &entry.streams)), problems);
    let Outcome { verb, ports, reads, keeps } = outcome;
    let combines = aggregate::combines(&verb, &schema, late_is_read, given.catalog);
    let inputs = entries.into_iter().zip(reads).map(|(entry, reads)| {
        let Entry { name, streams, schema, key_by, broadcast, .. } = entry;
        let key_by = key_by?;
        let reads = reads.and_then(|reads| needed(reads, &key_by, schema.fields().len()));
        Some(Input { name, from: streams.iter().map(|stream| stream.upstream).collect(), schema, key_by, broadcast, reads })
    });
    let inputs = inputs.collect::<Option<Vec<_>>>()?;
    Some(Operator { name: operator.name.value.clone(), inputs, timed, keeps, combines, verb, ports })
}

fn main_port(schema: SchemaRef) -> Vec<Port> {
    vec![Port { name: graph::MAIN_PORT.to_owned(), schema }]
}

/// The columns that are read and those of the key, ascending; `None` for all. Never none at all: rows without columns have no number.
fn needed(mut reads: Vec<usize>, key_by: &[usize], columns: usize) -> Option<Vec<usize>> {
    reads.extend_from_slice(key_by);
    reads.sort_unstable();
    reads.dedup();
    if reads.is_empty() {
        reads.push(0);
    }
    (reads.len() < columns).then_some(reads)
}

fn filter(
    condition: &At<String>,
    scope: &Scope<'_>,
    schema: &SchemaRef,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<Outcome> {
    check_condition(condition, scope, given, problems)?;
    Some(Outcome::of_one(Verb::Filter(condition.value.clone()), main_port(Arc::clone(schema)), None))
}

/// A condition, which is boolean: the columns that it reads.
pub(super) fn check_condition(
    condition: &At<String>,
    scope: &Scope<'_>,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<Vec<usize>> {
    let checked = scope.check(condition, given, problems)?;
    if *checked.field.data_type() != DataType::Boolean {
        problems
            .error(code::INVALID_EXPRESSION, &condition.spot)
            .found_to_be(format!("`{}`, which is {}", condition.value, column_type::name(checked.field.data_type())))
            .expected("a condition, which is boolean")
            .advice("compare it with something, as in `mag >= 1`");
        return None;
    }
    Some(checked.reads)
}

fn split(
    conditions: &[written::Column],
    scope: &Scope<'_>,
    schema: &SchemaRef,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<Outcome> {
    let checked: Vec<Option<Vec<usize>>> =
        conditions.iter().map(|condition| check_condition(condition.expression.as_ref()?, scope, given, problems)).collect();
    checked.into_iter().collect::<Option<Vec<_>>>()?;
    let names = conditions.iter().map(|condition| condition.name.value.as_str()).chain([graph::REST_PORT]);
    let ports = names.map(|name| Port { name: name.to_owned(), schema: Arc::clone(schema) }).collect();
    Some(Outcome::of_one(Verb::Split(texts(conditions)?), ports, None))
}

fn unnest(column: &At<String>, name: Option<&At<String>>, scope: &Scope<'_>, problems: &mut Problems) -> Option<Outcome> {
    let index = scope.column(column, problems)?;
    let DataType::List(item) = scope.schema.field(index).data_type() else {
        let problem = problems.error(code::INVALID_VALUE, &column.spot);
        problem
            .found_to_be(format!("`{}`, which is {}", column.value, column_type::name(scope.schema.field(index).data_type())))
            .expected("a column of lists");
        return None;
    };
    let mut fields: Vec<Field> = scope.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    if let Some(name) =
        name.filter(|name| fields.iter().enumerate().any(|(other, field)| other != index && *field.name() == name.value))
    {
        let problem = problems.error(code::DUPLICATE_COLUMN, &name.spot).found(name.value.clone());
        problem.expected("a name that no other column has");
        return None;
    }
    let name = name.unwrap_or(column).value.clone();
    fields[index] = Field::new(&name, item.data_type().clone(), item.is_nullable());
    let verb = Verb::Unnest { column: column.value.clone(), name };
    Some(Outcome::of_one(verb, main_port(Arc::new(Schema::new(fields))), None))
}

fn select(columns: &[written::Column], scope: &Scope<'_>, given: &Given<'_>, problems: &mut Problems) -> Option<Outcome> {
    let checked = check_all(columns, scope, given, problems)?;
    let fields: Vec<Field> = checked.iter().map(|checked| checked.field.clone()).collect();
    let reads = checked.into_iter().flat_map(|checked| checked.reads).collect();
    Some(Outcome::of_one(Verb::Select(texts(columns)?), main_port(Arc::new(Schema::new(fields))), Some(reads)))
}

fn with(
    columns: &[written::Column],
    drop: &[At<String>],
    scope: &Scope<'_>,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<Outcome> {
    let before = problems.count();
    for dropped in drop {
        scope.column(dropped, problems);
        if columns.iter().any(|column| column.name.value == dropped.value) {
            let problem = problems.error(code::DUPLICATE_COLUMN, &dropped.spot).found(dropped.value.clone());
            problem.expected("a column in `with` or in `drop`, not in both");
        }
    }
    let checked = check_all(columns, scope, given, problems);
    if problems.count() > before {
        return None;
    }
    let mut added: Vec<Field> = checked?.into_iter().map(|checked| checked.field).collect();
    let mut fields = Vec::new();
    for field in scope.schema.fields() {
        if drop.iter().any(|dropped| dropped.value == *field.name()) {
            continue;
        }
        match added.iter().position(|added| added.name() == field.name()) {
            Some(replaced) => fields.push(added.remove(replaced)),
            None => fields.push(field.as_ref().clone()),
        }
    }
    fields.append(&mut added);
    if let (true, Some(dropped)) = (fields.is_empty(), drop.first()) {
        let problem = problems.error(code::INVALID_VALUE, &dropped.spot).found_to_be("no columns left");
        problem.expected("at least one column that isn't dropped");
        return None;
    }
    let drop = drop.iter().map(|column| column.value.clone()).collect();
    let verb = Verb::With { columns: texts(columns)?, drop };
    Some(Outcome::of_one(verb, main_port(Arc::new(Schema::new(fields))), None))
}

fn aggregate(
    columns: &[written::AggregateColumn],
    at_end: bool,
    key_by: Option<&[usize]>,
    scope: &Scope<'_>,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<Outcome> {
    let checked: Vec<_> = columns.iter().map(|column| aggregate::check(column, scope, given, problems)).collect();
    let key_by = key_by?;
    let mut fields: Vec<Field> = key_by.iter().map(|&index| scope.schema.field(index).clone()).collect();
    let clashes: Vec<_> = columns.iter().filter(|column| fields.iter().any(|key| *key.name() == column.name.value)).collect();
    for column in &clashes {
        let problem = problems.error(code::DUPLICATE_COLUMN, &column.name.spot).found(column.name.value.clone());
        problem.expected("a name that no column of the key has: those come out too");
    }
    if !clashes.is_empty() {
        return None;
    }
    let (checked, computed): (Vec<_>, Vec<_>) = checked.into_iter().collect::<Option<Vec<_>>>()?.into_iter().unzip();
    fields.extend(checked.iter().map(|checked| checked.field.clone()));
    let reads = checked.into_iter().flat_map(|checked| checked.reads).collect();
    let names = columns.iter().map(|column| column.name.value.clone());
    let verb = Verb::Aggregate { columns: names.zip(computed).collect(), at_end, retract_where: None, window: None };
    Some(Outcome::of_one(verb, main_port(Arc::new(Schema::new(fields))), Some(reads)))
}

fn plugin(operator: &written::Operator, entries: &[Entry], given: &Given<'_>, problems: &mut Problems) -> Option<Outcome> {
    let Some(written::Verb::Plugin { path: written, settings, on_poison, limits, .. }) = &operator.verb else { return None };
    let path = paths::local(written, given.dir, problems)?;
    let settings = settings.as_ref()?;
    let inputs = entries
        .iter()
        .map(|entry| {
            Some(InputSchema {
                name: &entry.name,
                schema: &entry.schema,
                key: entry.key_by.as_deref()?,
                broadcast: entry.broadcast,
            })
        })
        .collect::<Option<Vec<_>>>()?;
    let declared = match given.catalog.plugin(&path, settings, &inputs, limits) {
        Ok(declared) => declared,
        Err(fault) => {
            refused(fault, written, "a plugin that fits this operator", problems);
            return None;
        }
    };
    let mut columns = declared.ports.iter().flat_map(|port| port.schema.fields().iter().map(move |field| (port, field)));
    if let Some((port, field)) = columns.find(|(_, field)| !column_type::is_supported(field.data_type())) {
        problems
            .error(code::UNKNOWN_TYPE, &written.spot)
            .found_to_be(format!("column `{}` of output `{}`, which is {}", field.name(), port.name, field.data_type()))
            .expected(format!("a column's type: {}", column_type::SCALARS.join(", ")));
        return None;
    }
    if declared.needs_event_time && !entries.iter().all(Entry::is_timed) {
        problems
            .error(code::NO_EVENT_TIME, &written.spot)
            .found_to_be("a plugin that goes by event time, over rows without event time")
            .expected("sources that say what time it was")
            .advice("add to each source before it: event-time: { field: COLUMN, max-out-of-orderness: 10s }");
        return None;
    }
    let verb = Verb::Plugin(graph::Plugin { path, settings: settings.clone(), on_poison: on_poison.value, limits: *limits });
    Some(Outcome { verb, ports: declared.ports, reads: declared.reads, keeps: declared.keeps })
}

/// Says why a plugin can't be used.
pub fn refused(fault: PluginProblem, written: &At<String>, expected: &str, problems: &mut Problems) {
    let problem = problems.error(fault.code, &written.spot).message(fault.message);
    problem.expected(expected);
    if let Some(hint) = fault.hint {
        problem.advice(hint);
    }
}

/// All columns checked; `None` where one has a fault, after all have been checked.
fn check_all(columns: &[written::Column], scope: &Scope<'_>, given: &Given<'_>, problems: &mut Problems) -> Option<Vec<Checked>> {
    let checked: Vec<_> = columns.iter().map(|column| scope.check_column(column, given, problems)).collect();
    checked.into_iter().collect()
}

/// Names and expressions as the graph has them.
fn texts(columns: &[written::Column]) -> Option<Vec<(String, String)>> {
    columns.iter().map(|column| Some((column.name.value.clone(), column.expression.as_ref()?.value.clone()))).collect()
}
