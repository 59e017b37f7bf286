//! The one wasmtime engine of a process, and the thread that makes running guests look at the clock.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use wasmtime::{Config, Engine, OptLevel, Strategy};

use crate::limits::TICK;

/// Stack of a guest, in bytes.
const GUEST_STACK: usize = 512 << 10;
/// Stack of a guest's fiber, in bytes: what is left over is for host functions.
const FIBER_STACK: usize = 2 << 20;

/// An engine with its ticking thread, which ends with it.
pub(crate) struct TickingEngine {
    pub engine: Engine,
    /// Dropping it ends the thread.
    _stop: mpsc::Sender<()>,
}

impl TickingEngine {
    pub fn start() -> wasmtime::Result<Self> {
        let engine = engine()?;
        let (stop, stopped) = mpsc::channel::<()>();
        let ticking = engine.clone();
        // A thread of the operating system, not a task: ticks must come when every task thread is held by a guest.
        thread::Builder::new()
            .name("wasmill-ticks".to_owned())
            .spawn(move || {
                while matches!(stopped.recv_timeout(TICK), Err(RecvTimeoutError::Timeout)) {
                    ticking.increment_epoch();
                }
            })
            .map_err(|error| wasmtime::format_err!("cannot start the ticking thread: {error}"))?;
        Ok(Self { engine, _stop: stop })
    }
}

/// An engine as plugins are compiled for and run by.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

/// What is on and what is off. Features that plugins don't need are attack surface: off, though compiled in where builds without them
/// are less safe (garbage collection, threads).
fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_component_model(true)
        .gc_support(false)
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_threads(false)
        .wasm_exceptions(false)
        .wasm_relaxed_simd(false)
        .wasm_stack_switching(false)
        .cranelift_nan_canonicalization(true)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(FIBER_STACK)
        .async_stack_zeroing(true);
    config
}
