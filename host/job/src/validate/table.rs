//! Sinks into tables: their database, and the columns that they name.

use arrow_schema::{DataType, Schema};
use wasmill_flow::column_type;

use super::{Given, paths};
use crate::graph;
use crate::nearest::nearest;
use crate::place::At;
use crate::problem::{Problems, code};
use crate::written::{self, Database, SinkConnector, TableSink, TableWrite};

pub(super) fn resolve(sink: &TableSink, given: &Given<'_>, problems: &mut Problems) -> Option<graph::TableSink> {
    let database = match &sink.database {
        Database::Postgres { url } => graph::Database::Postgres { url: url.as_ref()?.value.clone() },
        Database::Sqlite { path } => {
            let path = path.as_ref()?;
            graph::Database::Sqlite { written: path.value.clone(), path: paths::local(path, given.dir, problems)? }
        }
    };
    let write = match sink.write.as_ref()? {
        TableWrite::Insert => graph::TableWrite::Insert,
        TableWrite::Upsert { key, changes } => graph::TableWrite::Upsert {
            key: key.iter().map(|name| name.value.clone()).collect(),
            changes: changes.as_ref().map(|name| name.value.clone()),
        },
    };
    Some(graph::TableSink { database, table: sink.table.as_ref()?.value.clone(), create: sink.create, write })
}

/// Complains about columns of a key or of changes that the rows don't have, or that can't be one.
pub(super) fn check_columns(sink: &written::Sink, schema: &Schema, problems: &mut Problems) {
    let Some(SinkConnector::Table(table)) = &sink.connector else { return };
    let Some(TableWrite::Upsert { key, changes }) = &table.write else { return };
    for name in key {
        let Some(field) = find(name, schema, problems) else { continue };
        if column_type::is_nested(field.data_type()) {
            let problem = problems.error(code::INVALID_VALUE, &name.spot).found_to_be(format!(
                "`{}`, a column of {}",
                name.value,
                column_type::name(field.data_type())
            ));
            problem.expected("columns of a key: no list and no struct");
        }
        if changes.as_ref().is_some_and(|changes| changes.value == name.value) {
            let problem = problems.error(code::INVALID_VALUE, &name.spot).found(name.value.clone());
            problem.expected("columns other than that of `changes`, which the table doesn't have");
        }
    }
    if let Some(name) = changes
        && let Some(field) = find(name, schema, problems)
        && *field.data_type() != DataType::Utf8View
    {
        let problem = problems.error(code::INVALID_VALUE, &name.spot).found_to_be(format!(
            "`{}`, a column of {}",
            name.value,
            column_type::name(field.data_type())
        ));
        problem.expected("a column of utf8: insert, after, before or delete");
    }
}

fn find<'a>(name: &At<String>, schema: &'a Schema, problems: &mut Problems) -> Option<&'a arrow_schema::Field> {
    let found = schema.field_with_name(&name.value).ok();
    if found.is_none() {
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let meant = nearest(&name.value, names);
        problems
            .error(code::UNKNOWN_COLUMN, &name.spot)
            .found(name.value.clone())
            .expected("a column of the sink's rows")
            .meant(meant);
    }
    found
}
