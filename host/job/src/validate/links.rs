//! References by name, looked up: which source or operator each operator and sink reads.

use std::collections::HashMap;

use crate::graph;
use crate::nearest::nearest;
use crate::place::{At, Place, Spot};
use crate::problem::{Problems, code};
use crate::written;

/// A source or operator, by its place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    Source(usize),
    Operator(usize),
}

/// A reference that leads somewhere.
#[derive(Debug, Clone)]
pub struct Link {
    /// Where it leads.
    pub node: Linked,
    /// The output that it names; the main one where it names none.
    pub port: Option<String>,
    /// The reference as written.
    pub written: At<String>,
}

/// All references of a job; `None` for those that lead nowhere or aren't there.
pub struct Links {
    /// For each operator those of its first input, then those of the next.
    pub of_operators: Vec<Vec<Option<Link>>>,
    pub of_sinks: Vec<Option<Link>>,
}

impl Links {
    /// Looks up all references, with a complaint about each that leads nowhere and each name that is there twice.
    pub fn resolve(job: &written::Job, problems: &mut Problems) -> Self {
        let names = Names::collect(job, problems);
        let of_operators = job.operators.iter().map(|operator| match references(operator) {
            Some(references) => references.map(|reference| names.look_up(reference, problems)).collect(),
            None => vec![None],
        });
        let of_operators = of_operators.collect();
        let of_sinks = job.sinks.iter().map(|sink| names.look_up(sink.input.as_ref()?, problems)).collect();
        Self { of_operators, of_sinks }
    }

    /// Whether anybody names this output of an operator.
    pub fn reads_port(&self, operator: usize, port: &str) -> bool {
        let all = self.of_operators.iter().flatten().chain(&self.of_sinks).flatten();
        all.into_iter().any(|link| link.node == Linked::Operator(operator) && link.port.as_deref() == Some(port))
    }

    /// For each operator, the operators that it reads.
    pub fn operator_dependencies(&self) -> Vec<Vec<usize>> {
        let operator = |link: &Option<Link>| match link.as_ref()?.node {
            Linked::Operator(index) => Some(index),
            Linked::Source(_) => None,
        };
        self.of_operators.iter().map(|links| links.iter().filter_map(operator).collect()).collect()
    }

    /// Where an operator names another as its input.
    pub fn spot_of_link(&self, job: &written::Job, operator: usize, input: usize) -> Option<Spot> {
        let position = self.of_operators[operator]
            .iter()
            .position(|link| link.as_ref().is_some_and(|link| link.node == Linked::Operator(input)))?;
        Some(references(&job.operators[operator])?.nth(position)?.spot.clone())
    }
}

/// The streams that an operator reads, input by input.
fn references(operator: &written::Operator) -> Option<impl Iterator<Item = &At<String>>> {
    Some(operator.inputs.as_ref()?.iter().flat_map(|input| &input.from))
}

/// Complains about an output that its operator doesn't have.
pub fn report_port(link: &Link, ports: &[graph::Port], problems: &mut Problems) {
    let name = link.written.value.split('.').next().unwrap_or_default();
    let port = link.port.as_deref().unwrap_or_default();
    let known = ports.iter().map(|known| known.name.as_str());
    let meant = nearest(port, known.clone()).map(|known| format!("{name}.{known}"));
    let outputs: Vec<&str> = known.collect();
    let problem = problems.error(code::UNKNOWN_INPUT, &link.written.spot).found(link.written.value.clone());
    problem.expected(format!("an output of `{name}`: {}", outputs.join(", "))).meant(meant.as_deref());
    if let (None, Some(first)) = (&link.port, outputs.first()) {
        problem.advice(format!("name the one that is meant, as in `{name}.{first}`"));
    }
}

/// What a name stands for.
#[derive(Clone, Copy)]
enum Named {
    Source(usize),
    Operator(usize),
    Sink,
}

struct Names<'a> {
    known: HashMap<&'a str, Named>,
    /// Names that can be read, in the order of the file.
    readable: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn collect(job: &'a written::Job, problems: &mut Problems) -> Self {
        let sources = job.sources.iter().enumerate().map(|(index, source)| (&source.name, Named::Source(index)));
        let operators = job.operators.iter().enumerate().map(|(index, operator)| (&operator.name, Named::Operator(index)));
        let sinks = job.sinks.iter().map(|sink| (&sink.name, Named::Sink));
        let mut known: HashMap<&str, (Named, Place)> = HashMap::new();
        let mut readable = Vec::new();
        for (name, named) in sources.chain(operators).chain(sinks) {
            if let Some((earlier, place)) = known.get(name.value.as_str()) {
                let line = match place {
                    Place::File { line, .. } => format!(" in line {line}"),
                    Place::Option(option) => format!(" in {option}"),
                };
                problems
                    .error(code::DUPLICATE_NAME, &name.spot)
                    .found(name.value.clone())
                    .expected("a name of its own among sources, operators and sinks")
                    .advice(format!("{} has it already{line}", earlier.kind()));
                continue;
            }
            known.insert(&name.value, (named, name.spot.place));
            if !matches!(named, Named::Sink) {
                readable.push(name.value.as_str());
            }
        }
        Self { known: known.into_iter().map(|(name, (named, _))| (name, named)).collect(), readable }
    }

    fn look_up(&self, written: &At<String>, problems: &mut Problems) -> Option<Link> {
        let (name, port) = match written.value.split_once('.') {
            Some((name, port)) => (name, Some(port.to_owned())),
            None => (written.value.as_str(), None),
        };
        let node = match self.known.get(name) {
            Some(Named::Source(index)) => Linked::Source(*index),
            Some(Named::Operator(index)) => Linked::Operator(*index),
            Some(Named::Sink) => {
                problems
                    .error(code::UNKNOWN_INPUT, &written.spot)
                    .found(written.value.clone())
                    .expected("the name of a source or operator")
                    .advice(format!("`{name}` is a sink; read what it reads"));
                return None;
            }
            None => {
                let meant = nearest(name, self.readable.iter().copied());
                problems
                    .error(code::UNKNOWN_INPUT, &written.spot)
                    .found(written.value.clone())
                    .expected("the name of a source or operator")
                    .meant(meant);
                return None;
            }
        };
        Some(Link { node, port, written: written.clone() })
    }
}

impl Named {
    fn kind(self) -> &'static str {
        match self {
            Self::Source(_) => "a source",
            Self::Operator(_) => "an operator",
            Self::Sink => "a sink",
        }
    }
}
