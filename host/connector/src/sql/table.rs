//! Types of columns: what a table is made with, and what one that is there may have.

use arrow_schema::{DataType, Field};
use wasmill_flow::column_type::{self, TIMESTAMP};

use super::Database;

/// A column of a table that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// The type in the database's words.
    pub(super) kind: String,
    pub(super) not_null: bool,
    /// Whether it has a value where a row gives none: a default, a number of its own.
    pub(super) fills_itself: bool,
    /// Whether the type is an enumeration of texts.
    pub(super) is_enum: bool,
}

/// The type that a column is made with.
pub(super) fn made(database: &Database, data_type: &DataType) -> String {
    let postgres = matches!(database, Database::Postgres { .. });
    let (in_postgres, in_sqlite) = match data_type {
        DataType::Boolean => ("boolean", "INTEGER"),
        DataType::Int32 => ("integer", "INTEGER"),
        DataType::Int64 => ("bigint", "INTEGER"),
        DataType::UInt64 => ("numeric(20,0)", "INTEGER"),
        DataType::Float32 => ("real", "REAL"),
        DataType::Float64 => ("double precision", "REAL"),
        DataType::Decimal128(precision, scale) if postgres => return format!("numeric({precision},{scale})"),
        DataType::Date32 => ("date", "TEXT"),
        other if *other == TIMESTAMP => ("timestamp with time zone", "TEXT"),
        DataType::BinaryView => ("bytea", "BLOB"),
        DataType::List(_) | DataType::Struct(_) => ("jsonb", "TEXT"),
        _ => ("text", "TEXT"),
    };
    if postgres { in_postgres } else { in_sqlite }.to_owned()
}

/// The types that a column may have that is there, the first being the one it would be made with; none: it fits.
pub(super) fn misfit(database: &Database, field: &Field, column: &Column) -> Option<String> {
    let accepted = match database {
        Database::Postgres { .. } => return misfit_in_postgres(field.data_type(), column),
        Database::Sqlite(_) => match field.data_type() {
            DataType::Boolean | DataType::Int32 | DataType::Int64 | DataType::UInt64 => &["INTEGER", "NUMERIC", "BLOB"][..],
            DataType::Float32 | DataType::Float64 => &["REAL", "NUMERIC", "BLOB"],
            DataType::Date32 => &["TEXT", "NUMERIC", "BLOB"],
            other if *other == TIMESTAMP => &["TEXT", "NUMERIC", "BLOB"],
            DataType::BinaryView => &["BLOB", "TEXT", "NUMERIC", "INTEGER", "REAL"],
            // Numbers in texts would be made numbers.
            _ => &["TEXT", "BLOB"],
        },
    };
    (!accepted.contains(&affinity(&column.kind))).then(|| made(database, field.data_type()))
}

fn misfit_in_postgres(data_type: &DataType, column: &Column) -> Option<String> {
    let base = column.kind.split('(').next().unwrap_or_default().trim_end();
    let with_zone = column.kind.ends_with("with time zone");
    let fits = match data_type {
        DataType::Boolean => base == "boolean",
        DataType::Int32 => matches!(base, "integer" | "bigint") || holds_digits(&column.kind, 10, 0),
        DataType::Int64 => base == "bigint" || holds_digits(&column.kind, 19, 0),
        DataType::UInt64 => holds_digits(&column.kind, 20, 0),
        DataType::Float32 => matches!(base, "real" | "double precision"),
        DataType::Float64 => base == "double precision",
        DataType::Decimal128(precision, scale) => holds_digits(&column.kind, i32::from(*precision), i32::from(*scale)),
        DataType::Date32 => base == "date",
        other if *other == TIMESTAMP => with_zone || base.starts_with("timestamp"),
        DataType::BinaryView => base == "bytea",
        DataType::List(_) | DataType::Struct(_) => matches!(base, "jsonb" | "json" | "text"),
        _ => column.is_enum || matches!(base, "text" | "character varying" | "character" | "citext" | "uuid" | "json" | "jsonb"),
    };
    (!fits).then(|| made(&Database::Postgres { url: String::new() }, data_type))
}

/// Whether a `numeric(p,s)` holds numbers of so many digits, so many of them behind the point.
fn holds_digits(kind: &str, precision: i32, scale: i32) -> bool {
    let Some(rest) = kind.strip_prefix("numeric") else { return false };
    let Some(numbers) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return rest.is_empty() };
    let mut numbers = numbers.split(',').map(|number| number.trim().parse::<i32>().unwrap_or(0));
    let (p, s) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    s >= scale && p - s >= precision - scale
}

/// What SQLite makes of a declared type, by the rules of its documentation ("Determination Of Column Affinity").
pub(super) fn affinity(declared: &str) -> &'static str {
    let declared = declared.to_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
    if has(&["INT"]) {
        "INTEGER"
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        "TEXT"
    } else if declared.is_empty() || has(&["BLOB"]) {
        "BLOB"
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        "REAL"
    } else {
        "NUMERIC"
    }
}

/// All that is wrong with a table for rows of these columns, in words.
pub(super) fn problems(database: &Database, fields: &[&Field], found: &[Column]) -> Vec<String> {
    let mut problems = Vec::new();
    for field in fields {
        let written = column_type::describe(field);
        match found.iter().find(|column| column.name == *field.name()) {
            None => problems.push(format!(
                "column `{}` ({written}): expected {}, found no such column",
                field.name(),
                made(database, field.data_type())
            )),
            Some(column) => problems.extend(misfit(database, field, column).map(|expected| {
                let kind = if column.kind.is_empty() { "no type" } else { &column.kind };
                format!("column `{}` ({written}): expected {expected}, found {kind}", field.name())
            })),
        }
    }
    let lacking = found
        .iter()
        .filter(|column| column.not_null && !column.fills_itself && !fields.iter().any(|field| *field.name() == column.name));
    problems.extend(lacking.map(|column| {
        format!("column `{}` ({}): it must have a value, and the rows have no such column", column.name, column.kind)
    }));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::FilePath;

    fn column(name: &str, kind: &str) -> Column {
        Column { name: name.into(), kind: kind.into(), not_null: true, fills_itself: false, is_enum: false }
    }

    #[test]
    fn a_table_that_does_not_fit_is_told_column_by_column() {
        let database = Database::Postgres { url: String::new() };
        let fields = [
            Field::new("id", DataType::Int64, true),
            Field::new("price", DataType::Decimal128(10, 2), true),
            Field::new("at", TIMESTAMP, true),
        ];
        let fields: Vec<&Field> = fields.iter().collect();
        let found = [column("id", "integer"), column("price", "numeric(10,1)"), column("who", "text")];
        assert_eq!(
            problems(&database, &fields, &found),
            [
                "column `id` (int64): expected bigint, found integer",
                "column `price` (decimal(10,2)): expected numeric(10,2), found numeric(10,1)",
                "column `at` (timestamp): expected timestamp with time zone, found no such column",
                "column `who` (text): it must have a value, and the rows have no such column",
            ]
        );
        let found = [column("id", "bigint"), column("price", "numeric(12,2)"), column("at", "timestamp(3) without time zone")];
        assert_eq!(problems(&database, &fields, &found), Vec::<String>::new());
    }

    #[test]
    fn sqlite_would_change_what_does_not_fit_a_columns_affinity() {
        let database = Database::Sqlite(FilePath { written: "a.db".into(), path: "a.db".into() });
        let text = Field::new("name", DataType::Utf8View, true);
        for (declared, fits) in [("VARCHAR(10)", true), ("TEXT", true), ("", true), ("INT", false), ("DECIMAL(10,2)", false)] {
            assert_eq!(misfit(&database, &text, &column("name", declared)).is_none(), fits, "{declared}");
        }
        let number = Field::new("n", DataType::Int64, true);
        assert!(misfit(&database, &number, &column("n", "BIGINT")).is_none());
        assert_eq!(misfit(&database, &number, &column("n", "TEXT")).as_deref(), Some("INTEGER"));
    }
}
