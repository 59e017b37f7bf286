//! What a plugin says it does with some settings and inputs, checked and resolved to indices.

mod states;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use wasmill_flow::column_type::{self, TIMESTAMP};
use wasmill_operator::{Declaration, Port};

use crate::bindings::StreamOperator;
use crate::bindings::wasmill::plugin::data::{DataType as WitType, DecimalType, FieldParam, FieldResult};
use crate::bindings::wasmill::plugin::plan::{Input as WitInput, Plan as WitPlan, Port as WitPort, Takes, TimeDomain, Wants};
use crate::compiled::Component;
use crate::error::{Code, PluginError};
use crate::fault::{Fault, FaultKind};
use crate::instance::Instance;
use crate::limits::Limits;
use crate::log_lines::LogLines;
use crate::timers::state_need;

/// One input of a plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct InputShape {
    /// Its name.
    pub name: String,
    /// Its rows' columns.
    pub schema: SchemaRef,
    /// Indices of the columns that it is keyed by.
    pub key: Vec<usize>,
    /// Every task is handed all of its rows.
    pub broadcast: bool,
}

/// What a plugin does with some settings and inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its outputs, states, and what it needs of its inputs.
    pub declaration: Declaration,
    /// For each input, the indices of the columns that cross.
    pub reads: Vec<Vec<usize>>,
    /// Where the columns of each output come from.
    pub ports: Vec<PlannedPort>,
    /// The key's columns cross, too.
    pub wants_key_columns: bool,
    /// `on-end` is called.
    pub wants_end: bool,
    /// How many of the states are the plugin's own. Behind them stand those of its timers.
    pub own_states: usize,
    /// Those of them whose values are forgotten, and by which time.
    pub expiring: Vec<(usize, TimeDomain)>,
    /// The state of timers of event time, where the plugin sets such.
    pub event_timers: Option<usize>,
    /// The state of timers of processing time, likewise.
    pub processing_timers: Option<usize>,
}

/// An output, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedPort {
    /// What its rows take from where they come from.
    pub takes: Taken,
    /// The columns that the guest gives.
    pub gives: Vec<Field>,
    /// For each column of the output, in order, where it comes from.
    pub columns: Vec<ColumnFrom>,
}

/// What rows take from where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Nothing.
    Nothing,
    /// These columns of an input, by index.
    Input {
        /// Which input.
        input: usize,
        /// Which of its columns.
        columns: Vec<usize>,
    },
    /// The key.
    Key,
}

/// Where a column of an output comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnFrom {
    /// Index among those taken.
    Taken(usize),
    /// Index among those given.
    Given(usize),
}

impl Plan {
    /// Whether it goes by event time, so that its rows must have some.
    #[must_use]
    pub fn needs_event_time(&self) -> bool {
        self.event_timers.is_some() || self.expiring.iter().any(|(_, domain)| *domain == TimeDomain::EventTime)
    }

    /// By which time the values of one of the plugin's own states are forgotten, in words; none where they stay.
    #[must_use]
    pub fn forgets_by(&self, state: usize) -> Option<&'static str> {
        self.expiring.iter().find(|(index, _)| *index == state).map(|(_, domain)| time(*domain))
    }

    /// The times by which it sets timers, in words.
    #[must_use]
    pub fn timers(&self) -> Vec<&'static str> {
        let domains = [(TimeDomain::EventTime, self.event_timers), (TimeDomain::ProcessingTime, self.processing_timers)];
        domains.into_iter().filter_map(|(domain, state)| state.map(|_| time(domain))).collect()
    }

    /// The state of timers of a domain, where the plugin sets such.
    pub(crate) fn timer_state(&self, domain: TimeDomain) -> Option<usize> {
        match domain {
            TimeDomain::EventTime => self.event_timers,
            TimeDomain::ProcessingTime => self.processing_timers,
        }
    }
}

impl Component {
    /// Asks the plugin what it does with these settings (JSON) and inputs, in an instance of its own.
    ///
    /// # Errors
    /// Where the plugin refuses them, traps or takes too long, or declares what makes no sense.
    pub async fn describe(&self, settings: &str, inputs: &[InputShape], limits: &Limits) -> Result<Plan, PluginError> {
        let name = &self.name;
        let log = Arc::new(LogLines::new(name, 0, limits.log_rate));
        let refused = |fault: Fault| self.refused(&fault, inputs.iter().flat_map(|input| input.schema.fields()));
        let mut instance = Instance::<StreamOperator>::start(self, self.operator()?, limits, log).await.map_err(refused)?;
        let plan = instance.describe(settings, inputs).await.map_err(refused)?;
        let plan = resolve(&plan, inputs)
            .map_err(|what| PluginError::new(Code::BadPlan, format!("plugin {name}: its plan makes no sense: {what}")))?;
        refuse_nested(name, &plan.reads, inputs)?;
        Ok(plan)
    }

    /// Why a plugin that was told of these columns has no answer to what it does.
    pub(crate) fn refused<'a>(&self, fault: &Fault, columns: impl Iterator<Item = &'a FieldRef>) -> PluginError {
        let (name, message) = (&self.name, &fault.message);
        match fault.kind {
            FaultKind::Fail | FaultKind::Retry => {
                let error = PluginError::new(Code::Refused, format!("plugin {name}: refuses its settings or input: {message}"));
                match nested_columns(columns) {
                    Some(columns) => {
                        error.with_hint(format!("it is told that these columns are utf8, which it can't read: {columns}"))
                    }
                    None => error,
                }
            }
            FaultKind::Trap | FaultKind::Limit => {
                PluginError::new(Code::Trapped, format!("plugin {name}: {message} while it was asked what it does"))
            }
        }
    }
}

/// A kind of time, in words.
fn time(domain: TimeDomain) -> &'static str {
    match domain {
        TimeDomain::EventTime => "event time",
        TimeDomain::ProcessingTime => "processing time",
    }
}

/// Refuses columns of lists and structs that would cross; those that are only taken stay with the host.
pub(crate) fn refuse_nested(plugin: &str, reads: &[Vec<usize>], inputs: &[InputShape]) -> Result<(), PluginError> {
    let read = inputs
        .iter()
        .zip(reads)
        .flat_map(|(input, columns)| columns.iter().map(move |&column| (input, input.schema.field(column))));
    let Some((input, field)) = read.into_iter().find(|(_, field)| column_type::is_nested(field.data_type())) else {
        return Ok(());
    };
    let message = format!(
        "plugin {plugin}: it reads column `{}` of input `{}`, which is {}: lists and structs that plugins read are not in this version",
        field.name(),
        input.name,
        column_type::name(field.data_type())
    );
    let hint = "take it away before with `drop`, or take parts of it with `select` or `with`; a column that the plugin only passes on may stay";
    Err(PluginError::new(Code::NotInThisVersion, message).with_hint(hint))
}

/// The columns of lists and structs, where there are some.
fn nested_columns<'a>(fields: impl Iterator<Item = &'a FieldRef>) -> Option<String> {
    let nested = fields.filter(|field| column_type::is_nested(field.data_type()));
    let columns: Vec<String> = nested.map(|field| format!("{} {}", field.name(), column_type::name(field.data_type()))).collect();
    (!columns.is_empty()).then(|| columns.join(", "))
}

/// Checks a plan and resolves its names. The error says what is wrong.
pub(crate) fn resolve(plan: &WitPlan, inputs: &[InputShape]) -> Result<Plan, String> {
    if plan.reads.len() != inputs.len() {
        return Err(format!("`reads` has {} items for {} inputs", plan.reads.len(), inputs.len()));
    }
    let reads = plan
        .reads
        .iter()
        .zip(inputs)
        .map(|(columns, input)| columns_of(input, columns.as_deref()))
        .collect::<Result<Vec<_>, _>>()?;
    if plan.ports.is_empty() {
        return Err("it has no output".to_owned());
    }
    let mut names = BTreeSet::new();
    let mut ports = Vec::new();
    let mut planned = Vec::new();
    for (index, port) in plan.ports.iter().enumerate() {
        let name = if index == 0 { "main" } else { port.name.as_str() };
        check_name("output", name)?;
        if !names.insert(name) {
            return Err(format!("output `{name}` is there twice"));
        }
        let (schema, resolved) = resolve_port(name, port, inputs)?;
        ports.push(Port { name: name.to_owned(), schema });
        planned.push(resolved);
    }
    let mut states = states::resolve(&plan.states, inputs)?;
    let own_states = states.len();
    let mut timers = |domain, wanted: Wants| {
        plan.wants.contains(wanted).then(|| {
            states.push(state_need(domain));
            states.len() - 1
        })
    };
    let event_timers = timers(TimeDomain::EventTime, Wants::EVENT_TIMERS);
    let processing_timers = timers(TimeDomain::ProcessingTime, Wants::PROCESSING_TIMERS);
    if states.len() > own_states && inputs.iter().all(|input| input.key.is_empty()) {
        return Err("it sets timers for each key, but no input is keyed; add key-by".to_owned());
    }
    let needs = inputs.iter().enumerate().map(|(index, input)| needed(index, input, &reads[index], &planned)).collect();
    Ok(Plan {
        declaration: Declaration { ports, states, form: None, reads: needs },
        reads,
        ports: planned,
        wants_key_columns: plan.wants.contains(Wants::KEY_COLUMNS),
        wants_end: plan.wants.contains(Wants::END),
        own_states,
        expiring: plan.states.iter().enumerate().filter_map(|(index, state)| Some((index, state.expires?))).collect(),
        event_timers,
        processing_timers,
    })
}

/// The columns of an input that cross, are taken or are its key; none where that is all of them.
fn needed(index: usize, input: &InputShape, reads: &[usize], ports: &[PlannedPort]) -> Option<Vec<usize>> {
    let mut columns: BTreeSet<usize> = reads.iter().chain(&input.key).copied().collect();
    for port in ports {
        if let Taken::Input { input, columns: taken } = &port.takes
            && *input == index
        {
            columns.extend(taken);
        }
    }
    (columns.len() < input.schema.fields().len()).then(|| columns.into_iter().collect())
}

fn resolve_port(name: &str, port: &WitPort, inputs: &[InputShape]) -> Result<(SchemaRef, PlannedPort), String> {
    let gives = port.gives.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    let (takes, taken) = match &port.takes {
        Takes::Nothing => (Taken::Nothing, Vec::new()),
        Takes::Input(taken) => {
            let input = taken.input as usize;
            let shape =
                inputs.get(input).ok_or_else(|| format!("output `{name}` takes columns of input {input}, which isn't there"))?;
            let columns = columns_of(shape, taken.columns.as_deref())?;
            let fields: Vec<Field> = columns.iter().map(|&column| shape.schema.field(column).clone()).collect();
            (Taken::Input { input, columns }, fields)
        }
        Takes::Key => {
            let key = key_of(inputs);
            let key = key.ok_or_else(|| format!("output `{name}` takes the key's columns, but no input is keyed; add key-by"))?;
            (Taken::Key, key)
        }
    };
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (index, field) in taken.iter().enumerate() {
        match gives.iter().position(|given| given.name() == field.name()) {
            Some(given) => (fields.push(gives[given].clone()), columns.push(ColumnFrom::Given(given))),
            None => (fields.push(field.clone()), columns.push(ColumnFrom::Taken(index))),
        };
    }
    for (index, given) in gives.iter().enumerate() {
        if gives[..index].iter().any(|other| other.name() == given.name()) {
            return Err(format!("output `{name}` gives column `{}` twice", given.name()));
        }
        if !taken.iter().any(|field| field.name() == given.name()) {
            fields.push(given.clone());
            columns.push(ColumnFrom::Given(index));
        }
    }
    Ok((Arc::new(Schema::new(fields)), PlannedPort { takes, gives, columns }))
}

/// The key's columns as the first keyed input calls them; they may be null where those of any keyed input may.
fn key_of(inputs: &[InputShape]) -> Option<Vec<Field>> {
    let keyed = || inputs.iter().filter(|input| !input.key.is_empty());
    let first = keyed().next()?;
    let field = |(place, &column): (usize, &usize)| {
        let nullable = keyed().any(|input| input.key.get(place).is_some_and(|&other| input.schema.field(other).is_nullable()));
        first.schema.field(column).clone().with_nullable(nullable)
    };
    Some(first.key.iter().enumerate().map(field).collect())
}

pub(crate) fn columns_of(input: &InputShape, names: Option<&[String]>) -> Result<Vec<usize>, String> {
    let Some(names) = names else { return Ok((0..input.schema.fields().len()).collect()) };
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let column = input.schema.index_of(name).map_err(|_| {
            let has: Vec<&str> = input.schema.fields().iter().map(|field| field.name().as_str()).collect();
            format!("column `{name}` isn't in input `{}`, which has {}", input.name, has.join(", "))
        })?;
        if columns.contains(&column) {
            return Err(format!("column `{name}` of input `{}` is named twice", input.name));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    let valid = name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || matches!(character, '_' | '-'));
    if valid {
        Ok(())
    } else {
        Err(format!("{what} `{name}`: a name is a lower-case letter, then up to 62 of a-z, 0-9, _ and -"))
    }
}

/// A field of a plan. The error says what is wrong with it.
pub(crate) fn field(field: &FieldResult) -> Result<Field, String> {
    let data_type = match field.data_type {
        WitType::Boolean => DataType::Boolean,
        WitType::Int32 => DataType::Int32,
        WitType::Int64 => DataType::Int64,
        WitType::Uint64 => DataType::UInt64,
        WitType::Float32 => DataType::Float32,
        WitType::Float64 => DataType::Float64,
        WitType::Decimal128(DecimalType { precision, scale }) => DataType::Decimal128(precision, scale),
        WitType::Date32 => DataType::Date32,
        WitType::Timestamp => TIMESTAMP,
        WitType::Utf8 => DataType::Utf8View,
        WitType::Binary => DataType::BinaryView,
    };
    if field.name.is_empty() || field.name.chars().any(char::is_control) {
        return Err(format!("a column is called {:?}", field.name));
    }
    if !column_type::is_supported(&data_type) {
        return Err(format!("column `{}` is {data_type}, which is no type of a column", field.name));
    }
    Ok(Field::new(&field.name, data_type, field.nullable))
}

/// A type as the contract has it. It has no lists and structs: those that a plugin passes on are text to it, and [`refuse_nested`] sees
/// to it that none crosses.
fn wit_type(data_type: &DataType) -> WitType {
    match data_type {
        DataType::Boolean => WitType::Boolean,
        DataType::Int32 => WitType::Int32,
        DataType::Int64 => WitType::Int64,
        DataType::UInt64 => WitType::Uint64,
        DataType::Float32 => WitType::Float32,
        DataType::Float64 => WitType::Float64,
        DataType::Decimal128(precision, scale) => WitType::Decimal128(DecimalType { precision: *precision, scale: *scale }),
        DataType::Date32 => WitType::Date32,
        DataType::Timestamp(..) => WitType::Timestamp,
        DataType::BinaryView => WitType::Binary,
        _ => WitType::Utf8,
    }
}

/// Columns as the contract has them.
pub(crate) fn wit_fields(schema: &Schema) -> Vec<FieldParam<'_>> {
    let fields = schema.fields().iter().map(|field| FieldParam {
        name: field.name(),
        data_type: wit_type(field.data_type()),
        nullable: field.is_nullable(),
    });
    fields.collect()
}

/// What the contract's inputs point to, held for the length of a call.
pub(crate) struct WitInputs<'a> {
    inputs: &'a [InputShape],
    fields: Vec<Vec<FieldParam<'a>>>,
    keys: Vec<Vec<&'a str>>,
}

impl<'a> WitInputs<'a> {
    pub fn hold(inputs: &'a [InputShape]) -> Self {
        Self {
            inputs,
            fields: inputs.iter().map(|input| wit_fields(&input.schema)).collect(),
            keys: inputs
                .iter()
                .map(|input| input.key.iter().map(|&column| input.schema.field(column).name().as_str()).collect())
                .collect(),
        }
    }

    /// The inputs as the contract has them.
    pub fn params(&self) -> Vec<WitInput<'_>> {
        let parts = self.fields.iter().zip(&self.keys);
        self.inputs
            .iter()
            .zip(parts)
            .map(|(input, (fields, key))| WitInput { name: &input.name, schema: fields, key, broadcast: input.broadcast })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::wasmill::plugin::plan::Taken as TakenColumns;

    #[test]
    fn a_column_that_is_named_twice_is_refused_where_it_is_read_and_where_it_is_taken() {
        let fields = ["a", "b"].map(|name| Field::new(name, DataType::Int64, false));
        let input =
            InputShape { name: "main".to_owned(), schema: Arc::new(Schema::new(fields.to_vec())), key: vec![], broadcast: false };
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let plan = |reads, taken| WitPlan {
            reads: vec![reads],
            ports: vec![WitPort {
                name: "main".to_owned(),
                takes: Takes::Input(TakenColumns { input: 0, columns: taken }),
                gives: vec![],
            }],
            states: vec![],
            wants: Wants::empty(),
        };
        let refusal = |plan: &WitPlan| resolve(plan, std::slice::from_ref(&input)).expect_err("refused");
        let expected = "column `b` of input `main` is named twice";
        assert_eq!(refusal(&plan(names(&["b", "b"]), names(&[]))), expected);
        assert_eq!(refusal(&plan(names(&[]), names(&["a", "b", "b"]))), expected);
        assert!(resolve(&plan(names(&["b", "a"]), names(&["b"])), std::slice::from_ref(&input)).is_ok());
    }

    #[test]
    fn lists_and_structs_may_be_taken_and_not_read() {
        let field = |name: &str, written: &str| column_type::parse_field(name, written).expect("a type");
        let schema = Arc::new(Schema::new(vec![field("id", "int64"), field("tags", "list<utf8>")]));
        let inputs = [InputShape { name: "main".to_owned(), schema, key: vec![], broadcast: false }];
        assert_eq!(refuse_nested("p", &[vec![0]], &inputs), Ok(()));
        let error = refuse_nested("p", &[vec![0, 1]], &inputs).expect_err("a list");
        assert_eq!(error.code, Code::NotInThisVersion);
        assert_eq!(
            error.message,
            "plugin p: it reads column `tags` of input `main`, which is list<utf8>: lists and structs that plugins read are not in \
             this version"
        );
        assert!(error.hint.expect("a hint").starts_with("take it away before with `drop`"));
    }
}
