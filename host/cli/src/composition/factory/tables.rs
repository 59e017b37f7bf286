//! Sinks into tables.

use wasmill_connector::Visibility;
use wasmill_connector::file::FilePath;
use wasmill_connector::sql::{Database, SqlSinkConfig, TableWrite};
use wasmill_job::graph;

/// How a sink of a job writes to a table.
pub(super) fn table_sink(table: &graph::TableSink, [job, sink]: [&str; 2], visibility: Visibility) -> SqlSinkConfig {
    SqlSinkConfig {
        database: match &table.database {
            graph::Database::Postgres { url } => Database::Postgres { url: url.clone() },
            graph::Database::Sqlite { written, path } => {
                Database::Sqlite(FilePath { written: written.clone(), path: path.clone() })
            }
        },
        table: table.table.clone(),
        create: table.create,
        write: match &table.write {
            graph::TableWrite::Insert => TableWrite::Insert,
            graph::TableWrite::Upsert { key, changes } => TableWrite::Upsert { key: key.clone(), changes: changes.clone() },
        },
        visibility,
        job: job.to_owned(),
        sink: sink.to_owned(),
    }
}
