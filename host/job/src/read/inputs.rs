//! What an operator reads, and what that is keyed by: one input, a union, or inputs by name.

use crate::nearest::nearest;
use crate::place::At;
use crate::problem::{Problems, code, one_of};
use crate::read::field::Field;
use crate::read::mapping::Mapping;
use crate::read::name;
use crate::written::Input;

const A_REFERENCE: &str = "the name of a source or operator";
const A_LIST: &str = "a list of sources and operators: [x, y]";
const COLUMNS: &str = "a list of columns: [net]";

/// The columns of a key; none where there is no key, `None` where they can't be read, which has been said.
type Key = Option<Vec<At<String>>>;

/// Reads `input` or `inputs`, and `key-by`. `None` where what is read isn't known.
pub fn read(keys: &Mapping<'_>, problems: &mut Problems) -> Option<Vec<Input>> {
    match (keys.get("input"), keys.get("inputs")) {
        (Some(_), Some(inputs)) => {
            problems.error(code::MISPLACED_KEY, &inputs.key_spot()).found("inputs").expected("`input` or `inputs`, not both");
            read_only_key(keys, problems);
            None
        }
        (None, Some(inputs)) => match Mapping::open_if(&inputs) {
            Some(named) => read_named(keys, &inputs, &named, problems),
            None => one(inputs.texts(A_LIST, A_REFERENCE, problems), keys, problems),
        },
        (Some(input), None) => one(input.text(A_REFERENCE, problems).map(|input| vec![input]), keys, problems),
        (None, None) => {
            keys.require("input", "the source or operator whose rows it takes", problems);
            read_only_key(keys, problems);
            None
        }
    }
}

/// The one input of one stream or of a union.
fn one(from: Option<Vec<At<String>>>, keys: &Mapping<'_>, problems: &mut Problems) -> Option<Vec<Input>> {
    let key_by = read_only_key(keys, problems);
    if let Some(broadcast) = keys.get("broadcast") {
        let problem = problems.error(code::MISPLACED_KEY, &broadcast.key_spot()).found("broadcast");
        problem
            .expected("inputs by name")
            .advice("only some of an operator's inputs can be broadcast: `inputs: { orders: x, rules: y }`");
        return None;
    }
    Some(vec![Input { name: None, from: from?, key_by, broadcast: false }])
}

/// The key of the only input; empty where there is none.
fn read_only_key(keys: &Mapping<'_>, problems: &mut Problems) -> Key {
    let Some(field) = keys.get("key-by") else { return Some(Vec::new()) };
    if field.is_mapping() {
        let problem = problems.error(code::WRONG_TYPE, &field.spot).found_to_be("a key for each input");
        problem
            .expected(COLUMNS)
            .advice("inputs have keys of their own where they have names: `inputs: { orders: x, payments: y }`");
        return None;
    }
    read_columns(&field, problems)
}

fn read_named(keys: &Mapping<'_>, field: &Field<'_>, named: &Mapping<'_>, problems: &mut Problems) -> Option<Vec<Input>> {
    let inputs: Vec<(At<String>, Option<At<String>>)> =
        named.entries().map(|(name, from)| (name, from.text(A_REFERENCE, problems))).collect();
    inputs.iter().for_each(|(name, _)| name::check(name, problems));
    if inputs.is_empty() {
        let problem = problems.error(code::INVALID_VALUE, &field.spot).found_to_be("no inputs");
        problem.expected("inputs by name: { orders: x, payments: y }");
        return None;
    }
    let names: Vec<&str> = inputs.iter().map(|(name, _)| name.value.as_str()).collect();
    let key = keys.get("key-by").map(|key| read_keys(&key, &names, problems));
    let key_of = |name: &str| match &key {
        None => Some(Vec::new()),
        Some(None) => None,
        Some(Some(of)) => of.iter().find(|(keyed, _)| keyed == name).map_or(Some(Vec::new()), |(_, columns)| columns.clone()),
    };
    let keyed = |name: &str| key_of(name).is_none_or(|columns| !columns.is_empty());
    let broadcast = match keys.get("broadcast") {
        Some(field) => read_broadcast(&field, &names, keyed, problems)?,
        None => Vec::new(),
    };
    let input = |(name, from): (At<String>, Option<At<String>>)| {
        let key_by = key_of(&name.value);
        let broadcast = broadcast.contains(&name.value);
        Some(Input { name: Some(name), from: vec![from?], key_by, broadcast })
    };
    // All of them are looked at before one that is missing makes the operator unknown.
    inputs.into_iter().map(input).collect()
}

/// The names of the inputs that every task is handed.
fn read_broadcast(
    field: &Field<'_>,
    names: &[&str],
    keyed: impl Fn(&str) -> bool,
    problems: &mut Problems,
) -> Option<Vec<String>> {
    let listed = field.texts("a list of inputs: [rules]", "the name of an input", problems)?;
    for (index, input) in listed.iter().enumerate() {
        if listed[..index].iter().any(|earlier| earlier.value == input.value) {
            let problem = problems.error(code::INVALID_VALUE, &input.spot);
            problem.found_to_be(format!("`{}` twice", input.value)).expected("each input once");
            return None;
        }
        if !names.contains(&input.value.as_str()) {
            let meant = nearest(&input.value, names.iter().copied());
            let problem = problems.error(code::UNKNOWN_INPUT, &input.spot).found(input.value.clone());
            problem.expected(format!("an input of this operator: {}", one_of(names))).meant(meant);
            return None;
        }
        if keyed(&input.value) {
            let problem = problems.error(code::INVALID_VALUE, &input.spot);
            problem
                .found_to_be(format!("`{}`, which is keyed", input.value))
                .expected("an input without a key")
                .advice("every task is handed all rows of a broadcast input: take it out of `key-by`, or out of `broadcast`");
            return None;
        }
    }
    if listed.len() == names.len() {
        let problem = problems.error(code::INVALID_VALUE, &field.spot).found_to_be("all inputs");
        problem.expected("one that isn't broadcast").advice("with nothing but broadcast inputs every task would do the same");
        return None;
    }
    Some(listed.into_iter().map(|input| input.value).collect())
}

/// The columns of each input that is keyed, by name; `None` for columns, or all of them, that can't be read.
fn read_keys(field: &Field<'_>, names: &[&str], problems: &mut Problems) -> Option<Vec<(String, Key)>> {
    let expected = format!("a key for each input that has one: {{ {}: [id] }}", names.first().unwrap_or(&"orders"));
    let keys = Mapping::open(field, &expected, problems)?;
    let mut of = Vec::new();
    for (name, columns) in keys.entries() {
        if !names.contains(&name.value.as_str()) {
            let meant = nearest(&name.value, names.iter().copied());
            let problem = problems.error(code::UNKNOWN_INPUT, &name.spot).found(name.value.clone());
            problem.expected(format!("an input of this operator: {}", one_of(names))).meant(meant);
            continue;
        }
        let columns = read_columns(&columns, problems);
        of.push((name.value, columns));
    }
    Some(of)
}

fn read_columns(field: &Field<'_>, problems: &mut Problems) -> Key {
    let columns = field.texts(COLUMNS, "the name of a column", problems)?;
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].iter().any(|earlier| earlier.value == column.value) {
            problems
                .error(code::DUPLICATE_COLUMN, &column.spot)
                .found(column.value.clone())
                .expected("each column of a key once");
            return None;
        }
    }
    Some(columns)
}
