//! `${VAR}` and `${VAR:-default}` in the values of a tree. `$${` is a `${` that stands for itself.

use crate::document::{Node, Scalar, Value};
use crate::place::Spot;
use crate::problem::{Problems, code};

/// Puts variables in their places, in all values (not in keys). A variable that is not set or empty has the default that is given;
/// without one, not to be set is a problem, and the value is unknown.
pub fn substitute(root: &mut Node, variable: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) {
    let spot = Spot { place: root.place, path: String::new() };
    substitute_below(root, &spot, variable, problems);
}

fn substitute_below(node: &mut Node, spot: &Spot, variable: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) {
    match &mut node.value {
        Value::Scalar(scalar) if scalar.text.contains("${") => match substituted(&scalar.text, spot, variable, problems) {
            Some(text) => *scalar = Scalar { text, plain: scalar.plain, substituted: true },
            None => node.value = Value::Unknown,
        },
        Value::Scalar(_) | Value::Unknown => {}
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                substitute_below(item, &spot.item(index, item.place), variable, problems);
            }
        }
        Value::Mapping(entries) => {
            for entry in entries {
                let below = spot.key(&entry.key, entry.value.place);
                substitute_below(&mut entry.value, &below, variable, problems);
            }
        }
    }
}

fn substituted(text: &str, spot: &Spot, variable: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut whole = true;
    while let Some(dollar) = rest.find("${") {
        let (before, from) = rest.split_at(dollar);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.push_str(before);
        let Some((inner, after)) = from[2..].split_once('}') else {
            problems
                .error(code::INVALID_VARIABLE, spot)
                .found(from)
                .expected("`${VAR}` or `${VAR:-default}`")
                .advice("write `$${` for a `${` that stands for itself");
            return None;
        };
        rest = after;
        let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
        if !is_variable(name) {
            problems
                .error(code::INVALID_VARIABLE, spot)
                .found(format!("${{{inner}}}"))
                .expected("`${VAR}` or `${VAR:-default}`")
                .advice("write `$${` for a `${` that stands for itself");
            whole = false;
            continue;
        }
        match (variable(name), default) {
            (Some(value), None) => out.push_str(&value),
            (Some(value), Some(_)) if !value.is_empty() => out.push_str(&value),
            (_, Some(default)) => out.push_str(default),
            (None, None) => {
                problems
                    .error(code::UNSET_VARIABLE, spot)
                    .found(name)
                    .expected("a variable that is set in the environment")
                    .advice(format!("set {name}, or give a default: `${{{name}:-default}}`"));
                whole = false;
            }
        }
    }
    out.push_str(rest);
    whole.then_some(out)
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Plain, parse};
    use crate::problem::render;

    fn with_variables(text: &str) -> Result<Node, Vec<String>> {
        let mut problems = Problems::new("job.yaml");
        let mut root = parse(text, None, &mut problems).expect("YAML");
        let variable = |name: &str| match name {
            "HOST" => Some("kafka".to_owned()),
            "TWO" => Some("2".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        substitute(&mut root, &variable, &mut problems);
        match problems.count() {
            0 => Ok(root),
            _ => Err(problems.into_sorted().iter().map(|problem| render(problem, text)).collect()),
        }
    }

    fn text(written: &str) -> String {
        match with_variables(&format!("a: {written}")).expect("fine").get("a").map(|node| node.value.clone()) {
            Some(Value::Scalar(scalar)) => scalar.text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn variables_and_defaults_take_their_places() {
        assert_eq!(text("x-${HOST}-${TWO}"), "x-kafka-2");
        assert_eq!(text("${NOT_SET:-a:-b}"), "a:-b");
        assert_eq!(text("${EMPTY:-d}"), "d");
        assert_eq!(text("\"${EMPTY}\""), "");
        assert_eq!(text("$HOST $$ $"), "$HOST $$ $");
        assert_eq!(text("$${HOST} ${HOST}"), "${HOST} kafka");
    }

    #[test]
    fn a_variable_can_be_a_number() {
        let root = with_variables("a: ${TWO}\nb: \"${TWO}\"").expect("fine");
        let resolved = |key| match &root.get(key).expect("there").value {
            Value::Scalar(scalar) => scalar.resolve(),
            other => panic!("{other:?}"),
        };
        assert_eq!(resolved("a"), Plain::Integer(2));
        assert_eq!(resolved("b"), Plain::Text("2"));
    }

    #[test]
    fn every_variable_that_is_not_set_is_named_with_its_place() {
        let said = with_variables("a: ${ONE}\nb: [x, \"${THREE}\"]").expect_err("not set");
        assert_eq!(
            said,
            [
                "error[unset-variable]: found `ONE`, expected a variable that is set in the environment\n  --> job.yaml:1:4 (a)\n  |\n1 | a: ${ONE}\n  |    ^\n   = set ONE, or give a default: `${ONE:-default}`",
                "error[unset-variable]: found `THREE`, expected a variable that is set in the environment\n  --> job.yaml:2:8 (b[1])\n  |\n2 | b: [x, \"${THREE}\"]\n  |        ^\n   = set THREE, or give a default: `${THREE:-default}`",
            ]
        );
    }

    #[test]
    fn what_is_no_variable_is_refused() {
        let first = |text: &str| with_variables(text).expect_err("wrong")[0].lines().next().map(str::to_owned);
        assert_eq!(
            first("a: x${HOST").as_deref(),
            Some("error[invalid-variable]: found `${HOST`, expected `${VAR}` or `${VAR:-default}`")
        );
        assert_eq!(
            first("a: \"${2 b}\"").as_deref(),
            Some("error[invalid-variable]: found `${2 b}`, expected `${VAR}` or `${VAR:-default}`")
        );
    }
}
