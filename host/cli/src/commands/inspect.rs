//! `wasmill plugin inspect`: what a plugin's file is, what it imports and exports, what it declares, and whether it fits the contract.

use std::path::Path;
use std::time::Instant;

use arrow_schema::{Field, Schema};
use serde::Serialize;
use wasmill_flow::column_type;
use wasmill_job::catalog::PluginProblem;
use wasmill_plugin::file::ComponentFile;
use wasmill_plugin::{Component, InputShape, Limits, Plan, file, preflight};
use wasmill_runtime::JobError;
use wasmill_state::StateNeed;
use wit_component::{DecodedWasm, decode};

use crate::arguments::{Format, InspectArgs};
use crate::composition;
use crate::exit::Exit;
use crate::plugin_cases::case;
use crate::plugin_cases::written::Written;
use crate::plugin_directory;
use crate::signals::Stop;
use crate::{report, sandbox};

/// What `--format json` prints.
#[derive(Debug, Serialize)]
struct Inspection {
    file: String,
    kind: &'static str,
    digest: String,
    bytes: usize,
    /// The world of the contract that it fits; none where it fits none.
    world: Option<&'static str>,
    imports: Vec<String>,
    exports: Vec<String>,
    /// How long it took to compile, or to load from the cache.
    compile_ms: Option<f64>,
    /// Whether its compiled code came from the cache.
    cached: bool,
    /// What it declares; none where it fits no world, or there is nothing to ask it about.
    declares: Option<Declared>,
    /// Why it fits no world, or refuses what it was asked about.
    problem: Option<Misfit>,
}

/// What a plugin says it does with some settings and inputs.
#[derive(Debug, Serialize)]
struct Declared {
    /// What it was asked about: a case, or the command line.
    about: String,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    states: Vec<State>,
    /// The times by which it sets timers.
    timers: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Input {
    name: String,
    /// The columns that cross the sandbox.
    reads: Vec<Column>,
    key: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Output {
    name: String,
    columns: Vec<Column>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    /// As a job writes it.
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Serialize)]
struct State {
    name: String,
    version: u32,
    /// Bytes of every value, where they have the same number.
    bytes: Option<u32>,
    /// By which time its values are forgotten, where they are.
    forgotten_by: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Misfit {
    code: &'static str,
    message: String,
    hint: Option<String>,
}

/// Inspects a plugin; one that isn't fit to run is printed all the same, and ends with exit code 2.
pub fn inspect(args: &InspectArgs) -> Exit {
    let inspection = match inspected(args) {
        Ok(inspection) => inspection,
        Err(error) => {
            report::error(&error);
            return Exit::Wrong;
        }
    };
    let printed = report::result(&match args.format {
        Format::Text => as_text(&inspection),
        Format::Json => format!("{}\n", serde_json::to_string(&inspection).unwrap_or_default()),
    });
    match &inspection.problem {
        Some(Misfit { code, message, hint }) => {
            report::error(&JobError { hint: hint.clone(), ..JobError::new(code, message) });
            Exit::Wrong
        }
        None => printed,
    }
}

fn inspected(args: &InspectArgs) -> Result<Inspection, JobError> {
    let asked = asked(args).map_err(report::of_plugin)?;
    let path = plugin_directory::prepare(false, Stop::never())(&args.file).map_err(report::of_plugin)?;
    let read = file::read(&path).map_err(report::of_plugin_error)?;
    let name = path.display().to_string();
    preflight::check(&name, &read.bytes).map_err(report::of_plugin_error)?;
    let sandbox = sandbox::start().map_err(report::of_plugin_error)?;
    let began = Instant::now();
    let loaded = sandbox.load(&path).map_err(composition::problem);
    // What doesn't compile isn't looked into either: it could be too intricate for that.
    let compiled = loaded.as_ref().map_or_else(|problem| !NOT_COMPILED.contains(&problem.code), |_| true);
    let (imports, exports) = if compiled { interfaces(&read, &name) } else { (Vec::new(), Vec::new()) };
    let compile_ms = loaded.is_ok().then(|| (began.elapsed().as_secs_f64() * 1e4).round() / 10.0);
    let world = loaded.as_ref().ok().map(Component::world);
    let cached = loaded.as_ref().is_ok_and(|component| component.cached);
    let declared = loaded.and_then(|component| asked.map(|asked| declared(&component, asked)).transpose());
    let (declares, problem) = match declared {
        Ok(declares) => (declares, None),
        Err(problem) => (None, Some(problem)),
    };
    Ok(Inspection {
        file: name,
        kind: if read.is_core_module { "core module with component metadata" } else { "component" },
        digest: format!("sha256:{}", read.digest),
        bytes: read.bytes.len(),
        world,
        imports,
        exports,
        compile_ms,
        cached,
        declares,
        problem: problem.map(|PluginProblem { code, message, hint }| Misfit { code, message, hint }),
    })
}

/// What is wrong with a file that doesn't get past the compiler.
const NOT_COMPILED: [&str; 3] = ["plugin-not-a-component", "plugin-too-big", "plugin-invalid"];

/// What a plugin is asked about.
struct Asked {
    about: String,
    inputs: Vec<InputShape>,
    settings: String,
}

/// What the command line says, else the first case of a plugin's directory; none where there is neither.
fn asked(args: &InspectArgs) -> Result<Option<Asked>, PluginProblem> {
    let Some(schema) = &args.schema else {
        if !args.file.join("cases").is_dir() {
            return Ok(None);
        }
        let first = case::all(&args.file, None)?.into_iter().next();
        return Ok(first.map(|case| Asked {
            about: format!("cases/{}", case.name),
            inputs: case.inputs,
            settings: case.settings,
        }));
    };
    let about = "the command line";
    let json = |option: &str, error| PluginProblem {
        code: "invalid-argument",
        message: format!("--{option}: {error}"),
        hint: Some("as in --schema '{\"id\": \"utf8 not null\"}' --key-by id --settings '{\"factor\": 2}'".to_owned()),
    };
    let settings = args.settings.as_deref().map(serde_json::from_str).transpose();
    let written = Written {
        schema: Some(serde_json::from_str(schema).map_err(|error| json("schema", error))?),
        key_by: Some(args.key_by.clone()),
        settings: settings.map_err(|error| json("settings", error))?,
        ..Written::default()
    };
    let (inputs, settings) = case::asked(written, Path::new(about))?;
    Ok(Some(Asked { about: about.to_owned(), inputs, settings }))
}

fn declared(component: &Component, asked: Asked) -> Result<Declared, PluginProblem> {
    let Asked { about, inputs, settings } = asked;
    let column = |field: &Field| Column { name: field.name().clone(), kind: column_type::describe(field) };
    if let (true, [input, ..]) = (component.is_aggregate(), inputs.as_slice()) {
        // It is over the columns that aren't the key.
        let arguments: Vec<usize> = (0..input.schema.fields().len()).filter(|column| !input.key.contains(column)).collect();
        let arguments = Schema::new(arguments.iter().map(|&column| input.schema.field(column).clone()).collect::<Vec<_>>());
        let plan = composition::describe_aggregate(component, &settings, &arguments, &Limits::default())?;
        let reads = arguments.fields().iter().map(|field| column(field)).collect();
        return Ok(Declared {
            about,
            inputs: vec![Input { name: input.name.clone(), reads, key: Vec::new() }],
            outputs: vec![Output { name: "result".to_owned(), columns: vec![column(&plan.result)] }],
            states: vec![State { name: plan.result.name().clone(), version: plan.version, bytes: None, forgotten_by: None }],
            timers: Vec::new(),
        });
    }
    if let (true, [input, ..]) = (component.is_window(), inputs.as_slice()) {
        let plan = composition::describe_window(component, &settings, &input.schema, &Limits::default())?;
        let key = input.key.iter().map(|&place| input.schema.field(place).name().clone()).collect();
        let reads = plan.reads.iter().map(|&place| column(input.schema.field(place))).collect();
        return Ok(Declared {
            about,
            inputs: vec![Input { name: input.name.clone(), reads, key }],
            outputs: vec![Output { name: "gives".to_owned(), columns: plan.gives.iter().map(column).collect() }],
            states: Vec::new(),
            timers: Vec::new(),
        });
    }
    let plan = composition::describe(component, &settings, &inputs, &Limits::default())?;
    let state = |(index, state): (usize, &StateNeed)| State {
        name: state.name.clone(),
        version: state.version,
        bytes: state.width,
        forgotten_by: plan.forgets_by(index),
    };
    // Behind its own states are those of its timers, which say more as what they are.
    let states = plan.declaration.states[..plan.own_states].iter().enumerate().map(state).collect();
    let timers = plan.timers();
    let Plan { declaration, reads, .. } = plan;
    let input = |(input, reads): (&InputShape, &Vec<usize>)| Input {
        name: input.name.clone(),
        reads: reads.iter().map(|&place| column(input.schema.field(place))).collect(),
        key: input.key.iter().map(|&place| input.schema.field(place).name().clone()).collect(),
    };
    Ok(Declared {
        about,
        inputs: inputs.iter().zip(&reads).map(input).collect(),
        outputs: declaration
            .ports
            .into_iter()
            .map(|port| Output { columns: port.schema.fields().iter().map(|field| column(field)).collect(), name: port.name })
            .collect(),
        states,
        timers,
    })
}

/// What a component imports and exports, by name. A component that can't be decoded has neither: its problem says why.
fn interfaces(file: &ComponentFile, name: &str) -> (Vec<String>, Vec<String>) {
    let decoded = file.component(name).ok().and_then(|component| decode(&component).ok());
    let Some(DecodedWasm::Component(resolve, world)) = decoded else { return (Vec::new(), Vec::new()) };
    let world = &resolve.worlds[world];
    let imports = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
    let exports = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    (imports, exports)
}

fn as_text(inspection: &Inspection) -> String {
    let Inspection { file, kind, digest, bytes, world, imports, exports, compile_ms, cached, declares, problem } = inspection;
    let mut text = format!("{file}\n  kind: {kind}\n  digest: {digest}\n  bytes: {bytes}\n");
    text.push_str(&format!("  world: {}\n", world.unwrap_or("none of the contract")));
    if let Some(ms) = compile_ms {
        text.push_str(&format!("  {}: {ms} ms\n", if *cached { "loaded from the cache in" } else { "compiled in" }));
    }
    for (title, names) in [("imports", imports), ("exports", exports)] {
        list(&mut text, title, names);
    }
    match declares {
        Some(declared) => declaration(&mut text, declared),
        None if problem.is_none() => {
            text.push_str("  declares: not asked; say about which input with --schema, or in cases/case.json of its directory\n");
        }
        None => {}
    }
    text
}

fn declaration(text: &mut String, declared: &Declared) {
    let columns = |columns: &[Column]| columns.iter().map(|Column { name, kind }| format!("{name}: {kind}")).collect::<Vec<_>>();
    let Declared { about, inputs, outputs, states, timers } = declared;
    let keyed = |key: &[String]| format!("keyed by {}", if key.is_empty() { "nothing".to_owned() } else { key.join(", ") });
    match inputs.as_slice() {
        [only] => text.push_str(&format!("  declares for {about}, {}:\n", keyed(&only.key))),
        _ => text.push_str(&format!("  declares for {about}:\n")),
    }
    let mut part = |title: &str, parts: Vec<String>| {
        text.push_str(&format!("    {title}: {}\n", if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }));
    };
    for Input { name, reads, key } in inputs {
        let title = if inputs.len() == 1 { "reads".to_owned() } else { format!("reads of {name}, {}", keyed(key)) };
        part(&title, columns(reads));
    }
    for Output { name, columns: of } in outputs {
        part(&format!("output {name}"), columns(of));
    }
    let state = |State { name, version, bytes, forgotten_by }: &State| {
        let size = bytes.map_or_else(|| "of any size".to_owned(), |bytes| format!("{bytes} bytes a key"));
        let forgotten = forgotten_by.map_or_else(String::new, |time| format!(", forgotten by {time}"));
        format!("{name} (version {version}, {size}{forgotten})")
    };
    part("keeps", states.iter().map(state).collect());
    if !timers.is_empty() {
        part("timers", timers.iter().map(|time| format!("by {time}")).collect());
    }
}

fn list(text: &mut String, title: &str, names: &[String]) {
    text.push_str(&format!("  {title}:{}\n", if names.is_empty() { " none" } else { "" }));
    names.iter().for_each(|name| text.push_str(&format!("    {name}\n")));
}
