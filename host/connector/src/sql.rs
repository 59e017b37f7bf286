//! Writes rows into tables of PostgreSQL and SQLite, each epoch in one transaction with its number.
//!
//! Rows of an epoch that runs go to a table beside the target, `wasmill_staged_RUN`, as they come. `prepare` writes the last of them;
//! `commit` moves them to the target and notes in `wasmill_epochs` how far that got, in one transaction. So a commit whose outcome nobody
//! knows, as its connection was lost, is looked up and never guessed.
//!
//! | module | what it does |
//! |---|---|
//! | `sink` | the order of things: what a write, a preparation, a commit and a recovery are |
//! | `connection` | runs statements on either database |
//! | `statements` | SQL as text: names in quotes, nothing else pasted but numbers |
//! | `table` | types of columns: what is made, what is accepted |
//! | `cell` | a value of a column as a database takes it |
//! | `fault` | what went wrong, in words |

mod cell;
mod connection;
mod fault;
mod sink;
mod statements;
mod table;

use arrow_schema::SchemaRef;

use crate::file::FilePath;
use crate::{ConnectorError, Sink, Visibility};

/// A database.
#[derive(Debug, Clone)]
pub enum Database {
    /// A server of PostgreSQL.
    Postgres {
        /// `postgres://user:password@host:port/name`; never part of a message.
        url: String,
    },
    /// A file of SQLite; made where it isn't there.
    Sqlite(FilePath),
}

/// What a row does to the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableWrite {
    /// It is added.
    Insert,
    /// It takes the place of the one with the same key.
    Upsert {
        /// The key's columns, of which the table has a unique index.
        key: Vec<String>,
        /// The column that says whether a row is one to write (`insert`, `after`) or to delete (`before`, `delete`). It is no column of
        /// the table.
        changes: Option<String>,
    },
}

/// What is written where.
#[derive(Debug, Clone)]
pub struct SqlSinkConfig {
    /// The database.
    pub database: Database,
    /// The table, in PostgreSQL as `table` or `schema.table`.
    pub table: String,
    /// Whether the table is made where it isn't there.
    pub create: bool,
    /// What a row does.
    pub write: TableWrite,
    /// When rows are seen.
    pub visibility: Visibility,
    /// The job's name; with the sink's it tells whose leftovers are whose.
    pub job: String,
    /// The sink's name.
    pub sink: String,
}

/// A sink of rows with these columns. It connects when it is recovered, or at its first rows.
///
/// # Errors
/// Code `table-mismatch` where a column's type has no form in the database, or a column that is named isn't there.
pub fn sql_sink(config: SqlSinkConfig, schema: &SchemaRef) -> Result<Box<dyn Sink>, ConnectorError> {
    Ok(Box::new(sink::SqlSink::new(config, schema)?))
}
