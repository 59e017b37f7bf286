//! Whole `.wasm` files: from their bytes to a plan, or to the reason why they are no plugin.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema};
use wasmill_plugin::{Compiler, InputShape, Limits, Sandbox};

/// Compiles in this process, so that what goes wrong there is seen.
static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::start(None, Compiler::InProcess).expect("the engine starts"));

/// The bytes are a plugin's file.
pub fn run(bytes: &[u8]) {
    let Ok(component) = SANDBOX.load_bytes("fuzzed.wasm", bytes) else { return };
    let schema = Arc::new(Schema::new(vec![Field::new("key", DataType::Int64, false)]));
    let inputs = [InputShape { name: "main".to_owned(), schema, key: vec![0] }];
    let limits =
        Limits { cpu_per_start: Duration::from_millis(50), cpu_per_call: Duration::from_millis(50), ..Limits::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    if let Err(error) = runtime.block_on(component.describe("null", &inputs, &limits)) {
        assert!(error.message.starts_with("plugin fuzzed.wasm: "), "{error}");
    }
}
