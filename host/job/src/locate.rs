//! Where in a job file a source, an operator or a sink stands: what an error that comes while the job runs is shown with.

use crate::document::{Node, Value, parse};
use crate::place::{Place, Spot};
use crate::problem::Problems;

/// The spot of a source, operator or sink by its name, or of the job's dead letters. `None` where the text has none such.
#[must_use]
pub fn locate(text: &str, name: &str) -> Option<Spot> {
    let root = parse(text, None, &mut Problems::new(""))?;
    let part = |kind: &str| Some((format!("{kind}.{name}"), key_place(root.get(kind)?, name)?));
    let named = ["sources", "operators", "sinks"].into_iter().find_map(part);
    let (path, place) = named.or_else(|| Some((name.to_owned(), key_place(&root, name)?)))?;
    Some(Spot { place, path })
}

fn key_place(node: &Node, key: &str) -> Option<Place> {
    match &node.value {
        Value::Mapping(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| entry.key_place),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_by_its_name() {
        let text = "name: x\nsources: { a: {} }\noperators:\n  b: {}\nsinks:\n  c: {}\ndead-letters: {}\n";
        let at = |name: &str| locate(text, name).map(|spot| (spot.path, spot.place));
        let file = |line, column| Place::File { line, column };
        assert_eq!(at("a"), Some(("sources.a".to_owned(), file(2, 12))));
        assert_eq!(at("b"), Some(("operators.b".to_owned(), file(4, 3))));
        assert_eq!(at("c"), Some(("sinks.c".to_owned(), file(6, 3))));
        assert_eq!(at("dead-letters"), Some(("dead-letters".to_owned(), file(7, 1))));
        assert_eq!(at("nobody"), None);
        assert_eq!(locate("[", "a"), None);
    }
}
