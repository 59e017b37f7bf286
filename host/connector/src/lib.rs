//! Where records enter and leave a job.
//!
//! The contracts are [`Source`] and [`Sink`]; one suite for each (`conformance`, feature `test-suite`) says what they promise.
//! Formats turn bytes into rows and back: [`json`] and [`csv`] row by row, [`columnar`] files of columns. Connectors are [`mod@file`], [`bucket`],
//! [`stdio`], [`sql`], [`generator`] and [`blackhole`].

pub mod error;
pub mod format;
pub mod sink;
pub mod source;

#[cfg(any(test, feature = "test-suite"))]
pub mod conformance;

pub mod csv;
pub mod json;
pub mod rows;
mod value;

pub mod columnar;

pub mod blackhole;
pub mod bucket;
pub mod file;
pub mod generator;
pub mod sql;
pub mod stdio;

pub mod dead_letter;
pub mod inference;
pub mod limited;
mod pacer;

pub use dead_letter::dead_letter;
pub use error::ConnectorError;
pub use format::{FormatIn, FormatOut};
pub use json::row_object;
pub use limited::Limited;
pub use sink::{Prepared, Sink, Visibility};
pub use source::{BatchLimit, Extent, Malformed, Position, Read, Source};
