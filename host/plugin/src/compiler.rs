//! Where WebAssembly is compiled: in a process of its own that may take only so much time and memory, or in this one.
//!
//! A compiler is the largest piece of code that a stranger's bytes go through, and what it costs isn't bounded by their number. So it
//! runs in a child process with limits on CPU time and memory that the kernel keeps, which can open no file and no socket and start no
//! process. Making a component of a core module is done there too: it parses as deep as types nest. What goes wrong there is a refusal of one
//! plugin, never the end of the jobs that this process runs. It guards against what costs too much, not against a compiler that is made to
//! give wrong code: that code is run by this process.

pub mod confined;
mod process;

use wasmtime::Engine;

use crate::error::{Code, PluginError};
use crate::file::{ComponentFile, no_component};
pub use process::CompilerProcess;

/// Compiles components.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In this process, without limits: for components that are trusted, as in benchmarks.
    InProcess,
    /// In a child process for each.
    Process(CompilerProcess),
}

/// Why there is no compiled code.
#[derive(Debug)]
enum Failure {
    /// The core module can't be made a component; the encoder's words.
    NoComponent(String),
    /// The component is at fault; the compiler's words.
    Refused(String),
    /// The compiler ended before it was done; how.
    Ended(String),
    /// It took more than it may.
    TooMuch(String),
    /// It can't be run here.
    Unavailable(String),
}

impl Compiler {
    /// Compiles a component, or a core module that is made one first, to what [`wasmtime::component::Component::deserialize`] takes on this engine.
    ///
    /// Costs about a second of CPU time for a megabyte of WebAssembly, and, in a process of its own, 15 ms for that.
    ///
    /// # Errors
    /// Where the component is no WebAssembly that this engine runs, or takes more than the compiler may.
    pub(crate) fn compile(&self, engine: &Engine, name: &str, file: &ComponentFile) -> Result<Vec<u8>, PluginError> {
        let compiled = match self {
            Self::InProcess => {
                engine.precompile_component(&file.component(name)?).map_err(|error| Failure::Refused(format!("{error:#}")))
            }
            Self::Process(process) => process.compile(&file.bytes),
        };
        compiled.map_err(|failure| failure.of_plugin(name))
    }
}

impl Failure {
    fn of_plugin(self, name: &str) -> PluginError {
        let error = |code, what: String| PluginError::new(code, format!("plugin {name}: {what}"));
        match self {
            Self::NoComponent(why) => no_component(name, &why),
            Self::Refused(why) => error(Code::Invalid, format!("can't be compiled: {why}"))
                .with_hint("threads, garbage collection, exceptions, 64-bit memories and component-model async are switched off"),
            Self::TooMuch(what) => error(Code::TooBig, format!("can't be compiled: it {what}"))
                .with_hint("make it smaller: build with optimisation, and leave out what it doesn't use"),
            Self::Ended(how) => error(Code::Invalid, format!("can't be compiled: the compiler {how}"))
                .with_hint("please report it, with the plugin"),
            Self::Unavailable(why) => error(Code::Invalid, format!("can't be compiled: the compiler can't be started: {why}")),
        }
    }
}
