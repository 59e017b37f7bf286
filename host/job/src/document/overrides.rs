//! `--set a.b.c=VALUE`: values from the command line in the place of those in the job file.

use crate::document::{Entry, Node, Plain, Value, parse};
use crate::place::{Place, Spot};
use crate::problem::{Problems, code};

const SET: Place = Place::Option("--set");
/// The most keys in a path, so that trees stay as shallow as parsed ones.
const MOST_KEYS: usize = 64;

/// Sets dotted paths to YAML values, in order. Mappings that aren't there yet are made.
pub fn apply_overrides(root: &mut Node, overrides: &[(String, String)], problems: &mut Problems) {
    for (path, written) in overrides {
        let spot = Spot { place: SET, path: path.clone() };
        let keys: Vec<&str> = path.split('.').collect();
        if keys.iter().any(|key| key.is_empty()) || keys.len() > MOST_KEYS {
            problems
                .error(code::INVALID_OPTION, &spot)
                .found(path.clone())
                .expected(format!("a dotted path of at most {MOST_KEYS} keys"))
                .advice("write, for example, --set sources.quakes.path=x.ndjson");
            continue;
        }
        if let Some(value) = parse(written, Some(&spot), problems) {
            set(root, &keys, value, &spot, problems);
        }
    }
}

fn set(root: &mut Node, keys: &[&str], value: Node, spot: &Spot, problems: &mut Problems) {
    let mut node = root;
    for (depth, key) in keys.iter().enumerate() {
        let is_nothing = matches!(&node.value, Value::Scalar(scalar) if scalar.resolve() == Plain::Nothing);
        if is_nothing {
            node.value = Value::Mapping(Vec::new());
        }
        let found = node.describe();
        let Value::Mapping(entries) = &mut node.value else {
            let above = keys[..depth].join(".");
            problems
                .error(code::INVALID_OPTION, spot)
                .found_to_be(format!("{found} at `{above}`"))
                .expected("a mapping, to set one of its keys")
                .advice(format!("set all of it: --set {above}=VALUE"));
            return;
        };
        let position = entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
            let empty = Node { place: SET, value: Value::Mapping(Vec::new()) };
            entries.push(Entry { key: (*key).to_owned(), key_place: SET, value: empty });
            entries.len() - 1
        });
        node = &mut entries[position].value;
    }
    *node = value;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::render;

    fn applied(text: &str, path: &str, value: &str) -> Result<Node, String> {
        let mut problems = Problems::new("job.yaml");
        let mut root = parse(text, None, &mut problems).expect("YAML");
        apply_overrides(&mut root, &[(path.to_owned(), value.to_owned())], &mut problems);
        match problems.count() {
            0 => Ok(root),
            _ => Err(render(&problems.into_sorted()[0], text)),
        }
    }

    #[test]
    fn values_are_replaced_and_added() {
        let root = applied("a: { b: 1, c: 2 }", "a.b", "[x, y]").expect("fine");
        let a = root.get("a").expect("there");
        assert_eq!(a.get("b").expect("there").describe(), "a list");
        assert_eq!(a.get("b").expect("there").place, SET);
        assert_eq!(a.get("c").expect("there").describe(), "the number 2");
        let root = applied("a: 1", "x.y.z", "true").expect("fine");
        assert_eq!(root.get("x").and_then(|x| x.get("y")).and_then(|y| y.get("z")).expect("there").describe(), "true");
        assert_eq!(applied("", "x", "1").expect("fine").get("x").expect("there").describe(), "the number 1");
    }

    #[test]
    fn what_can_not_be_set_is_refused() {
        assert_eq!(
            applied("a: [1]", "a.b", "1").expect_err("a list"),
            "error[invalid-option]: found a list at `a`, expected a mapping, to set one of its keys\n  --> --set (a.b)\n   = set all of it: --set a=VALUE"
        );
        assert_eq!(
            applied("a: 1", "a..b", "1").expect_err("a path"),
            "error[invalid-option]: found `a..b`, expected a dotted path of at most 64 keys\n  --> --set (a..b)\n   = write, for example, --set sources.quakes.path=x.ndjson"
        );
        assert!(
            applied("a: 1", "a", "[1").expect_err("no YAML").starts_with("error[invalid-yaml]: while parsing a flow sequence")
        );
    }
}
