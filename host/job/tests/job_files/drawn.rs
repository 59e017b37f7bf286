//! What `explain --format json`, `mermaid` and `dot` give, read by strict readers of what Wasmill uses of those languages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use wasmill_job::explain::Explanation;
use wasmill_job::plan::plan;

use crate::accepted::EARTHQUAKES;
use crate::catalog::{around, job};

fn explained(text: &str) -> Explanation {
    let job = job(text);
    Explanation::of(&job, &plan(&job))
}

/// The nodes of each box.
type Boxes = BTreeMap<String, Vec<String>>;
/// From where, to where, and what is written on it.
type Arrow = (String, String, String);

/// A diagram, whatever language it was written in: boxes with the labels of their nodes, and arrows with theirs.
#[derive(Debug, Default, PartialEq)]
struct Diagram {
    boxes: Boxes,
    labels: BTreeMap<String, String>,
    arrows: Vec<Arrow>,
}

impl Diagram {
    /// The diagram with nodes by the first line of their labels.
    fn named(self) -> (Boxes, Vec<Arrow>) {
        let name = |id: &String| self.labels[id].split('\n').next().unwrap_or_default().to_owned();
        let unique: BTreeSet<String> = self.labels.keys().map(name).collect();
        assert_eq!(unique.len(), self.labels.len(), "each node is there once");
        let boxes = self.boxes.iter().map(|(title, ids)| (title.clone(), ids.iter().map(name).collect())).collect();
        (boxes, self.arrows.iter().map(|(from, to, label)| (name(from), name(to), label.clone())).collect())
    }
}

fn is_id(text: &str) -> bool {
    text.starts_with('n') && text.len() > 1 && text[1..].chars().all(|c| c.is_ascii_digit())
}

/// A text in Mermaid's quotes, with characters by number back in their places.
fn mermaid_text(text: &str) -> String {
    assert!(!text.contains('"') && !text.replace("<br/>", "").contains(['<', '>', '`', '\\']), "{text}");
    let lines = text.split("<br/>").map(|line| {
        let mut pieces = line.split('#');
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (number, rest) = piece.split_once(';').expect("a character by number");
            out.push(number.parse::<u32>().ok().and_then(char::from_u32).expect("a character"));
            out.push_str(rest);
        }
        out
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn read_mermaid(text: &str) -> Diagram {
    let mut diagram = Diagram::default();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("flowchart LR"));
    let mut open: Option<String> = None;
    for line in lines {
        if let Some(rest) = line.strip_prefix("  subgraph stage") {
            assert!(open.is_none(), "a box within a box");
            let (number, title) = rest.split_once("[\"").expect("a title");
            assert!(number.parse::<u32>().is_ok());
            open = Some(mermaid_text(title.strip_suffix("\"]").expect("a title ends")));
        } else if line == "  end" {
            open.take().expect("a box that is open");
        } else if let Some(node) = line.strip_prefix("    ") {
            let (id, label) = node.split_once("[\"").expect("a node");
            assert!(is_id(id), "{line}");
            diagram.boxes.entry(open.clone().expect("a box")).or_default().push(id.to_owned());
            let label = mermaid_text(label.strip_suffix("\"]").expect("a label ends"));
            assert!(diagram.labels.insert(id.to_owned(), label).is_none());
        } else {
            let (from, rest) = line.trim_start().split_once(' ').expect("an arrow");
            let rest = rest.strip_prefix("-->|\"").or_else(|| rest.strip_prefix("==>|\"")).expect("an arrow with a label");
            let (label, to) = rest.rsplit_once("\"| ").expect("a label ends");
            assert!(is_id(from) && is_id(to), "{line}");
            let label = mermaid_text(label);
            diagram.arrows.push((from.to_owned(), to.to_owned(), label));
        }
    }
    assert!(open.is_none());
    diagram
}

/// The text in Graphviz' quotes that this begins with, and what is after it.
fn dot_text(text: &str) -> (String, &str) {
    let mut characters = text.strip_prefix('"').expect("a quote").char_indices();
    let mut out = String::new();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (out, &text[at + 2..]),
            '\\' => match characters.next().expect("an escape").1 {
                'n' => out.push('\n'),
                escaped @ ('"' | '\\') => out.push(escaped),
                unknown => panic!("\\{unknown}"),
            },
            character => out.push(character),
        }
    }
    panic!("quotes that don't end: {text}")
}

fn read_dot(text: &str, name: &str) -> Diagram {
    let mut diagram = Diagram::default();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(format!("digraph \"{name}\" {{").as_str()));
    assert_eq!(lines.next(), Some("  rankdir=LR;"));
    assert_eq!(lines.next(), Some("  node [shape=box];"));
    assert_eq!(lines.next_back(), Some("}"));
    let mut open: Option<String> = None;
    while let Some(line) = lines.next() {
        if line.starts_with("  subgraph cluster_") {
            let title = lines.next().and_then(|line| line.strip_prefix("    label=")).expect("a label");
            let (title, rest) = dot_text(title);
            assert_eq!(rest, ";");
            open = Some(title);
        } else if line == "  }" {
            open.take().expect("a box that is open");
        } else if let Some(node) = line.strip_prefix("    ") {
            let (id, label) = node.split_once(" [label=").expect("a node");
            let (label, rest) = dot_text(label);
            assert!(is_id(id) && rest == "];", "{line}");
            diagram.boxes.entry(open.clone().expect("a box")).or_default().push(id.to_owned());
            assert!(diagram.labels.insert(id.to_owned(), label).is_none());
        } else {
            let (from, rest) = line.trim_start().split_once(" -> ").expect("an arrow");
            let (to, label) = rest.split_once(" [label=").expect("a label");
            let (label, rest) = dot_text(label);
            assert!(is_id(from) && is_id(to) && matches!(rest, ", style=solid];" | ", style=bold];"), "{line}");
            diagram.arrows.push((from.to_owned(), to.to_owned(), label));
        }
    }
    diagram
}

#[test]
fn both_diagrams_have_the_stages_the_nodes_and_the_arrows_of_the_plan() {
    let explained = explained(EARTHQUAKES);
    let (boxes, arrows) = read_mermaid(&explained.mermaid()).named();
    assert_eq!((boxes.clone(), arrows.clone()), read_dot(&explained.dot(), "earthquakes").named());
    let expected = [
        ("stage 1: 1 task", vec!["quakes", "strong", "graded", "grades", "broken"]),
        ("stage 2: 4 tasks", vec!["per_net"]),
        ("stage 3: 1 task", vec!["report"]),
        ("stage 4: 1 task", vec!["dead-letters"]),
    ];
    let expected = expected.map(|(title, nodes)| (title.to_owned(), nodes.into_iter().map(str::to_owned).collect()));
    assert_eq!(boxes, BTreeMap::from(expected));
    let arrow = |from: &str, to: &str, label: &str| (from.to_owned(), to.to_owned(), label.to_owned());
    for expected in [
        arrow("quakes", "strong", "call, 5 columns"),
        arrow("graded", "broken", "broken, call, 1 column"),
        arrow("strong", "per_net", "by key net, 5 columns"),
        arrow("per_net", "report", "gathered, 3 columns"),
    ] {
        assert!(arrows.contains(&expected), "{expected:?} in {arrows:#?}");
    }
}

#[test]
fn whatever_an_expression_holds_a_diagram_stays_one() {
    let text = "  out: { input: quakes, filter: \"mag <> 'a\\\"]|#;`\\\\<b>&'\" }";
    let explained = explained(&around(text));
    let label = |diagram: Diagram| diagram.labels.values().find(|label| label.starts_with("out\n")).cloned();
    let expected = "out\nfilter mag <> 'a\"]|#;`\\<b>&'";
    assert_eq!(label(read_mermaid(&explained.mermaid())).as_deref(), Some(expected));
    assert_eq!(label(read_dot(&explained.dot(), "t")).as_deref(), Some(expected));
}

#[test]
fn programs_get_a_job_with_what_each_part_reads_and_gives() {
    let without: Vec<&str> = EARTHQUAKES.lines().filter(|line| !line.starts_with("dead-letters")).collect();
    let explained = serde_json::to_value(explained(&without.join("\n"))).expect("JSON");
    assert_eq!(explained["stages"][1], json!({"tasks": 4, "nodes": ["per_net"]}));
    let per_net = explained["operators"].as_array().expect("a list").iter().find(|operator| operator["name"] == "per_net");
    assert_eq!(
        per_net,
        Some(&json!({
            "name": "per_net", "does": "running aggregate quakes = count(*), strongest = max(mag)", "plugin": null,
            "inputs": [{
                "name": "main", "from": ["strong"], "key_by": ["net"],
                "reads": [{"name": "net", "type": "utf8"}, {"name": "mag", "type": "float64"}]
            }],
            "outputs": [{"name": "main", "columns": [
                {"name": "net", "type": "utf8"}, {"name": "quakes", "type": "int64 not null"}, {"name": "strongest", "type": "float64"}
            ]}]
        }))
    );
    let flows = explained["flows"].as_array().expect("a list");
    let keyed = json!({"from": "strong", "output": "main", "to": "per_net", "input": "main", "way": "keyed", "key": ["net"], "combined": false, "columns": ["net", "mag"]});
    assert!(flows.contains(&keyed), "{flows:#?}");
    assert_eq!(explained["sinks"][0]["input"], "per_net");
    assert!(explained["after_a_kill"][0].as_str().is_some_and(|text| text.starts_with("state, positions and output files")));
}
