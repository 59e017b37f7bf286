//! What the runtime runs: sources, operators and sinks of a validated job.

mod kept;
mod sinks;
mod tables;
mod whole;
mod windows;

use std::sync::Arc;
use std::time::Instant;

use arrow_schema::{Schema, SchemaRef};
use wasmill_connector::blackhole::BlackholeSink;
use wasmill_connector::columnar::{ColumnarIn, ColumnarSource};
use wasmill_connector::csv::CsvIn;
use wasmill_connector::file::{Compressed, Compression, FilePath, FileSource, FileSourceConfig, FollowSource};
use wasmill_connector::generator::{GeneratorConfig, GeneratorSource};
use wasmill_connector::json::JsonIn;
use wasmill_connector::stdio::StdinSource;
use wasmill_connector::{ConnectorError, FormatIn, Limited, Sink, Source, Visibility, generator, json};
use wasmill_flow::{TaskIndex, dead_letter};
use wasmill_job::catalog::PluginProblem;
use wasmill_job::graph::{self, Aggregate, FieldRule, Job, SourceConnector, TimestampUnit, Verb, WindowShape, Workload};
use wasmill_operator::aggregate::{Computation, Emit, RunningAggregate};
use wasmill_operator::filter::Filter;
use wasmill_operator::select::Select;
use wasmill_operator::split::Split;
use wasmill_operator::union::Union;
use wasmill_operator::unnest::Unnest;
use wasmill_operator::window::Windows;
use wasmill_operator::with::With;
use wasmill_operator::{Combiner, DefinitionProblems, Expression, Operator, OperatorError};
use wasmill_plugin::operator::Definition;
use wasmill_plugin::{AggregateDefinition, InputShape, OnPoison, PluginAggregate, PluginOperator, WindowDefinition};
use wasmill_runtime::{Factory, OperatorParts, SinkId};

use super::{Composition, describe, describe_aggregate, limits};
use kept::Kept;
use windows::{milliseconds, windowed};

/// A job's parts.
pub struct JobFactory<'a> {
    job: &'a Job,
    /// The plugins among the operators, by their places.
    plugins: Vec<Option<Definition>>,
    /// The plugins among each operator's aggregates, in their order.
    aggregates: Vec<Vec<AggregateDefinition>>,
    /// The window functions among the operators, by their places.
    windows: Vec<Option<WindowDefinition>>,
    /// When paced sources begin.
    start: Instant,
}

impl Composition {
    /// The parts of a job whose paced sources begin at `start`. To be called outside of any tokio runtime.
    ///
    /// # Errors
    /// Where a plugin no longer is what it was at validation.
    pub fn factory<'a>(&self, job: &'a Job, start: Instant) -> Result<JobFactory<'a>, PluginProblem> {
        let plugins =
            job.operators.iter().map(|operator| self.definition(operator, job.batch.max_rows)).collect::<Result<_, _>>()?;
        let aggregates = job.operators.iter().map(|operator| self.aggregates(operator)).collect::<Result<_, _>>()?;
        let windows = job.operators.iter().map(|operator| self.window_function(operator)).collect::<Result<_, _>>()?;
        Ok(JobFactory { job, plugins, aggregates, windows, start })
    }

    fn aggregates(&self, operator: &graph::Operator) -> Result<Vec<AggregateDefinition>, PluginProblem> {
        let Verb::Aggregate { columns, .. } = &operator.verb else { return Ok(Vec::new()) };
        let mut definitions = Vec::new();
        for (name, computed) in columns {
            let Aggregate::Plugin(graph::AggregatePlugin { plugin, of, .. }) = computed else { continue };
            let component = self.component(&plugin.path)?;
            let settings = plugin.settings.to_string();
            let arguments = handed(&operator.input().schema, Some(of));
            let limits = limits(&plugin.limits);
            let plan = describe_aggregate(&component, &settings, &arguments, &limits)?;
            let (operator, column) = (operator.name.clone(), name.clone());
            definitions.push(AggregateDefinition { operator, column, component, settings, arguments, plan, limits });
        }
        Ok(definitions)
    }

    fn definition(&self, operator: &graph::Operator, batch_rows: usize) -> Result<Option<Definition>, PluginProblem> {
        let Verb::Plugin(plugin) = &operator.verb else { return Ok(None) };
        let component = self.component(&plugin.path)?;
        let settings = plugin.settings.to_string();
        let shape = |input: &graph::Input| InputShape {
            name: input.name.clone(),
            schema: Arc::clone(&input.schema),
            key: input.key_by.clone(),
            broadcast: input.broadcast,
        };
        let inputs: Vec<InputShape> = operator.inputs.iter().map(shape).collect();
        let limits = limits(&plugin.limits);
        let plan = describe(&component, &settings, &inputs, &limits)?;
        Ok(Some(Definition {
            operator: operator.name.clone(),
            component,
            settings,
            inputs,
            plan,
            handed: operator.inputs.iter().map(|input| input.reads.clone()).collect(),
            limits,
            on_poison: on_poison(plugin.on_poison),
            batch_rows,
            timed: operator.timed,
        }))
    }
}

impl JobFactory<'_> {
    /// The digest of an operator's plugin, or of each of its aggregates that are plugins; none where there are none.
    #[must_use]
    pub fn digest(&self, operator: usize) -> Option<String> {
        let aggregates = self.aggregates[operator].iter().map(|definition| &definition.component);
        let windows = self.windows[operator].iter().map(|definition| &definition.component);
        let components = self.plugins[operator].iter().map(|definition| &definition.component).chain(aggregates).chain(windows);
        let digests: Vec<&str> = components.map(|component| &*component.digest).collect();
        (!digests.is_empty()).then(|| digests.join(","))
    }

    /// An aggregate's key, by the columns that it is handed, and what its own columns are computed by.
    fn aggregate(
        &self,
        operator: usize,
        columns: &[(String, Aggregate)],
        task: TaskIndex,
    ) -> (Vec<usize>, Vec<(String, Computation)>) {
        let input = self.job.operators[operator].input();
        let place =
            |column: &usize| input.reads.as_ref().map_or(Some(*column), |reads| reads.iter().position(|each| each == column));
        let mut plugins = self.aggregates[operator].iter();
        let computation = |(name, by): &(String, Aggregate)| match by {
            Aggregate::Sql(text) => Some((name.clone(), Computation::Sql(text.clone()))),
            Aggregate::Plugin(plugin) => {
                let definition = plugins.next()?.clone();
                let foreign = Computation::Foreign {
                    text: by.text(),
                    format: definition.plan.format(),
                    result: definition.plan.result.clone(),
                    of: plugin.of.iter().filter_map(place).collect(),
                    aggregate: Box::new(PluginAggregate::new(definition, task)),
                };
                Some((name.clone(), foreign))
            }
        };
        (input.key_by.iter().filter_map(place).collect(), columns.iter().filter_map(computation).collect())
    }

    /// What can't be: the job was validated.
    fn refused(&self, operator: usize, problems: &DefinitionProblems) -> OperatorError {
        let problems = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        OperatorError {
            code: "internal-definition",
            message: format!("operator `{}`: {problems}", self.job.operators[operator].name),
            row: None,
            hint: None,
        }
    }

    /// An operator, and what it keeps.
    fn made(&self, operator: usize, task: TaskIndex) -> Result<(Box<dyn Operator>, Kept), OperatorError> {
        let definition = &self.job.operators[operator];
        let input = definition.input();
        let schema = handed(&input.schema, input.reads.as_deref());
        let refused = |problems: DefinitionProblems| self.refused(operator, &problems);
        let made: Box<dyn Operator> = match &definition.verb {
            Verb::Union => Box::new(Union::new(&schema)),
            Verb::Filter(text) => Box::new(Filter::new(text, &schema).map_err(refused)?),
            Verb::Select(columns) => Box::new(Select::new(columns, &schema).map_err(refused)?),
            Verb::With { columns, drop } => Box::new(With::new(columns, drop, &schema).map_err(refused)?),
            Verb::Unnest { column, name } => {
                Box::new(Unnest::new(column, name, &schema, self.job.batch.max_rows).map_err(refused)?)
            }
            Verb::Split(conditions) => Box::new(Split::new(conditions, &schema).map_err(refused)?),
            Verb::Aggregate { columns, at_end, retract_where, window } => {
                let emit = if *at_end { Emit::AtEnd { most_rows: self.job.batch.max_rows } } else { Emit::EachRow };
                let (key, columns) = self.aggregate(operator, columns, task);
                if let Some(window) = window {
                    let most_rows = self.job.batch.max_rows;
                    let (operator, declaration) = windowed(&key, window, columns, most_rows, &schema).map_err(refused)?;
                    return Ok((operator, declaration.into()));
                }
                let aggregate = match retract_where {
                    Some(condition) => RunningAggregate::retracting(&key, columns, condition, emit, &schema),
                    None => RunningAggregate::of(&key, columns, emit, &schema),
                };
                let aggregate = aggregate.map_err(refused)?;
                let kept = aggregate.declaration().into();
                return Ok((Box::new(aggregate), kept));
            }
            Verb::Window { window, .. } => {
                let function = self.windows[operator].clone().ok_or_else(|| refused(Vec::new()))?;
                let reads = input.reads.as_deref();
                let most_rows = self.job.batch.max_rows;
                let operator =
                    whole::windows(function, window, &input.key_by, reads, most_rows, &schema, task).map_err(refused)?;
                let kept = operator.declaration().into();
                return Ok((Box::new(operator), kept));
            }
            Verb::Plugin(_) => {
                let plugin = self.plugins[operator].clone().ok_or_else(|| refused(Vec::new()))?;
                let kept = plugin.plan.declaration.clone().into();
                return Ok((Box::new(PluginOperator::new(plugin, task)), kept));
            }
        };
        Ok((made, Kept::default()))
    }

    /// Whether an operator keeps state.
    #[must_use]
    pub fn is_stateful(&self, operator: usize) -> bool {
        match &self.plugins[operator] {
            Some(definition) => !definition.plan.declaration.states.is_empty(),
            None => matches!(self.job.operators[operator].verb, Verb::Aggregate { .. } | Verb::Window { .. }),
        }
    }
}

/// What becomes of poison, as plugins have it.
fn on_poison(written: graph::OnPoison) -> OnPoison {
    match written {
        graph::OnPoison::Halt => OnPoison::Halt,
        graph::OnPoison::DeadLetter => OnPoison::DeadLetter,
        graph::OnPoison::Skip => OnPoison::Skip,
    }
}

impl Factory for JobFactory<'_> {
    fn source(&self, source: usize, task: TaskIndex) -> Result<Box<dyn Source>, ConnectorError> {
        let source = &self.job.sources[source];
        let schema = Arc::clone(&source.schema);
        let is_generator = matches!(source.connector, SourceConnector::Generator(_));
        let opened: Box<dyn Source> = match &source.connector {
            SourceConnector::File { written, path, format, compression, follow, .. } => {
                let path = FilePath { written: written.clone(), path: path.clone() };
                let compressed = compressed(*compression);
                match format_in(format) {
                    Format::Rows(format) if *follow => Box::new(FollowSource::open(path, format, compressed, schema)?),
                    Format::Rows(format) => {
                        Box::new(FileSource::open(FileSourceConfig { path, format, compressed, task }, schema)?)
                    }
                    Format::Columns(columns) => {
                        let condition = source.predicate.as_ref().and_then(|text| Expression::parse(text, &schema).ok());
                        let comparisons = condition.map_or_else(Vec::new, |condition| condition.comparisons(&schema));
                        Box::new(ColumnarSource::open(path, columns, schema, &comparisons)?)
                    }
                }
            }
            SourceConnector::Stdio { format } => match format_in(format) {
                Format::Rows(rows) => Box::new(StdinSource::open(schema, rows)?),
                Format::Columns(_) => return Err(not_of_columns("standard input")),
            },
            SourceConnector::Generator(generator) => Box::new(GeneratorSource::new(&GeneratorConfig {
                workload: workload(&generator.workload),
                // A limit is of all tasks together, as the number of rows is.
                rows: generator.rows.into_iter().chain(source.limit.map(|limit| events(&generator.workload, limit))).min(),
                rate: generator.rate,
                seed: generator.seed,
                task,
                start: self.start,
            })?),
        };
        Ok(match source.limit {
            Some(limit) if !is_generator => Box::new(Limited::new(opened, limit)),
            _ => opened,
        })
    }

    fn operator(&self, operator: usize, task: TaskIndex) -> Result<OperatorParts, OperatorError> {
        let (made, kept) = self.made(operator, task)?;
        Ok(OperatorParts { operator: made, state: kept.state(&self.job.operators[operator]) })
    }

    fn combiner(&self, operator: usize, task: TaskIndex) -> Result<Option<Combiner>, OperatorError> {
        let definition = &self.job.operators[operator];
        let Verb::Aggregate { columns, window, .. } = &definition.verb else { return Ok(None) };
        let input = definition.input();
        let schema = handed(&input.schema, input.reads.as_deref());
        let (key, columns) = self.aggregate(operator, columns, task);
        // Rows that come at the same time are in the same windows of the clock.
        let windows = window.as_ref().filter(|window| !window.by_clock).and_then(|window| match window.shape {
            WindowShape::Even { size, slide, offset, zone } => {
                let [size, slide, offset] = [size, slide, offset].map(milliseconds);
                Some(Windows { size, slide, offset, zone, allowed_lateness: 0 })
            }
            WindowShape::Session(_) | WindowShape::Rows { .. } => None,
        });
        let combiner = Combiner::new(&key, windows, columns, &schema, self.job.parallelism);
        combiner.map_err(|problems| self.refused(operator, &problems))
    }

    fn sink(&self, sink: SinkId, task: TaskIndex, visibility: Visibility) -> Result<Box<dyn Sink>, ConnectorError> {
        match sink {
            SinkId::Sink(index) => {
                let graph::Sink { name, connector, schema, .. } = &self.job.sinks[index];
                sinks::open(connector, [&self.job.name, name], schema, task, visibility)
            }
            SinkId::DeadLetters => match &self.job.dead_letters {
                Some(letters) => {
                    sinks::open(&letters.connector, [&self.job.name, "dead-letters"], &dead_letter::schema(), task, visibility)
                }
                None => Ok(Box::new(BlackholeSink::new())),
            },
        }
    }
}

/// The columns that an operator is handed.
fn handed(input: &SchemaRef, reads: Option<&[usize]>) -> SchemaRef {
    match reads {
        None => Arc::clone(input),
        Some(reads) => Arc::new(Schema::new(reads.iter().map(|&column| input.field(column).clone()).collect::<Vec<_>>())),
    }
}

/// A format that is read.
enum Format {
    /// Row by row.
    Rows(FormatIn),
    /// Column by column.
    Columns(ColumnarIn),
}

fn format_in(format: &graph::FormatIn) -> Format {
    match format {
        graph::FormatIn::Json(json) => Format::Rows(FormatIn::Json(JsonIn {
            timestamps: unit(json.timestamps),
            reject_unknown_fields: json.reject_unknown_fields,
            max_row_bytes: json.max_row_bytes,
        })),
        graph::FormatIn::Csv(csv) => Format::Rows(FormatIn::Csv(CsvIn {
            header: csv.header,
            delimiter: csv.delimiter,
            timestamps: unit(csv.timestamps),
            reject_unknown_fields: csv.reject_unknown_fields,
            max_row_bytes: csv.max_row_bytes,
        })),
        graph::FormatIn::Columnar(format) => Format::Columns(columnar_in(*format)),
    }
}

/// A format of columns that is read.
pub(super) fn columnar_in(format: graph::ColumnarIn) -> ColumnarIn {
    match format {
        graph::ColumnarIn::Parquet => ColumnarIn::Parquet,
        graph::ColumnarIn::Arrow => ColumnarIn::Arrow,
    }
}

/// What no valid job asks for.
fn not_of_columns(what: &str) -> ConnectorError {
    ConnectorError::new("not-in-this-version", format!("{what}: expected a format of rows, found one of columns"))
}

fn unit(unit: TimestampUnit) -> json::TimestampUnit {
    match unit {
        TimestampUnit::Seconds => json::TimestampUnit::Seconds,
        TimestampUnit::Milliseconds => json::TimestampUnit::Milliseconds,
        TimestampUnit::Microseconds => json::TimestampUnit::Microseconds,
        TimestampUnit::Nanoseconds => json::TimestampUnit::Nanoseconds,
    }
}

fn compressed(compression: Option<graph::Compression>) -> Compressed {
    match compression {
        None => Compressed::ByExtension,
        Some(graph::Compression::None) => Compressed::As(None),
        Some(graph::Compression::Gzip) => Compressed::As(Some(Compression::Gzip)),
        Some(graph::Compression::Zstd) => Compressed::As(Some(Compression::Zstd)),
    }
}

/// How many rows a generator counts for so many that are handed over.
fn events(workload: &Workload, rows: u64) -> u64 {
    match workload {
        Workload::Nexmark { kind: Some(kind), .. } => nexmark_kind(*kind).events_for(rows),
        Workload::Nexmark { kind: None, .. } | Workload::Micro | Workload::Fields(_) => rows,
    }
}

fn nexmark_kind(kind: graph::NexmarkKind) -> generator::NexmarkKind {
    match kind {
        graph::NexmarkKind::Person => generator::NexmarkKind::Person,
        graph::NexmarkKind::Auction => generator::NexmarkKind::Auction,
        graph::NexmarkKind::Bid => generator::NexmarkKind::Bid,
    }
}

fn workload(workload: &Workload) -> generator::Workload {
    match workload {
        Workload::Micro => generator::Workload::Micro,
        Workload::Nexmark { kind, event_rate } => {
            generator::Workload::Nexmark { kind: kind.map(nexmark_kind), event_rate: *event_rate }
        }
        Workload::Fields(fields) => generator::Workload::Fields(
            fields
                .iter()
                .map(|(name, rule)| {
                    let rule = match rule {
                        FieldRule::Sequence => generator::FieldRule::Sequence,
                        FieldRule::Uniform(from, to) => generator::FieldRule::Uniform(*from, *to),
                        FieldRule::OneOf(values) => generator::FieldRule::OneOf(values.clone()),
                        FieldRule::At { every_nanos, disorder, start_millis } => generator::FieldRule::At {
                            every_nanos: *every_nanos,
                            disorder: *disorder,
                            start_millis: *start_millis,
                        },
                    };
                    (name.clone(), rule)
                })
                .collect(),
        ),
    }
}
