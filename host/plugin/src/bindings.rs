//! The host's side of the contract in `wit/`: the only generated code, and the only place where it is generated.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "stream-operator",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
    exports: { default: async },
});
