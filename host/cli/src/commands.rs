//! One module a command.

pub mod bench;
mod explain;
mod infer;
mod inspect;
mod plugin;
mod run;
mod validate;

use wasmill_runtime::JobError;

use crate::arguments::{Command, PluginCommand, SchemaCommand};
use crate::composition::Composition;
use crate::exit::Exit;
use crate::later::not_in_this_version;
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
        Command::Plugin(PluginCommand::Inspect { file, format }) => inspect::inspect(&file, format),
        Command::Plugin(PluginCommand::New(_)) => not_in_this_version("`plugin new`", None),
        Command::Plugin(PluginCommand::Test(_)) => not_in_this_version("`plugin test`", Some("use `cargo test`")),
        Command::Schema(SchemaCommand::Infer(args)) => infer::infer(&args),
        Command::Schema(SchemaCommand::Object(_)) => {
            not_in_this_version("`schema`", Some("of the schemas there is `schema infer FILE`"))
        }
        Command::Status(_) => not_in_this_version("`status`", None),
        Command::Stop(_) => not_in_this_version("`stop`", Some("send the job's process SIGTERM")),
        Command::Savepoint(_) => not_in_this_version("`savepoint`", None),
        Command::Swap(_) => not_in_this_version("`swap`", None),
        Command::Rollback(_) => not_in_this_version("`rollback`", None),
        Command::Checkpoints(_) => not_in_this_version("`checkpoints`", None),
        Command::State(_) => not_in_this_version("`state`", None),
        Command::Replay(_) => not_in_this_version("`replay`", None),
        Command::Server(_) => not_in_this_version("`server`", None),
    }
}

/// What jobs are put together from; with `build`, plugins that aren't built are.
fn compose(build: bool) -> Result<Composition, Exit> {
    match sandbox::start() {
        Ok(sandbox) => Ok(Composition::new(sandbox, plugin_directory::prepare(build))),
        Err(error) => {
            report::error(&report::of_plugin_error(error));
            Err(Exit::Failed)
        }
    }
}

/// Measures; prints what was found, and fails where the answer was wrong.
fn measure(args: &bench::BenchArgs) -> Exit {
    let composition = match compose(true) {
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
