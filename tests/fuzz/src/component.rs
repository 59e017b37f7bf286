//! Whole `.wasm` files: from their bytes to a plan, or to the reason why they are no plugin.

use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema};
use wasmill_plugin::{Compiler, CompilerProcess, InputShape, Limits, Sandbox, file};

/// How a compiler's process is started. Without it a core module is looked at as far as this process ever does.
pub static COMPILER: OnceLock<CompilerProcess> = OnceLock::new();

/// Components are compiled in this process, so that what goes wrong there is seen.
static HERE: LazyLock<Sandbox> = LazyLock::new(|| sandbox(Compiler::InProcess));
/// Core modules are made components in a process that may die of it: the parser of their metadata follows packages that name each other
/// until its stack ends.
static APART: LazyLock<Option<Sandbox>> =
    LazyLock::new(|| COMPILER.get().map(|process| sandbox(Compiler::Process(process.clone()))));

fn sandbox(compiler: Compiler) -> Sandbox {
    Sandbox::start(None, compiler).expect("the engine starts")
}

/// The bytes are a plugin's file.
pub fn run(bytes: &[u8]) {
    let Ok(file) = file::from_bytes("fuzzed.wasm", bytes) else { return };
    let sandbox = if file.is_core_module { APART.as_ref() } else { Some(&*HERE) };
    let Some(Ok(component)) = sandbox.map(|sandbox| sandbox.load_bytes("fuzzed.wasm", bytes)) else { return };
    let schema = Arc::new(Schema::new(vec![Field::new("key", DataType::Int64, false)]));
    let inputs = [InputShape { name: "main".to_owned(), schema, key: vec![0], broadcast: false }];
    let limits =
        Limits { cpu_per_start: Duration::from_millis(50), cpu_per_call: Duration::from_millis(50), ..Limits::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    if let Err(error) = runtime.block_on(component.describe("null", &inputs, &limits)) {
        assert!(error.message.starts_with("plugin fuzzed.wasm: "), "{error}");
    }
}
