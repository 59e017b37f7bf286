//! The WebAssembly boundary: components checked, compiled, limited and run as operators.
