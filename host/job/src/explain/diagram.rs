//! A job as a diagram: stages as boxes around their nodes, and how rows get from one to another.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::graph::{Explanation, Flow, Way};
use crate::graph::MAIN_PORT;

/// The most characters of what a node does that are drawn.
const MOST: usize = 48;

impl Explanation {
    /// The job as a Mermaid flowchart. It ends with a newline.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let ids = self.ids();
        let mut out = "flowchart LR\n".to_owned();
        for (index, stage) in self.stages.iter().enumerate() {
            let _ = writeln!(out, "  subgraph stage{}[\"{}\"]", index + 1, title(index, stage.tasks));
            for name in &stage.nodes {
                let _ = writeln!(out, "    {}[\"{}\"]", ids[name.as_str()], self.label(name).map(mermaid_text).join("<br/>"));
            }
            let _ = writeln!(out, "  end");
        }
        for flow in &self.flows {
            let arrow = if flow.way == Way::Call { "-->" } else { "==>" };
            let text = mermaid_text(&flow.label());
            let _ = writeln!(out, "  {} {arrow}|\"{text}\"| {}", ids[flow.from.as_str()], ids[flow.to.as_str()]);
        }
        out
    }

    /// The job as a graph in Graphviz' language. It ends with a newline.
    #[must_use]
    pub fn dot(&self) -> String {
        let ids = self.ids();
        let mut out = format!("digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=box];\n", dot_text(&self.job));
        for (index, stage) in self.stages.iter().enumerate() {
            let _ = writeln!(out, "  subgraph cluster_{} {{\n    label=\"{}\";", index + 1, title(index, stage.tasks));
            for name in &stage.nodes {
                let _ = writeln!(out, "    {} [label=\"{}\"];", ids[name.as_str()], self.label(name).map(dot_text).join("\\n"));
            }
            let _ = writeln!(out, "  }}");
        }
        for flow in &self.flows {
            let style = if flow.way == Way::Call { "solid" } else { "bold" };
            let text = dot_text(&flow.label());
            let _ =
                writeln!(out, "  {} -> {} [label=\"{text}\", style={style}];", ids[flow.from.as_str()], ids[flow.to.as_str()]);
        }
        out.push_str("}\n");
        out
    }

    /// Nodes' names in a diagram: numbers, since a job's names may be a language's words.
    fn ids(&self) -> BTreeMap<&str, String> {
        let names = self.stages.iter().flat_map(|stage| &stage.nodes);
        names.enumerate().map(|(number, name)| (name.as_str(), format!("n{number}"))).collect()
    }

    /// A node's name, and what it does.
    fn label<'a>(&'a self, name: &'a str) -> [&'a str; 2] {
        let sources = self.sources.iter().map(|source| (&source.name, &source.does));
        let operators = self.operators.iter().map(|operator| (&operator.name, &operator.does));
        let sinks = self.sinks.iter().map(|sink| (&sink.name, &sink.does));
        let does = sources.chain(operators).chain(sinks).find(|(named, _)| *named == name).map_or("", |(_, does)| does);
        [name, does]
    }
}

impl Flow {
    /// What is written on its arrow.
    fn label(&self) -> String {
        let way = match self.way {
            Way::Call => "call".to_owned(),
            Way::Forward => "task to task".to_owned(),
            Way::Gather => "gathered".to_owned(),
            Way::Broadcast => "broadcast".to_owned(),
            Way::Keyed => format!("by key {}", self.key.join(", ")),
        };
        let output = if self.output == MAIN_PORT { String::new() } else { format!("{}, ", self.output) };
        let input = if self.input == MAIN_PORT { String::new() } else { format!("into {}, ", self.input) };
        let columns = match self.columns.len() {
            1 => "1 column".to_owned(),
            columns => format!("{columns} columns"),
        };
        format!("{output}{input}{way}, {columns}")
    }
}

fn title(index: usize, tasks: u32) -> String {
    let tasks = if tasks == 1 { "1 task".to_owned() } else { format!("{tasks} tasks") };
    format!("stage {}: {tasks}", index + 1)
}

/// The first characters of a text.
fn short(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text within quotes of Mermaid's, where characters that mean something are written by number.
fn mermaid_text(text: &str) -> String {
    short(text).chars().fold(String::new(), |mut out, c| {
        match c {
            '"' | '#' | '<' | '>' | '&' | ';' | '`' | '\\' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        out
    })
}

/// A text within quotes of Graphviz'.
fn dot_text(text: &str) -> String {
    short(text).chars().fold(String::new(), |mut out, c| {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_its_quotes() {
        assert_eq!(mermaid_text("a \"b\" <c>;\n"), "a #34;b#34; #60;c#62;#59; ");
        assert_eq!(dot_text("a \"b\" \\n\n"), "a \\\"b\\\" \\\\n ");
        assert_eq!(short(&"x".repeat(100)).chars().count(), MOST + 1);
    }
}
