//! A table of a database that rows are written to.

use std::fmt;
use std::path::PathBuf;

/// Rows of a sink in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSink {
    /// The database.
    pub database: Database,
    /// The table, in PostgreSQL as `table` or `schema.table`.
    pub table: String,
    /// Whether it is made where it isn't there.
    pub create: bool,
    /// What a row does to it.
    pub write: TableWrite,
}

/// A database.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A server of PostgreSQL.
    Postgres {
        /// Its address, which may hold a password: it is never shown.
        url: String,
    },
    /// A file of SQLite.
    Sqlite {
        /// Its path as the job has it, for messages.
        written: String,
        /// Its path.
        path: PathBuf,
    },
}

/// What a row does to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableWrite {
    /// It is added.
    Insert,
    /// It takes the place of the one with the same key.
    Upsert {
        /// The key's columns.
        key: Vec<String>,
        /// The column that says whether a row is one to write or to delete.
        changes: Option<String>,
    },
}

/// Where the database is, without user and password.
impl fmt::Display for Database {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres { url } => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let (user, place) = rest.split_once('@').unwrap_or(("", rest));
                // An address that isn't written as one should is not shown at all: nobody knows where its password is.
                if user.contains(['?', '/']) || place.contains('@') {
                    return out.write_str("postgres");
                }
                write!(out, "postgres {}", place.split('?').next().unwrap_or_default())
            }
            Self::Sqlite { written, .. } => write!(out, "sqlite {written}"),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::Database;

    #[test]
    fn a_password_is_never_shown() {
        let shown = |url: &str| format!("{:?}", Database::Postgres { url: url.to_owned() });
        assert_eq!(shown("postgres://me:secret@db.example:5432/orders?password=secret"), "postgres db.example:5432/orders");
        for odd in
            ["postgres://me:se@cret@db/orders", "postgres://me:se/c?ret@db/orders", "postgres://db/orders?password=se@cret"]
        {
            assert_eq!(shown(odd), "postgres");
        }
        assert_eq!(shown("postgresql://db/orders"), "postgres db/orders");
    }
}
