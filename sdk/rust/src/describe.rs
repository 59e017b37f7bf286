//! What an operator declares, and whether an input fits it: everything that doesn't, at once.

use std::fmt::Write;

use crate::bindings::plan::{Port, StateNeed, Taken, Takes, TimeDomain, Wants};
use crate::bindings::{DataType, Field, Input, Plan};
use crate::error::{Error, Result};
use crate::inputs::{InputSpec, Inputs};
use crate::operator::{Keep, StateSpec};
use crate::process_batch::ProcessBatch;
use crate::record::{FieldSpec, Record};
use crate::settings;

/// The plan of operator `P`, or all that is wrong with its inputs, or what is wrong with its settings.
pub(crate) fn plan<P: ProcessBatch>(settings: &str, inputs: &[Input]) -> Result<Plan> {
    let specs: Vec<&InputSpec> = places::<P>(inputs)?.into_iter().map(|place| &specs::<P>()[place]).collect();
    let settings = settings::parse(settings)?;
    P::check(&settings)?;
    let mut problems = Vec::new();
    inputs.iter().zip(&specs).for_each(|(input, spec)| check_columns(input, spec.fields, &mut problems));
    check_kept(inputs, P::KEEP, &mut problems);
    P::PORTS.iter().for_each(|port| check_kept(inputs, port.keep, &mut problems));
    if let Some(state) = P::STATES.iter().find(|state| state.is_of_key()) {
        let without = inputs.iter().zip(&specs).filter(|(input, spec)| spec.keyed && input.key.is_empty());
        problems.extend(without.map(|(input, _)| {
            format!(
                "state `{}` is kept for each key, but input `{}` has none: give the operator a `key-by`",
                state.name, input.name
            )
        }));
    }
    if !P::STATES.iter().any(StateSpec::is_of_key) && !P::TIMERS.is_empty() {
        let without = inputs.iter().zip(&specs).filter(|(input, spec)| spec.keyed && input.key.is_empty());
        problems.extend(without.map(|(input, _)| {
            format!("timers are set for each key, but input `{}` has none: give the operator a `key-by`", input.name)
        }));
    }
    for (input, spec) in inputs.iter().zip(&specs).filter(|(input, spec)| input.broadcast != spec.broadcast) {
        let (name, is) = (&input.name, spec.broadcast);
        problems.push(match is {
            true => format!("every task must be handed all rows of input `{name}`: give the operator `broadcast: [{name}]`"),
            false => format!("input `{name}` is broadcast, but the operator would process each of its rows in every task"),
        });
    }
    if !problems.is_empty() {
        return Err(Error::fail(listed(&problems, "; ")));
    }
    let main = port("out", P::KEEP, <P::Output as Record>::FIELDS);
    let others = P::PORTS.iter().map(|other| port(other.name, other.keep, other.fields));
    let states = P::STATES.iter();
    Ok(Plan {
        reads: specs.iter().map(|spec| Some(spec.fields.iter().map(|field| field.name.to_owned()).collect())).collect(),
        ports: std::iter::once(main).chain(others).collect(),
        states: states
            .map(|state| StateNeed {
                name: state.name.to_owned(),
                kind: state.kind,
                version: state.version,
                width: state.width,
                expires: state.expires,
            })
            .collect(),
        wants: P::TIMERS.iter().fold(Wants::END, |wants, domain| {
            wants
                | match domain {
                    TimeDomain::EventTime => Wants::EVENT_TIMERS,
                    TimeDomain::ProcessingTime => Wants::PROCESSING_TIMERS,
                }
        }),
    })
}

fn specs<P: ProcessBatch>() -> &'static [InputSpec] {
    <P::Input<'static> as Inputs<'static>>::INPUTS
}

/// For each of the job's inputs, which of the operator's it is: by name, but for an operator with a single one.
pub(crate) fn places<P: ProcessBatch>(inputs: &[Input]) -> Result<Vec<usize>> {
    let specs = specs::<P>();
    let names: Vec<&str> = specs.iter().filter_map(|spec| spec.name).collect();
    if names.is_empty() {
        return match inputs {
            [_] => Ok(vec![0]),
            _ => Err(Error::fail(format!("the operator has one input, but the job gives it {}", inputs.len()))),
        };
    }
    let places: Option<Vec<usize>> =
        inputs.iter().map(|input| specs.iter().position(|spec| spec.name == Some(input.name.as_str()))).collect();
    match places {
        Some(places) if places.len() == specs.len() => Ok(places),
        _ => {
            let given: Vec<&String> = inputs.iter().map(|input| &input.name).collect();
            let (names, given) = (listed(&names, ", "), listed(&given, ", "));
            Err(Error::fail(format!("the operator's inputs are {names}, but the job gives it {given}")))
        }
    }
}

fn port(name: &str, keep: Keep, fields: &[FieldSpec]) -> Port {
    let takes = match keep {
        Keep::Nothing => Takes::Nothing,
        Keep::Key => Takes::Key,
        Keep::Input => Takes::Input(Taken { input: 0, columns: None }),
        Keep::Columns(names) => {
            Takes::Input(Taken { input: 0, columns: Some(names.iter().map(|name| (*name).to_owned()).collect()) })
        }
    };
    Port { name: name.to_owned(), takes, gives: fields.iter().map(|field| field.to_contract()).collect() }
}

pub(crate) fn check_columns(input: &Input, fields: &[FieldSpec], problems: &mut Vec<String>) {
    for field in fields {
        let Some(column) = input.schema.iter().find(|column| column.name == field.name) else {
            problems.push(missing(input, field.name));
            continue;
        };
        let (wanted, found) = (type_name(field.data_type), type_name(column.data_type));
        if wanted != found {
            problems
                .push(format!("column `{}` of input `{}` is {found}, but the operator reads {wanted}", field.name, input.name));
        } else if column.nullable && !field.nullable {
            problems.push(format!(
                "column `{}` of input `{}` may be null, but the operator reads a value from every row: declare it `{found} not null`, \
                 or read an `Option`",
                field.name, input.name
            ));
        }
    }
}

fn check_kept(inputs: &[Input], keep: Keep, problems: &mut Vec<String>) {
    match (keep, inputs) {
        (Keep::Key, inputs) => {
            if inputs.iter().all(|input| input.key.is_empty()) {
                let names: Vec<String> = inputs.iter().map(|input| format!("input `{}`", input.name)).collect();
                problems.push(format!(
                    "the operator keeps the key's columns, but {} has no key: give the operator a `key-by`",
                    listed(&names, " or ")
                ));
            }
        }
        (Keep::Nothing, _) | (Keep::Input, [_]) => {}
        (Keep::Columns(names), [input]) => {
            let unknown = names.iter().filter(|name| input.schema.iter().all(|column| column.name != **name));
            problems.extend(unknown.map(|name| missing(input, name)));
        }
        (Keep::Input | Keep::Columns(_), _) => problems.push(
            "an output keeps columns of the rows in, which is not in this version where there are several inputs: keep the key, or \
             emit them"
                .to_owned(),
        ),
    }
}

fn missing(input: &Input, name: &str) -> String {
    let mut text = format!("input `{}` has no column `{name}`", input.name);
    // Writing to a string can't fail.
    let _ = match nearest(&input.schema, name) {
        Some(near) => write!(text, ": did you mean `{near}`?"),
        None => {
            let names: Vec<&String> = input.schema.iter().map(|column| &column.name).collect();
            write!(text, "; it has {}", listed(&names, ", "))
        }
    };
    text
}

pub(crate) fn listed(parts: &[impl AsRef<str>], between: &str) -> String {
    let mut text = String::new();
    for (at, part) in parts.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { between });
        text.push_str(part.as_ref());
    }
    text
}

fn nearest<'a>(columns: &'a [Field], name: &str) -> Option<&'a str> {
    let distances = columns.iter().map(|column| (strsim::levenshtein(&column.name, name), column.name.as_str()));
    distances.min().filter(|(distance, _)| *distance <= 1 + name.len() / 4).map(|(_, near)| near)
}

/// A type as a job file writes it.
pub(crate) fn type_name(data_type: DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int32 => "int32".into(),
        DataType::Int64 => "int64".into(),
        DataType::Uint64 => "uint64".into(),
        DataType::Float32 => "float32".into(),
        DataType::Float64 => "float64".into(),
        DataType::Decimal128(decimal) => format!("decimal({},{})", decimal.precision, decimal.scale),
        DataType::Date32 => "date".into(),
        DataType::Timestamp => "timestamp".into(),
        DataType::Utf8 => "utf8".into(),
        DataType::Binary => "binary".into(),
    }
}
