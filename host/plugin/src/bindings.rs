//! The host's side of the contract in `wit/`: the only generated code, and the only place where it is generated.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "stream-operator",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
    exports: { default: async },
});

/// World `aggregate-function`; what both worlds know is that of operators.
pub mod aggregate_function {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "aggregate-function",
        ownership: Borrowing { duplicate_if_necessary: true },
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "wasmill:plugin/data": crate::bindings::wasmill::plugin::data,
            "wasmill:plugin/errors": crate::bindings::wasmill::plugin::errors,
            "wasmill:plugin/log": crate::bindings::wasmill::plugin::log,
        },
    });
}

/// World `window-function`; what all worlds know is that of operators.
pub mod window_function {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "window-function",
        ownership: Borrowing { duplicate_if_necessary: true },
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "wasmill:plugin/data": crate::bindings::wasmill::plugin::data,
            "wasmill:plugin/errors": crate::bindings::wasmill::plugin::errors,
            "wasmill:plugin/log": crate::bindings::wasmill::plugin::log,
        },
    });
}
