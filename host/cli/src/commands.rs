//! One module a command.

pub mod bench;
pub(crate) mod checkpoints;
mod control;
mod explain;
mod explain_error;
mod infer;
mod inspect;
mod plugin;
mod plugin_test;
mod run;
mod schema;
mod state;
mod validate;

use wasmill_runtime::JobError;

use crate::arguments::{Command, PluginCommand, SchemaCommand, StateCommand};
use crate::composition::Composition;
use crate::exit::Exit;
use crate::later::not_in_this_version;
use crate::signals::Stop;
use crate::{plugin_directory, report, sandbox};

/// Does what a command asks for.
#[must_use]
pub fn run(command: Command) -> Exit {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Validate(args) => validate::validate(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Bench(args) => measure(&args),
        Command::Plugin(PluginCommand::Build { directory }) => plugin::build(&directory),
        Command::Plugin(PluginCommand::Inspect(args)) => inspect::inspect(&args),
        Command::Plugin(PluginCommand::New { name, language, sdk }) => plugin::new(&name, &language, sdk.as_deref()),
        Command::Plugin(PluginCommand::Test(args)) => plugin_test::test(&args),
        Command::Schema(SchemaCommand::Infer(args)) => infer::infer(&args),
        Command::Schema(SchemaCommand::Object(object)) => schema::schema(object),
        Command::ExplainError { code } => explain_error::explain_error(code.as_deref()),
        Command::Status { job, format } => control::status(job.as_deref(), format),
        Command::Stop { job, savepoint, format } => control::stop(&job, savepoint.as_deref(), format),
        Command::Savepoint { job, label, format } => control::savepoint(&job, label.as_deref(), format),
        Command::Swap(_) => not_in_this_version("`swap`", None),
        Command::Rollback(_) => not_in_this_version("`rollback`", None),
        Command::Checkpoints(command) => checkpoints::checkpoints(&command),
        Command::State(StateCommand::Read(args)) => state::read(&args),
        Command::Replay(_) => not_in_this_version("`replay`", None),
        Command::Server(_) => not_in_this_version("`server`", None),
    }
}

/// What jobs are put together from; with `build`, plugins that aren't built are, until the program is asked to stop.
fn compose(build: bool, stop: Stop) -> Result<Composition, Exit> {
    match sandbox::start() {
        Ok(sandbox) => Ok(Composition::new(sandbox, plugin_directory::prepare(build, stop))),
        Err(error) => {
            report::error(&report::of_plugin_error(error));
            Err(Exit::Failed)
        }
    }
}

/// Measures; prints what was found, and fails where the answer was wrong.
fn measure(args: &bench::BenchArgs) -> Exit {
    let composition = match compose(true, Stop::never()) {
        Ok(composition) => composition,
        Err(exit) => return exit,
    };
    let failed = |message: String| {
        report::error(&JobError::new("bench-failed", message));
        Exit::Failed
    };
    let found =
        bench::run(args, &composition).and_then(|found| Ok((serde_json::to_string(&found)?, serde_json::to_value(&found)?)));
    let (text, correct) = match found {
        Ok((text, value)) => (format!("{text}\n"), value["correct"] == true),
        Err(error) => return failed(format!("{error:#}")),
    };
    if let Some(file) = &args.json
        && let Err(error) = std::fs::write(file, &text)
    {
        return failed(format!("{}: can't be written: {error}", file.display()));
    }
    match report::result(&text) {
        Exit::Done if !correct => failed("the answer is wrong".to_owned()),
        exit => exit,
    }
}
