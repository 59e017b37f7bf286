//! The command line.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use wasmill_job::measure::{A_SIZE, parse_size};

use crate::commands::bench::BenchArgs;

/// A stream processor whose operators are sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(
    name = "wasmill",
    version,
    after_help = "Results go to standard output, everything else to standard error.\n\
                  Exit codes: 0 done or stopped cleanly, 1 the job failed, 2 wrong use or an invalid job, 130 a second signal."
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How standard error says what happens: as text for people, or as events for programs, one JSON object a line.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a job until its sources end, it fails, or a signal stops it.
    Run(RunArgs),
    /// Say everything that is wrong with a job, without running it.
    Validate(ValidateArgs),
    /// Show what a job does, what runs where, and what survives a kill.
    Explain(ExplainArgs),
    /// Start, build, test and inspect plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Measure a workload.
    Bench(BenchArgs),
    /// Look at the checkpoints of a store, verify them, or delete one: offline, whether a job uses the store or not.
    #[command(subcommand)]
    Checkpoints(CheckpointsCommand),
    /// Look at the state that a checkpoint holds: offline, without the job.
    #[command(subcommand)]
    State(StateCommand),
    /// Find out the columns of a file, or print the JSON Schema of an object that programs write or read.
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Say what an error's code means, with an example and what to do; without a code, list them all.
    ExplainError {
        /// The code, as it stands in brackets: `error[unknown-column]`.
        code: Option<String>,
    },
    /// Say how a running job of this user is; without a job, all of them.
    Status {
        /// The job's name.
        job: Option<String>,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Stop a running job cleanly, as SIGTERM does; returns when it has ended.
    Stop {
        /// The job's name.
        job: String,
        /// Take a savepoint of this label before.
        #[arg(long, value_name = "LABEL")]
        savepoint: Option<String>,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Take a checkpoint of a running job that is kept until it is deleted; returns when it is complete.
    Savepoint {
        /// The job's name.
        job: String,
        /// What it is called; without this, by the date and time.
        label: Option<String>,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Not in this version: replace an operator's plugin while its job runs.
    #[command(hide = true)]
    Swap(Later),
    /// Not in this version: undo a swap.
    #[command(hide = true)]
    Rollback(Later),
    /// Not in this version: run a captured failure again.
    #[command(hide = true)]
    Replay(Later),
    /// Not in this version: run many jobs.
    #[command(hide = true)]
    Server(Later),
}

/// The words of a command that this version doesn't do.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Later {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    words: Vec<String>,
}

/// What to do with checkpoints. STORE is what a job has as `checkpoint.store`: a directory, or a bucket's URL.
#[derive(Debug, Subcommand)]
pub enum CheckpointsCommand {
    /// List the checkpoints that a job would find, oldest first, and the savepoints.
    List {
        /// The store.
        store: String,
        /// How to print them.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show what a checkpoint holds: positions, state files, what sinks had prepared.
    Show {
        /// The store.
        store: String,
        /// The checkpoint by its epoch, or a savepoint by its label.
        id: String,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Read every byte of a checkpoint, or of all and the savepoints, and say what is damaged; fails where something is.
    Verify {
        /// The store.
        store: String,
        /// The checkpoint by its epoch, or a savepoint by its label; without this all of them.
        id: Option<String>,
        /// How to print what was found.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Delete a checkpoint and the state files that no other needs.
    Delete {
        /// The store.
        store: String,
        /// The checkpoint by its epoch, or a savepoint by its label.
        id: String,
        /// How to print what went.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// What to do with state.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Print what an operator keeps of its keys: a line for each key and state, in no order.
    Read(StateReadArgs),
}

/// Which state to read.
#[derive(Debug, Args)]
pub struct StateReadArgs {
    /// The store: what a job has as `checkpoint.store`, a directory or a bucket's URL.
    pub store: String,
    /// The operator.
    pub operator: String,
    /// One of its states; without this all of them, and each line names its state.
    pub state: Option<String>,
    /// The checkpoint by its epoch, or a savepoint by its label; without this the newest checkpoint.
    #[arg(long, value_name = "ID")]
    pub at: Option<String>,
    /// Only this key, as JSON: `{"net": "ak"}`.
    #[arg(long, value_name = "JSON")]
    pub key: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Build a plugin's directory; leaves DIR/dist/NAME.wasm, NAME being the directory's.
    Build {
        /// The directory, with its Cargo.toml.
        #[arg(value_name = "DIR", default_value = ".")]
        directory: PathBuf,
    },
    /// Show what a plugin is, what it declares, and whether it fits the contract.
    Inspect(InspectArgs),
    /// Start a plugin: makes the directory NAME, which builds, tests and runs at once.
    New {
        /// The plugin's name: a lower-case letter, then a-z, 0-9, _ and -.
        #[arg(value_name = "NAME")]
        name: String,
        /// The language that it is written in; `rust` is in this version.
        #[arg(long, default_value = "rust")]
        language: String,
        /// Use this checkout of the SDK (its directory sdk/rust), instead of the SDK that came with this program.
        #[arg(long, value_name = "PATH")]
        sdk: Option<PathBuf>,
    },
    /// Run a plugin's cases in the sandbox, and its own tests natively.
    Test(TestArgs),
}

/// What to inspect.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A .wasm file, or a plugin's directory that has been built.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The columns of the input that the plugin is asked about, as JSON: `{"id": "utf8 not null", "mag": "float64"}`. Without this,
    /// a directory's cases/case.json says.
    #[arg(long, value_name = "JSON")]
    pub schema: Option<String>,
    /// The columns that the input is keyed by, with commas between them.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', requires = "schema")]
    pub key_by: Vec<String>,
    /// The plugin's settings, as JSON.
    #[arg(long, value_name = "JSON", requires = "schema")]
    pub settings: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What to test.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The plugin's directory.
    #[arg(value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
    /// Write what comes out as what is expected.
    #[arg(long)]
    pub update: bool,
    /// Only cases with this in their names.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Only in the sandbox, or only natively.
    #[arg(long, value_enum)]
    pub only: Option<Side>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Where a plugin's cases run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// As a component, with a job's limits.
    Sandbox,
    /// By `cargo test`.
    Native,
}

/// What to do with schemas.
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Print a `schema` to paste into a job, from the rows of a file of JSON lines or CSV, compressed or not.
    Infer(InferArgs),
    /// Print the JSON Schema of an object.
    #[command(flatten)]
    Object(Object),
}

/// Which file, and how to look at it.
#[derive(Debug, Args)]
pub struct InferArgs {
    /// The file.
    pub file: PathBuf,
    /// How many rows to look at.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub rows: u64,
    /// What the file is; without it by its name, or its first byte.
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    pub format_of_file: Option<FileFormat>,
    /// What stands between the fields of CSV.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub delimiter: Option<u8>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What a file's rows are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// JSON, one object a line.
    Json,
    /// CSV with a header.
    Csv,
    /// Parquet, which brings its columns.
    Parquet,
    /// Arrow IPC, which brings its columns.
    Arrow,
}

/// Which job, and what is different from its file.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// The job file.
    pub job: PathBuf,
    /// Set a dotted path of the job file to a YAML value, as `--set sources.quakes.path=x.ndjson`. May be repeated.
    #[arg(long, value_name = "PATH=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Tasks of each operator that may be parallel; without it what the job says, or the number of cores.
    #[arg(long, value_name = "N")]
    pub parallelism: Option<u32>,
}

/// How to run a job.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The job.
    #[command(flatten)]
    pub job: JobArgs,
    /// Write what the job did to this file, as JSON; `-` is standard output. Written whole and last, also when the job fails.
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,
    /// Start anew, leaving behind what the checkpoint store holds.
    #[arg(long)]
    pub fresh: bool,
    /// Don't build plugins; one that isn't built or is older than its sources is an error.
    #[arg(long)]
    pub no_build: bool,
    /// Not in this version.
    #[arg(long, hide = true)]
    pub mode: Option<String>,
    /// Go on from this checkpoint, by its epoch, or from this savepoint, by its label, also where the job has changed since; with a store before it,
    /// as ./old/store#before-upgrade, from one of that store, also of another job.
    #[arg(long, value_name = "ID", conflicts_with = "fresh")]
    pub from: Option<String>,
    /// With --from: leave out state, sources and sinks that the job doesn't have any more.
    #[arg(long, requires = "from")]
    pub allow_unmatched: bool,
    /// Serve figures for Prometheus at http://ADDR/metrics while the job runs, as `--metrics 127.0.0.1:9090`; port 0 is any free one.
    #[arg(long, value_name = "ADDR")]
    pub metrics: Option<SocketAddr>,
    /// The most that rows on edges, state, staged output and plugins' instances may take together, as 512MiB; a job that passes it fails.
    /// Without this, three quarters of the memory that the machine, or the process's control group, has.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
}

fn size(written: &str) -> Result<u64, String> {
    parse_size(written).filter(|&bytes| bytes > 0).ok_or_else(|| format!("expected {A_SIZE}"))
}

/// An object that programs write or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Object {
    /// Print the JSON Schema of a job file.
    Job,
    /// Print the JSON Schema of what `run --summary` writes.
    Summary,
    /// Print the JSON Schema of a row of a job's dead letters.
    DeadLetter,
    /// Print the JSON Schema of what `bench` prints.
    Bench,
    /// Print the JSON Schema of what `checkpoints` prints with `--format json`.
    Checkpoints,
    /// Print the JSON Schema of what `explain --format json` prints.
    Explain,
}

/// How standard error says what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people; may change.
    Text,
    /// For programs.
    Json,
}

/// How to validate a job.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// The job.
    #[command(flatten)]
    pub job: JobArgs,
    /// How to print what is wrong.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How to explain a job.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The job.
    #[command(flatten)]
    pub job: JobArgs,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub format: ExplainFormat,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; may change.
    Text,
    /// For programs.
    Json,
}

/// How an explanation is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For people; may change.
    Text,
    /// For programs.
    Json,
    /// A Mermaid flowchart.
    Mermaid,
    /// A graph in Graphviz' language.
    Dot,
}

/// Tasks of an operator where neither the job nor the command line says: the cores of this machine.
#[must_use]
pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, NonZero::get).try_into().unwrap_or(u32::MAX)
}

/// Reads the character between the fields of CSV.
fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n.+-".contains(byte) => Ok(*byte),
        _ => Err("expected one ASCII character that doesn't stand in a number, or \\t".to_owned()),
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.is_empty() => Ok((path.to_owned(), value.to_owned())),
        _ => Err("expected PATH=VALUE, as sources.quakes.path=x.ndjson".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_value_may_hold_an_equals_sign_and_may_be_empty() {
        assert_eq!(assignment("a.b=x=y"), Ok(("a.b".to_owned(), "x=y".to_owned())));
        assert_eq!(assignment("a="), Ok(("a".to_owned(), String::new())));
        assignment("a").expect_err("no value");
        assignment("=a").expect_err("no path");
    }
}
