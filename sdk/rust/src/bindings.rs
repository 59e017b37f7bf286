//! The plugin contract in Rust, as `wit-bindgen` writes it; checked in, so that no build needs a generator.
//!
//! `wit-bindgen` 0.61, by `cargo run --manifest-path tests/bindings/Cargo.toml`; what all worlds know is in that of operators.

#[rustfmt::skip]
#[allow(missing_docs, unsafe_code, unused_qualifications, clippy::all, clippy::unwrap_used, clippy::allow_attributes_without_reason, reason = "written by a generator")]
pub mod stream_operator;

#[rustfmt::skip]
#[allow(missing_docs, unsafe_code, unused_qualifications, clippy::all, clippy::unwrap_used, clippy::allow_attributes_without_reason, reason = "written by a generator")]
pub mod aggregate_function;

#[rustfmt::skip]
#[allow(missing_docs, unsafe_code, unused_qualifications, clippy::all, clippy::unwrap_used, clippy::allow_attributes_without_reason, reason = "written by a generator")]
pub mod window_function;

pub use stream_operator::wasmill::plugin::data::{
    self, Array, BinaryArray, Column, DataType, DecimalType, Field, Schema, Values,
};
pub use stream_operator::wasmill::plugin::output::Origin;
pub use stream_operator::wasmill::plugin::plan::{self, Input, Plan};
