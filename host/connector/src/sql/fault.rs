//! What went wrong with a database, in words. An address is never part of them but for host, port and name.

use sqlx::postgres::{PgConnectOptions, PgDatabaseError};

use super::Database;
use super::connection::{InsertError, PATIENCE};
use crate::ConnectorError;

/// Where the database is, without what is secret.
pub(super) fn place(database: &Database) -> String {
    match database {
        Database::Sqlite(file) => file.written.clone(),
        Database::Postgres { url } => match url.parse::<PgConnectOptions>() {
            Ok(options) => {
                let name = options.get_database().unwrap_or_else(|| options.get_username());
                format!("postgres at {}:{}, database {name}", options.get_host(), options.get_port())
            }
            Err(_) => "postgres".to_owned(),
        },
    }
}

/// The database's code of an error.
fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

/// Whether the connection is gone, so that nobody knows what became of what was asked last.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    // Class 57P: the server shuts down, crashed or starts; class 08: the connection.
    let by_code = code(error).is_some_and(|code| code.starts_with("57P") || (code.len() == 5 && code.starts_with("08")));
    by_code || matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed)
}

/// Whether a connection may succeed a moment later: nobody listens, the server starts, or it has no place for one more.
pub(super) fn may_pass(error: &sqlx::Error) -> bool {
    is_lost(error) || code(error).is_some_and(|code| code == "53300")
}

/// What failed, while doing what.
pub(super) fn database(database: &Database, table: &str, doing: &str, error: &sqlx::Error) -> ConnectorError {
    let place = place(database);
    let what = described(error);
    let code = code(error).unwrap_or_default();
    let is_postgres = matches!(database, Database::Postgres { .. });
    if is_lost(error) || code == "53300" {
        let tried = format!("tried for {} s", PATIENCE.as_secs());
        return ConnectorError::new("database-unreachable", format!("{place}: can't be reached while {doing}, {tried}: {what}"))
            .with_hint("see that the server runs and takes connections; with checkpoints the job then goes on where it was");
    }
    if matches!(error, sqlx::Error::Configuration(_)) {
        return ConnectorError::new("database-refused", format!("the url isn't one of PostgreSQL: {what}")).with_hint(
            "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password written as %XX",
        );
    }
    if is_postgres && (code.starts_with("28") || code == "3D000" || code == "42501") || matches!(error, sqlx::Error::Tls(_)) {
        return ConnectorError::new("database-refused", format!("{place}: refused while {doing}: {what}"))
            .with_hint("see the user, the password, the database's name and what the user may do in it");
    }
    // Class 22 is a value, 23 a constraint; SQLite's 19 is a constraint, its upper bytes say which.
    let is_constraint = code.starts_with("23") || code.starts_with("22");
    let is_row = if is_postgres { is_constraint } else { code.parse::<u32>().is_ok_and(|code| code & 0xff == 19) };
    if is_row {
        return row_refused(database, table, &what);
    }
    ConnectorError::new("database-failed", format!("{place}: table {table}: failed while {doing}: {what}"))
}

/// A row that the table's constraints or types refuse.
pub(super) fn row_refused(database: &Database, table: &str, what: &str) -> ConnectorError {
    ConnectorError::new("row-refused", format!("{}: table {table} refuses a row: {what}", place(database))).with_hint(
        "filter such rows out before the sink, write with `mode: upsert` where a key comes again, or change the table; what was committed stays",
    )
}

/// What kept rows from being added.
pub(super) fn insertion(database: &Database, table: &str, doing: &str, error: &InsertError) -> ConnectorError {
    match error {
        InsertError::Database(error) => self::database(database, table, doing, error),
        InsertError::TooLarge { column, value } => row_refused(
            database,
            table,
            &format!("column {column}: {value} is more than an integer of SQLite holds, {}", i64::MAX),
        ),
    }
}

/// An error with all that the database says of the row.
fn described(error: &sqlx::Error) -> String {
    let sqlx::Error::Database(found) = error else { return error.to_string() };
    let mut text = found.message().to_owned();
    if let Some(postgres) = found.try_downcast_ref::<PgDatabaseError>() {
        for more in [postgres.detail(), postgres.r#where()].into_iter().flatten() {
            text.push_str("; ");
            text.push_str(more.lines().next().unwrap_or_default());
        }
    }
    text
}
