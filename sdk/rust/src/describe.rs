//! What an operator declares, and whether an input fits it: everything that doesn't, at once.

use std::fmt::Write;

use crate::bindings::plan::{Port, StateNeed, Taken, Takes, Wants};
use crate::bindings::{DataType, Field, Input, Plan};
use crate::error::{Error, Result};
use crate::operator::Keep;
use crate::process_batch::ProcessBatch;
use crate::record::{FieldSpec, Record};
use crate::settings;

/// The plan of operator `P`, or all that is wrong with its input, or what is wrong with its settings.
pub(crate) fn plan<P: ProcessBatch>(settings: &str, inputs: &[Input]) -> Result<Plan> {
    let [input] = inputs else {
        return Err(Error::fail(format!("the operator has one input, but the job gives it {}", inputs.len())));
    };
    let settings = settings::parse(settings)?;
    P::check(&settings)?;
    let fields = <P::Input<'static> as Record>::FIELDS;
    let mut problems = Vec::new();
    check_columns(input, fields, &mut problems);
    check_kept(input, P::KEEP, &mut problems);
    P::PORTS.iter().for_each(|port| check_kept(input, port.keep, &mut problems));
    if let Some(state) = P::STATES.first()
        && input.key.is_empty()
    {
        problems.push(format!(
            "state `{}` is kept for each key, but input `{}` has none: give the operator a `key-by`",
            state.name, input.name
        ));
    }
    if !problems.is_empty() {
        return Err(Error::fail(listed(&problems, "; ")));
    }
    let main = port("out", P::KEEP, <P::Output as Record>::FIELDS);
    let others = P::PORTS.iter().map(|other| port(other.name, other.keep, other.fields));
    let states = P::STATES.iter();
    Ok(Plan {
        reads: vec![Some(fields.iter().map(|field| field.name.to_owned()).collect())],
        ports: std::iter::once(main).chain(others).collect(),
        states: states
            .map(|state| StateNeed { name: state.name.to_owned(), version: state.version, width: state.width })
            .collect(),
        wants: Wants::END,
    })
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

fn check_columns(input: &Input, fields: &[FieldSpec], problems: &mut Vec<String>) {
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

fn check_kept(input: &Input, keep: Keep, problems: &mut Vec<String>) {
    match keep {
        Keep::Nothing | Keep::Input => {}
        Keep::Key if input.key.is_empty() => {
            problems.push(format!(
                "the operator keeps the key's columns, but input `{}` has no key: give the operator a `key-by`",
                input.name
            ));
        }
        Keep::Key => {}
        Keep::Columns(names) => {
            let unknown = names.iter().filter(|name| input.schema.iter().all(|column| column.name != **name));
            problems.extend(unknown.map(|name| missing(input, name)));
        }
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

fn listed(parts: &[impl AsRef<str>], between: &str) -> String {
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
