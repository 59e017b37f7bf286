//! From what was written to a [`Job`] without faults: names looked up, columns and types followed from the sources to the sinks.

mod aggregate;
mod event_time;
mod expression;
mod files;
mod followed;
mod inputs;
mod links;
mod operator;
mod order;
mod parallelism;
mod paths;
mod prune;
mod table;
mod union;
mod warnings;
mod window;

use std::path::Path;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use wasmill_flow::column_type;

use crate::catalog::{Catalog, ColumnarFile};
use crate::graph::{self, Job};
use crate::place::{At, Spot};
use crate::problem::{Problems, code};
use crate::written;
use links::{Link, Links};

/// What a job is validated with.
pub struct Given<'a> {
    /// The job file's text, to show places within expressions.
    pub text: &'a str,
    /// The job file as it was named.
    pub file: &'a str,
    /// What paths in it are relative to.
    pub dir: &'a Path,
    /// `--parallelism`.
    pub parallelism: Option<u32>,
    /// The parallelism of a job that doesn't say.
    pub default_parallelism: u32,
    /// What knows expressions and plugins.
    pub catalog: &'a dyn Catalog,
}

/// Validates a job as a whole. Where there is no problem that is an error, there is a job.
pub fn validate(job: &written::Job, given: &Given<'_>, problems: &mut Problems) -> Option<Job> {
    let parallel = parallelism::resolve(job, given, problems);
    let links = Links::resolve(job, problems);
    let order = order::order(&links.operator_dependencies());
    report_cycles(job, &links, &order.cycles, problems);

    let sources: Vec<Option<graph::Source>> = job.sources.iter().map(|source| resolve_source(source, given, problems)).collect();
    let count = job.operators.len();
    let mut resolved = Resolved { sources, operators: vec![None; count], positions: vec![0; count] };
    for (position, &index) in order.sequence.iter().enumerate() {
        resolved.positions[index] = position;
        let streams: Vec<_> = links.of_operators[index].iter().map(|link| resolved.output(link.as_ref()?, problems)).collect();
        let streams: Option<Vec<_>> = streams.into_iter().collect();
        let late_is_read = links.reads_port(index, graph::LATE_PORT);
        resolved.operators[index] = operator::resolve(&job.operators[index], streams, late_is_read, given, problems);
    }
    let by_epoch = job.checkpoint.is_some();
    let sinks: Vec<Option<graph::Sink>> = (job.sinks.iter().zip(&links.of_sinks))
        .map(|(sink, link)| {
            let output = link.as_ref().and_then(|link| resolved.output(link, problems));
            let connector = sink.connector.as_ref().and_then(|connector| resolve_sink(connector, by_epoch, given, problems));
            let (output, connector) = (output?, connector?);
            refuse_nested_in_csv(sink, &connector, &output.schema, problems);
            table::check_columns(sink, &output.schema, problems);
            Some(graph::Sink { name: sink.name.value.clone(), input: output.upstream, connector, schema: output.schema })
        })
        .collect();
    if let (Some(spot), true) = (&job.sinks_spot, job.sinks.is_empty()) {
        problems.error(code::NO_SINK, spot).found_to_be("no sinks").expected("at least one: a job without a sink writes nothing");
    }
    let dead_letters = job.dead_letters.as_ref().map(|letters| {
        let connector = letters.connector.as_ref().and_then(|connector| resolve_sink(connector, by_epoch, given, problems));
        connector.map(|connector| graph::DeadLetters { connector, limit: letters.limit })
    });
    let checkpoint = job.checkpoint.as_ref().map(|checkpoint| resolve_checkpoint(checkpoint, given, problems));
    let restart = resolve_restart(job, problems);
    files::check(job, given, problems);
    if problems.any_error() {
        return None;
    }

    let mut operators: Vec<Option<graph::Operator>> = resolved.operators;
    let resolved = Job {
        name: job.name.as_ref()?.value.clone(),
        parallelism: parallel.tasks,
        key_groups: parallel.key_groups,
        batch: job.batch,
        sources: resolved.sources.into_iter().collect::<Option<_>>()?,
        operators: order.sequence.iter().map(|&index| operators[index].take()).collect::<Option<_>>()?,
        sinks: sinks.into_iter().collect::<Option<_>>()?,
        dead_letters: match dead_letters {
            Some(letters) => Some(letters?),
            None => None,
        },
        checkpoint: match checkpoint {
            Some(checkpoint) => Some(checkpoint?),
            None => None,
        },
        restart,
    };
    warnings::warn(job, &resolved, problems);
    // A dead letter holds the whole row, so that all of it is read.
    let whole = resolved.dead_letters.is_some();
    Some(if whole { resolved } else { prune::prune(resolved, given.catalog) })
}

/// An output that was found, and what its rows are.
#[derive(Clone)]
pub struct Output {
    upstream: graph::Upstream,
    schema: SchemaRef,
    /// Its rows have event times.
    timed: bool,
}

/// Sources and operators resolved so far, by their place in the file.
struct Resolved {
    sources: Vec<Option<graph::Source>>,
    operators: Vec<Option<graph::Operator>>,
    /// For each operator, its place in topological order.
    positions: Vec<usize>,
}

impl Resolved {
    /// The output that a link leads to; a complaint where its operator has no such output. `None` without a complaint where
    /// something is wrong with what it leads to.
    fn output(&self, link: &Link, problems: &mut Problems) -> Option<Output> {
        let (node, timed, ports) = match link.node {
            links::Linked::Source(index) => {
                let source = self.sources[index].as_ref()?;
                let port = graph::Port { name: graph::MAIN_PORT.to_owned(), schema: Arc::clone(&source.schema) };
                (graph::NodeId::Source(index), source.event_time.is_some(), vec![port])
            }
            links::Linked::Operator(index) => {
                let operator = self.operators[index].as_ref()?;
                (graph::NodeId::Operator(self.positions[index]), operator.timed, operator.ports.clone())
            }
        };
        let name = link.port.as_deref().unwrap_or(graph::MAIN_PORT);
        let Some(port) = ports.iter().position(|port| port.name == name) else {
            links::report_port(link, &ports, problems);
            return None;
        };
        Some(Output { upstream: graph::Upstream { node, port }, schema: Arc::clone(&ports[port].schema), timed })
    }
}

fn report_cycles(job: &written::Job, links: &Links, cycles: &[Vec<usize>], problems: &mut Problems) {
    for cycle in cycles {
        let names: Vec<&str> = cycle.iter().chain(cycle.first()).map(|&index| job.operators[index].name.value.as_str()).collect();
        let spot = cycle.first().and_then(|&first| links.spot_of_link(job, first, *cycle.last()?));
        problems
            .error(code::CYCLE, &spot.unwrap_or_else(Spot::root))
            .found_to_be(names.join(" -> "))
            .expected("operators that don't read what they write")
            .advice("let one of them read a source instead");
    }
}

fn resolve_source(source: &written::Source, given: &Given<'_>, problems: &mut Problems) -> Option<graph::Source> {
    use written::SourceConnector as Written;
    let (connector, schema) = match source.connector.as_ref()? {
        Written::File { path, format, compression, parallel_files, follow, schema } => {
            let found = path.as_ref().and_then(|path| paths::local(path, given.dir, problems));
            let path = path.as_ref()?;
            followed::check(path, *compression, parallel_files.as_ref(), follow.as_ref(), source.limit, problems);
            let is_set = |flag: &Option<At<bool>>| flag.as_ref().is_some_and(|flag| flag.value);
            let (found, format) = (found?, format.clone()?);
            let schema = match format {
                graph::FormatIn::Columnar(columnar) => file_columns(path, &found, columnar, schema.as_ref(), given, problems)?,
                graph::FormatIn::Json(_) | graph::FormatIn::Csv(_) => schema.clone()?,
            };
            let file = graph::SourceConnector::File {
                written: path.value.clone(),
                path: found,
                format,
                compression: *compression,
                parallel_files: is_set(parallel_files),
                follow: is_set(follow),
            };
            (file, schema)
        }
        Written::Stdio { format, schema, .. } => (graph::SourceConnector::Stdio { format: format.clone()? }, schema.clone()?),
        Written::Generator(generator) => {
            let generator = generator.clone()?;
            let schema = generator.workload.schema();
            (graph::SourceConnector::Generator(generator), schema)
        }
    };
    let (event_time, schema) = match &source.event_time {
        Some(time) => event_time::resolve(time, &schema, given, problems).map(|(time, schema)| (Some(time), schema))?,
        None => (None, schema),
    };
    Some(graph::Source {
        name: source.name.value.clone(),
        connector,
        limit: source.limit,
        schema,
        event_time,
        unread: Vec::new(),
        predicate: None,
    })
}

/// The columns of a file that brings its own.
fn file_columns(
    written: &At<String>,
    path: &Path,
    format: graph::ColumnarIn,
    declared: Option<&SchemaRef>,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<SchemaRef> {
    let file = ColumnarFile { written: &written.value, path, format };
    match given.catalog.columns(&file, declared) {
        Ok(schema) => Some(schema),
        Err(fault) => {
            let problem = problems.error(fault.code, &written.spot).message(fault.message);
            problem.expected("a file whose columns can be read");
            if let Some(hint) = fault.hint {
                problem.advice(hint);
            }
            None
        }
    }
}

fn resolve_sink(
    sink: &written::SinkConnector,
    by_epoch: bool,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<graph::SinkConnector> {
    use written::SinkConnector as Written;
    Some(match sink {
        Written::File { path: Some(path), existing, format, compression } if path.value.contains("://") => {
            let (url, format) = (bucket(path, problems)?, (*format)?);
            graph::SinkConnector::Bucket { url, existing: *existing, format, compression: *compression }
        }
        Written::File { path, existing, format, compression } => {
            let found = path.as_ref().and_then(|path| paths::local(path, given.dir, problems));
            let (path, found, format, existing) = (path.as_ref()?, found?, (*format)?, *existing);
            let is_folder = path.value.ends_with('/');
            if let (graph::FormatOut::Columnar(_), false) = (format, is_folder)
                && (by_epoch || existing == graph::Existing::Append)
            {
                let problem = problems.error(code::INVALID_VALUE, &path.spot).found(path.value.clone());
                problem.expected("a folder, whose path ends in `/`: a file of columns is whole at its end only");
                problem.advice(if by_epoch {
                    "each checkpoint then adds a file to the folder"
                } else {
                    "`existing: append` then adds a file to the folder"
                });
                return None;
            }
            graph::SinkConnector::File {
                written: path.value.clone(),
                path: found,
                is_folder,
                existing,
                format,
                compression: *compression,
            }
        }
        Written::Stdio { format, .. } => graph::SinkConnector::Stdio { format: (*format)? },
        Written::Table(sink) => graph::SinkConnector::Table(table::resolve(sink, given, problems)?),
        Written::Blackhole => graph::SinkConnector::Blackhole,
    })
}

/// Complains about a column of lists or structs that would go to CSV, which has no form for them.
fn refuse_nested_in_csv(sink: &written::Sink, connector: &graph::SinkConnector, schema: &SchemaRef, problems: &mut Problems) {
    use graph::SinkConnector as Connector;
    let (Connector::File { format, .. } | Connector::Bucket { format, .. } | Connector::Stdio { format }) = connector else {
        return;
    };
    let nested = schema.fields().iter().find(|field| column_type::is_nested(field.data_type()));
    if let (graph::FormatOut::Csv(_), Some(field), Some(input)) = (format, nested, &sink.input) {
        let problem = problems.error(code::TYPE_NOT_IN_CSV, &input.spot);
        problem
            .found_to_be(format!("column `{}`, which is {}", field.name(), column_type::name(field.data_type())))
            .expected("columns that CSV can have: no list and no struct")
            .advice("`drop` it or `select` parts of it before, `unnest` it, or write json, parquet or arrow");
    }
}

/// What buckets' URLs begin with.
const BUCKETS: &[&str] = &["s3://", "gs://", "az://"];

/// The URL of a bucket, where something else than a path of the local file system is written.
fn bucket(written: &At<String>, problems: &mut Problems) -> Option<String> {
    let url = &written.value;
    match BUCKETS.iter().find_map(|scheme| url.strip_prefix(scheme)) {
        Some(bucket) if bucket.is_empty() || bucket.starts_with('/') => {
            let problem = problems.error(code::INVALID_VALUE, &written.spot).found(url.clone());
            problem.expected("a bucket behind `//`, as in s3://bucket/prefix");
            None
        }
        Some(_) => Some(url.clone()),
        None => {
            let problem = problems.error(code::NOT_IN_THIS_VERSION, &written.spot).found(url.clone());
            problem.expected("a path of the local file system, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix");
            None
        }
    }
}

fn resolve_store(written: &At<String>, given: &Given<'_>, problems: &mut Problems) -> Option<graph::StorePlace> {
    match written.value.as_str() {
        url if url.contains("://") => bucket(written, problems).map(graph::StorePlace::Url),
        "memory:" => Some(graph::StorePlace::Url(written.value.clone())),
        _ => paths::local(written, given.dir, problems).map(graph::StorePlace::Directory),
    }
}

fn resolve_checkpoint(checkpoint: &written::Checkpoint, given: &Given<'_>, problems: &mut Problems) -> Option<graph::Checkpoint> {
    let store = resolve_store(checkpoint.store.as_ref()?, given, problems)?;
    let written::Checkpoint { every, retain, base_every, timeout, verify, .. } = *checkpoint;
    Some(graph::Checkpoint { every, store, retain, base_every, timeout, verify })
}

/// How often the job is started again: with checkpoints as it says, or by default; without them never.
fn resolve_restart(job: &written::Job, problems: &mut Problems) -> graph::Restart {
    match (&job.restart, &job.checkpoint) {
        (Some(restart), None) if restart.value.attempts > 0 => {
            problems
                .error(code::MISPLACED_KEY, &restart.spot)
                .found_to_be("`restart` in a job without `checkpoint`")
                .expected("`checkpoint`: without one a job has nothing to go on from, and would write its rows again")
                .advice("add `checkpoint: { store: PATH }`, or leave `restart` out");
            graph::Restart::NONE
        }
        (_, None) => graph::Restart::NONE,
        (Some(restart), Some(_)) => restart.value,
        (None, Some(_)) => graph::Restart::default(),
    }
}
