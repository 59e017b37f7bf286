//! YAML text as a tree. What YAML could do and a job file shouldn't (several documents, tags, keys that are no text) is refused,
//! and so is whatever would make the tree larger than its text has any need of.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput};

use crate::document::advice::advice;
use crate::document::{Entry, Node, Scalar, Value};
use crate::place::{Place, Spot};
use crate::problem::{Problems, Words, code};

/// The longest text, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// The deepest nesting of lists and mappings.
const MOST_DEPTH: usize = 64;
/// The most values; those that an alias repeats count again.
const MOST_NODES: usize = 20_000;
/// The most bytes of text that aliases may repeat.
const MOST_REPEATED_BYTES: usize = 4 << 20;

/// Reads a YAML text of one document. Where the text isn't the job file, `elsewhere` is the place of all that is read.
///
/// Takes time and memory linear in the text. `None` where there is a problem: the parser stops at the first.
pub fn parse(text: &str, elsewhere: Option<&Spot>, problems: &mut Problems) -> Option<Node> {
    if text.len() > MOST_BYTES {
        let spot = elsewhere.cloned().unwrap_or_else(Spot::root);
        problems
            .error(code::TOO_LARGE, &spot)
            .found_to_be(format!("{} bytes", text.len()))
            .expected(format!("a job file of at most {MOST_BYTES} bytes"));
        return None;
    }
    let mut tree = Tree { parser: Parser::new_from_str(text), elsewhere, nodes: 0, repeated: 0, anchors: HashMap::new() };
    match tree.document() {
        Ok(node) => Some(node),
        Err(fault) => {
            let problem = problems.error(fault.code, &fault.spot);
            problem.found = Some(fault.found);
            problem.expected(fault.expected);
            let line = problem.line.and_then(|line| text.lines().nth(line.checked_sub(1)?));
            if line.is_some_and(|line| line.contains("${")) && fault.code == code::INVALID_YAML {
                problem.advice("within { } and [ ], put a text with `${` in quotes");
            } else if let Some(advice) = fault.advice {
                problem.advice(advice);
            }
            None
        }
    }
}

/// Why a text is no job file's tree.
struct Fault {
    code: &'static str,
    spot: Spot,
    found: Words,
    expected: String,
    advice: Option<&'static str>,
}

struct Tree<'a> {
    parser: Parser<'a, StrInput<'a>>,
    elsewhere: Option<&'a Spot>,
    nodes: usize,
    repeated: usize,
    anchors: HashMap<usize, Node>,
}

impl<'a> Tree<'a> {
    fn document(&mut self) -> Result<Node, Box<Fault>> {
        let mut root = None;
        loop {
            let (event, start) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(self.fault(start, "a second document", "one document"));
                }
                Event::DocumentStart(_) => {
                    let (event, start) = self.next()?;
                    root = Some(self.node(event, start, 0)?);
                }
                other => return Err(self.fault(start, &format!("{other:?}"), "a document")),
            }
        }
        let nothing = Scalar { text: String::new(), plain: true, substituted: false };
        Ok(root.unwrap_or_else(|| Node { place: self.place(Marker::new(0, 1, 0)), value: Value::Scalar(nothing) }))
    }

    fn next(&mut self) -> Result<(Event<'a>, Marker), Box<Fault>> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start)),
            Some(Err(error)) if error.info().contains("recursion limit") => Err(self.too_deep(*error.marker())),
            Some(Err(error)) => {
                let fault = self.fault(*error.marker(), "", "YAML");
                Err(Box::new(Fault { found: Words::Sentence(error.info().to_owned()), advice: advice(error.info()), ..*fault }))
            }
            None => Err(self.fault(Marker::new(0, 1, 0), "the end of the text", "YAML")),
        }
    }

    /// The node that this event starts, with the events that it consists of. Recursion ends at [`MOST_DEPTH`].
    fn node(&mut self, event: Event<'a>, start: Marker, depth: usize) -> Result<Node, Box<Fault>> {
        self.count(1, start)?;
        if depth > MOST_DEPTH {
            return Err(self.too_deep(start));
        }
        let place = self.place(start);
        let (value, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                (Value::Scalar(Scalar { text: text.into_owned(), plain, substituted: false }), anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (Value::List(self.items(depth)?), anchor, tag),
            Event::MappingStart(anchor, tag) => (Value::Mapping(self.entries(depth)?), anchor, tag),
            Event::Alias(anchor) => return self.repeat(anchor, start),
            other => return Err(self.fault(start, &format!("{other:?}"), "a value")),
        };
        if let Some(tag) = tag {
            return Err(self.fault(start, &format!("the tag `{tag}`"), "a value without a tag"));
        }
        let node = Node { place, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Box<Fault>> {
        let mut items = Vec::new();
        loop {
            let (event, start) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, start, depth + 1)?);
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Box<Fault>> {
        let mut entries = Vec::new();
        let mut keys = HashSet::new();
        loop {
            let (event, start) = self.next()?;
            let (key, plain) = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(key, style, ..) => (key.into_owned(), style == ScalarStyle::Plain),
                Event::Alias(_) => return Err(self.fault(start, "an alias as a key", "a key that is text")),
                Event::SequenceStart(..) => return Err(self.fault(start, "a list as a key", "a key that is text")),
                _ => return Err(self.fault(start, "a mapping as a key", "a key that is text")),
            };
            if key.is_empty() && plain {
                return Err(self.fault(start, "a value without a key", "a key that is text"));
            }
            if !keys.insert(key.clone()) {
                let mut fault = self.fault(start, &format!("`{key}` a second time"), "each key of a mapping once");
                fault.code = code::DUPLICATE_KEY;
                return Err(fault);
            }
            let key_place = self.place(start);
            let (event, start) = self.next()?;
            let mut value = self.node(event, start, depth + 1)?;
            if matches!(&value.value, Value::Scalar(scalar) if scalar.plain && scalar.text.is_empty()) {
                value.place = key_place;
            }
            entries.push(Entry { key, key_place, value });
        }
    }

    /// What an alias stands for, again.
    fn repeat(&mut self, anchor: usize, start: Marker) -> Result<Node, Box<Fault>> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.fault(start, "an alias inside of what it stands for", "an alias of what came before"));
        };
        let (nodes, bytes) = size(node);
        self.repeated += bytes;
        if self.repeated > MOST_REPEATED_BYTES {
            let expected = format!("aliases that repeat at most {MOST_REPEATED_BYTES} bytes");
            return Err(self.too_large(start, "more".to_owned(), expected));
        }
        let node = node.clone();
        self.count(nodes, start)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, start: Marker) -> Result<(), Box<Fault>> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES {
            let (found, expected) = (format!("more than {MOST_NODES} values"), format!("at most {MOST_NODES} values"));
            return Err(self.too_large(start, found, expected));
        }
        Ok(())
    }

    fn place(&self, marker: Marker) -> Place {
        match self.elsewhere {
            Some(spot) => spot.place,
            None => Place::File { line: marker.line().max(1), column: marker.col() + 1 },
        }
    }

    fn fault(&self, marker: Marker, found: &str, expected: &str) -> Box<Fault> {
        let path = self.elsewhere.map_or_else(String::new, |spot| spot.path.clone());
        let spot = Spot { place: self.place(marker), path };
        Box::new(Fault {
            code: code::INVALID_YAML,
            spot,
            found: Words::Phrase(found.to_owned()),
            expected: expected.to_owned(),
            advice: None,
        })
    }

    fn too_deep(&self, marker: Marker) -> Box<Fault> {
        self.too_large(marker, format!("more than {MOST_DEPTH} levels"), format!("at most {MOST_DEPTH} levels"))
    }

    fn too_large(&self, marker: Marker, found: String, expected: String) -> Box<Fault> {
        Box::new(Fault { code: code::TOO_LARGE, ..*self.fault(marker, &found, &expected) })
    }
}

/// How many values a node has, and how many bytes of text.
fn size(node: &Node) -> (usize, usize) {
    let add = |(nodes, bytes): (usize, usize), (more_nodes, more_bytes): (usize, usize)| (nodes + more_nodes, bytes + more_bytes);
    match &node.value {
        Value::Scalar(scalar) => (1, scalar.text.len()),
        Value::List(items) => items.iter().map(size).fold((1, 0), add),
        Value::Mapping(entries) => entries.iter().map(|entry| add(size(&entry.value), (0, entry.key.len()))).fold((1, 0), add),
        Value::Unknown => (1, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{Problem, render};

    fn tree(text: &str) -> Node {
        let mut problems = Problems::new("job.yaml");
        parse(text, None, &mut problems).unwrap_or_else(|| panic!("{:?}", problems.into_sorted()))
    }

    fn problem(text: &str) -> Problem {
        let mut problems = Problems::new("job.yaml");
        assert_eq!(parse(text, None, &mut problems), None, "{text}");
        problems.into_sorted().remove(0)
    }

    fn said(text: &str) -> String {
        render(&problem(text), text)
    }

    #[test]
    fn keys_and_values_have_their_places() {
        let tree = tree("name: x\noperators:\n  strong: { filter: \"mag\" }\n");
        let Value::Mapping(entries) = &tree.value else { panic!("{tree:?}") };
        assert_eq!(entries[1].key, "operators");
        assert_eq!(entries[1].key_place, Place::File { line: 2, column: 1 });
        let strong = tree.get("operators").and_then(|node| node.get("strong")).expect("there");
        assert_eq!(strong.place, Place::File { line: 3, column: 11 });
        assert_eq!(strong.get("filter").expect("there").place, Place::File { line: 3, column: 21 });
    }

    #[test]
    fn json_is_yaml() {
        let tree = tree("{\"name\": \"a\\u00e9\\/b\",\n\t\"list\": [1, true, null, {}]}");
        assert!(matches!(&tree.get("name").expect("there").value, Value::Scalar(scalar) if scalar.text == "aé/b"));
        let Value::List(items) = &tree.get("list").expect("there").value else { panic!("{tree:?}") };
        assert_eq!(items.len(), 4);
    }

    #[test]
    fn aliases_repeat_what_came_before() {
        let tree = tree("a: &x { b: 1 }\nc: *x\n");
        assert_eq!(tree.get("a"), tree.get("c"));
    }

    #[test]
    fn nothing_is_a_document_too() {
        assert_eq!(tree("").describe(), "nothing");
        assert_eq!(tree("# only a comment\n").describe(), "nothing");
    }

    #[test]
    fn a_key_without_a_value_is_where_the_key_is() {
        assert_eq!(tree("a: 1\nb:\nc: 2").get("b").expect("there").place, Place::File { line: 2, column: 1 });
    }

    #[test]
    fn a_key_that_comes_twice_is_refused() {
        assert_eq!(
            said("a: 1\nb: 2\na: 3\n"),
            "error[duplicate-key]: found `a` a second time, expected each key of a mapping once\n  --> job.yaml:3:1\n  |\n3 | a: 3\n  | ^"
        );
    }

    #[test]
    fn what_is_no_yaml_is_said_to_be_none() {
        assert_eq!(
            said("a:\n\t- b"),
            "error[invalid-yaml]: tabs disallowed within this context (block indentation); expected YAML\n  --> job.yaml:2:2\n  |\n2 |  - b\n  |  ^\n   = indent with spaces"
        );
        for (text, advice) in [
            ("a: [1, 2\nb: 3", "close each `[` and `{` before the next key"),
            ("a: {x: 1", "close each `{`, put commas between entries, and quotes around a text with `: ` in it"),
            ("a: \"x", "close the quotes"),
            ("a: 'x' > 1", "put all of the text in quotes"),
            ("a: > 1", "put a text that starts with `>` or `|` in quotes"),
            ("a: @b", "put a text that starts with this character in quotes"),
            ("a: *b", "put a text that starts with `*` in quotes"),
            ("a: b: c", "put a text with `: ` in it in quotes, and indent the keys of a mapping alike"),
            ("a:\n  b: 1\n c: 2", "indent the keys of a mapping alike"),
            ("a: b]}\n}", "this bracket closes nothing"),
            ("a: { b: ${C} }", "within { } and [ ], put a text with `${` in quotes"),
        ] {
            assert!(said(text).ends_with(&format!("\n   = {advice}")), "{}", said(text));
        }
    }

    #[test]
    fn what_yaml_can_do_and_job_files_should_not_is_refused() {
        let found = |text| said(text).lines().next().map(str::to_owned).expect("a line");
        assert_eq!(found("a: 1\n---\nb: 2"), "error[invalid-yaml]: found a second document, expected one document");
        assert_eq!(found("a: !x 1"), "error[invalid-yaml]: found the tag `!x`, expected a value without a tag");
        assert_eq!(found("[a]: 1"), "error[invalid-yaml]: found a list as a key, expected a key that is text");
        assert_eq!(found("? {a: 1}\n: 1"), "error[invalid-yaml]: found a mapping as a key, expected a key that is text");
        assert_eq!(found(": 1"), "error[invalid-yaml]: found a value without a key, expected a key that is text");
        assert_eq!(
            found("a: &x [*x]"),
            "error[invalid-yaml]: found an alias inside of what it stands for, expected an alias of what came before"
        );
    }

    #[test]
    fn hostile_yaml_is_refused_in_no_time() {
        let first = |text: &str| said(text).lines().next().map(str::to_owned).expect("a line");
        assert_eq!(first(&"[".repeat(1 << 20)), "error[too-large]: found more than 64 levels, expected at most 64 levels");
        assert_eq!(first(&"- ".repeat(1 << 19)), "error[too-large]: found more than 64 levels, expected at most 64 levels");
        assert_eq!(first(&"? ".repeat(1 << 19)), "error[invalid-yaml]: found a mapping as a key, expected a key that is text");
        assert_eq!(first(&"[1],".repeat(1 << 18)).split('[').next(), Some("error"));
        assert_eq!(
            first(&format!("[{}]", "1,".repeat(1 << 18))),
            "error[too-large]: found more than 20000 values, expected at most 20000 values"
        );
        assert_eq!(
            first(&" ".repeat((1 << 20) + 1)),
            "error[too-large]: found 1048577 bytes, expected a job file of at most 1048576 bytes"
        );
        let laughs: String =
            (1..20).map(|level| format!("l{level}: &l{level} [{}]\n", format!("*l{},", level - 1).repeat(10))).collect();
        assert_eq!(
            first(&format!("l0: &l0 lol\n{laughs}")),
            "error[too-large]: found more than 20000 values, expected at most 20000 values"
        );
        let long = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 19), "*a,".repeat(1000));
        assert_eq!(first(&long), "error[too-large]: found more, expected aliases that repeat at most 4194304 bytes");
    }
}
