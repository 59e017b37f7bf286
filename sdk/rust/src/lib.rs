//! Write Wasmill operators in Rust.
