//! An operator: its input or inputs, its key, and its one verb.

use serde_json::Value as Json;

use crate::document::Value;
use crate::graph::{Limits, OnPoison, REST_PORT};
use crate::place::At;
use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::mapping::Mapping;
use crate::read::{aggregate, inputs, limits, name, settings, window};
use crate::written::{Column, Operator, Verb};

const KEYS: &[&str] = &[
    "input",
    "inputs",
    "filter",
    "select",
    "with",
    "drop",
    "unnest",
    "as",
    "split",
    "emit",
    "key-by",
    "broadcast",
    "window",
    "aggregate",
    "retract-where",
    "plugin",
    "settings",
    "limits",
    "on-poison",
];
const LATER: &[&str] = &["join", "on", "kind", "within"];
/// `with` and `drop` are one verb.
const VERBS: &[&str] = &["filter", "select", "with", "drop", "unnest", "split", "aggregate", "plugin"];
/// A key, and the verbs that it goes with.
const BESIDE: &[(&str, &[&str])] = &[
    ("as", &["unnest"]),
    ("emit", &["aggregate"]),
    ("retract-where", &["aggregate"]),
    ("window", &["aggregate", "plugin"]),
    ("key-by", &["aggregate", "plugin"]),
    ("broadcast", &["plugin"]),
    ("settings", &["plugin"]),
    ("limits", &["plugin"]),
    ("on-poison", &["plugin"]),
];
const ON_POISON: &[(&str, OnPoison)] =
    &[("halt", OnPoison::Halt), ("dead-letter", OnPoison::DeadLetter), ("skip", OnPoison::Skip)];

/// Reads an operator. `of_job` are the job's limits.
pub fn read(name: At<String>, field: &Field<'_>, of_job: Limits, problems: &mut Problems) -> Operator {
    let Some(keys) = Mapping::open(field, "an operator: a mapping with input and a verb", problems) else {
        return Operator { name, inputs: None, verb: None };
    };
    let all_known = keys.check_keys(KEYS, LATER, problems);
    let inputs = if keys.get("join").is_some() { None } else { inputs::read(&keys, problems) };
    let verb = read_verb(&keys, all_known, of_job, problems);
    // What comes out of an operator with a key of a later version isn't known.
    let later = LATER.iter().any(|key| keys.get(key).is_some());
    Operator { name, inputs, verb: verb.filter(|_| !later) }
}

fn read_verb(keys: &Mapping<'_>, all_known: bool, of_job: Limits, problems: &mut Problems) -> Option<Verb> {
    let there: Vec<&str> = VERBS.iter().copied().filter(|verb| keys.get(verb).is_some()).collect();
    for (key, verbs) in BESIDE {
        if let Some(field) = keys.get(key)
            && !verbs.iter().any(|verb| there.contains(verb))
            && all_known
        {
            let expected = format!("`{}` beside it", verbs.join("` or `"));
            problems.error(code::MISPLACED_KEY, &field.key_spot()).found(*key).expected(expected);
        }
    }
    let expected = "one verb: filter, select, with (and drop), unnest, split, aggregate (with key-by) or plugin";
    match there.as_slice() {
        [] if matches!(keys.get("inputs"), Some(inputs) if matches!(inputs.node.value, Value::List(_))) => Some(Verb::Union),
        [] => {
            if all_known {
                problems.error(code::MISSING_VERB, keys.spot()).expected(expected);
            }
            None
        }
        ["filter"] => keys.get("filter").and_then(|field| field.expression(problems)).map(Verb::Filter),
        ["select"] => read_columns(&keys.get("select")?, problems).map(Verb::Select),
        ["with"] | ["drop"] | ["with", "drop"] => read_with(keys, problems),
        ["unnest"] => read_unnest(keys, problems),
        ["split"] => read_split(&keys.get("split")?, problems),
        ["aggregate"] => {
            let columns = aggregate::read(&keys.get("aggregate")?, of_job, problems);
            if keys.get("key-by").is_none() && all_known {
                keys.require("key-by", "the columns that rows are grouped by: [net]", problems);
                return None;
            }
            let at_end = match keys.get("emit") {
                Some(field) => Some(field.word(&[("final", ())], &[], problems).map(|()| field.spot)?),
                None => None,
            };
            let window = match keys.get("window") {
                Some(field) if at_end.is_some() => {
                    let problem = problems.error(code::MISPLACED_KEY, &field.key_spot()).found("window");
                    problem.expected("`window` or `emit: final`, not both: a window's result comes out at its end");
                    return None;
                }
                Some(field) => Some(window::read(&field, problems)?),
                None => None,
            };
            let retract_where = match keys.get("retract-where") {
                Some(field) if window.is_some() => {
                    let problem = problems.error(code::NOT_IN_THIS_VERSION, &field.key_spot()).found("retract-where");
                    problem.expected("an aggregate without `window`: in windows rows are not taken back in this version");
                    return None;
                }
                Some(field) => Some(field.expression(problems)?),
                None => None,
            };
            columns.map(|columns| Verb::Aggregate { columns, at_end, retract_where, window })
        }
        ["plugin"] => read_plugin(keys, all_known, of_job, problems),
        several => {
            let found = several.iter().map(|verb| format!("`{verb}`")).collect::<Vec<_>>().join(" and ");
            problems
                .error(code::SEVERAL_VERBS, keys.spot())
                .found_to_be(found)
                .expected(expected)
                .advice("make an operator of each, one reading the other");
            None
        }
    }
}

fn read_with(keys: &Mapping<'_>, problems: &mut Problems) -> Option<Verb> {
    let columns = match keys.get("with") {
        Some(field) => read_columns(&field, problems),
        None => Some(Vec::new()),
    };
    let drop = match keys.get("drop") {
        Some(field) => field.texts("a list of columns: [a, b]", "the name of a column", problems),
        None => Some(Vec::new()),
    };
    Some(Verb::With { columns: columns?, drop: drop? })
}

fn read_unnest(keys: &Mapping<'_>, problems: &mut Problems) -> Option<Verb> {
    let column = keys.get("unnest")?.text("the name of a column of lists", problems);
    let name = match keys.get("as") {
        Some(field) => Some(field.text("the name that the column has then", problems)?),
        None => None,
    };
    Some(Verb::Unnest { column: column?, name })
}

/// Outputs by name and condition. Names are those of references, `operator.NAME`.
fn read_split(field: &Field<'_>, problems: &mut Problems) -> Option<Verb> {
    let conditions = read_columns(field, problems)?;
    for output in conditions.iter().map(|condition| &condition.name) {
        name::check(output, problems);
        if output.value == REST_PORT {
            let problem = problems.error(code::DUPLICATE_NAME, &output.spot).found(REST_PORT);
            problem.expected("another name: `rest` is the output of the rows for which no condition is true");
        }
    }
    Some(Verb::Split(conditions))
}

fn read_columns(field: &Field<'_>, problems: &mut Problems) -> Option<Vec<Column>> {
    let columns = Mapping::open(field, "columns: a mapping from name to expression", problems)?;
    let columns: Vec<Column> = columns.entries().map(|(name, value)| read_column(name, &value, problems)).collect();
    if columns.is_empty() {
        problems.error(code::INVALID_VALUE, &field.spot).found_to_be("no columns").expected("at least one column");
        return None;
    }
    Some(columns)
}

fn read_column(name: At<String>, field: &Field<'_>, problems: &mut Problems) -> Column {
    Column { name, expression: field.expression(problems) }
}

fn read_plugin(keys: &Mapping<'_>, all_known: bool, of_job: Limits, problems: &mut Problems) -> Option<Verb> {
    let window = match keys.get("window") {
        Some(_) if keys.get("key-by").is_none() => {
            if all_known {
                keys.require("key-by", "the columns whose rows are in windows of their own: [net]", problems);
            }
            return None;
        }
        Some(field) => Some(window::read(&field, problems)?),
        None => None,
    };
    let path = keys.get("plugin")?.text("the path of a plugin: its directory, or a .wasm file", problems);
    let settings = match keys.get("settings") {
        Some(field) => settings::read(&field, problems),
        None => Some(Json::Object(serde_json::Map::new())),
    };
    let on_poison = match keys.get("on-poison") {
        Some(field) => field.at(field.word(ON_POISON, &[], problems).unwrap_or_default()),
        None => At { value: OnPoison::default(), spot: keys.spot().clone() },
    };
    let own = keys.get("limits").map(|field| limits::read(&field, problems)).unwrap_or_default();
    Some(Verb::Plugin { path: path?, window, settings, on_poison, limits: limits::or(own, of_job) })
}
