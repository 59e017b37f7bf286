//! What the user asked for, made safe: the job file as written, validated, and planned as tasks and edges. Pure: nothing here reads a
//! file, an environment or a clock; whoever calls hands in texts, variables and a [`Catalog`].
//!
//! A job file passes through these, in order:
//! 1. [`document`]: YAML as a tree that remembers places; `--set` and `${VAR}` take theirs.
//! 2. [`written`]: every key and value read, by [`read`].
//! 3. [`graph`]: names looked up, columns and types followed, by [`validate`]. Nothing in it can be wrong any more.
//! 4. [`plan`]: stages of chained nodes, and the edges between them.
//!
//! Everything wrong on the way is collected as a [`Problem`] with its place; [`load`] returns all of them at once.

pub mod place;
pub mod problem;

pub mod document;
pub mod measure;
pub mod nearest;

pub mod read;
pub mod written;

pub mod catalog;
pub mod graph;
pub mod validate;
pub mod workload;

pub mod explain;
pub mod plan;

mod load;
mod locate;

pub use catalog::Catalog;
pub use load::load;
pub use locate::locate;
pub use problem::{Problem, render};
