//! SQL as text. Names stand in quotes; nothing that a user wrote or a row holds is pasted but those.

use std::fmt::Write as _;

use super::TableWrite;

/// The table that says how far each run got.
pub(super) const EPOCHS: &str = "wasmill_epochs";
/// The column of staged rows that counts them, over all epochs of a run.
pub(super) const SEQUENCE: &str = "wasmill_seq";
/// The column of staged rows that says what a row does.
pub(super) const CHANGE: &str = "wasmill_change";

/// A name in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names in quotes, with commas between them.
pub(super) fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// What moves staged rows up to a number to the target, in their order.
pub(super) fn moves(target: &str, staged: &str, columns: &[String], upto: u64, write: &TableWrite) -> Vec<String> {
    let names = list(columns);
    let (key, changes) = match write {
        TableWrite::Insert => {
            let rows = format!("SELECT {names} FROM {staged} WHERE {SEQUENCE} <= {upto} ORDER BY {SEQUENCE}");
            return vec![format!("INSERT INTO {target} ({names}) {rows}")];
        }
        TableWrite::Upsert { key, changes } => (key, changes.is_some()),
    };
    // Of each key the last row counts: what came before it is past already.
    let change = if changes { format!(", {CHANGE}") } else { String::new() };
    let latest = format!(
        "(SELECT {names}{change}, row_number() OVER (PARTITION BY {} ORDER BY {SEQUENCE} DESC) AS wasmill_nth FROM {staged} WHERE \
         {SEQUENCE} <= {upto}) AS latest",
        list(key)
    );
    let mut statements = Vec::new();
    if changes {
        let same = key.iter().map(|name| format!("latest.{0} = {target}.{0}", quoted(name))).collect::<Vec<_>>().join(" AND ");
        statements.push(format!(
            "DELETE FROM {target} WHERE EXISTS (SELECT 1 FROM {latest} WHERE wasmill_nth = 1 AND {CHANGE} IN ('before', 'delete') AND {same})"
        ));
    }
    let written = if changes { format!(" AND {CHANGE} IN ('insert', 'after')") } else { String::new() };
    let others: Vec<String> = columns.iter().filter(|name| !key.contains(name)).map(|name| quoted(name)).collect();
    let mut upsert = format!(
        "INSERT INTO {target} ({names}) SELECT {names} FROM {latest} WHERE wasmill_nth = 1{written} ORDER BY {0} ON CONFLICT ({0}) DO ",
        list(key)
    );
    if others.is_empty() {
        upsert.push_str("NOTHING");
    } else {
        let _ = write!(
            upsert,
            "UPDATE SET {}",
            others.iter().map(|name| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", ")
        );
    }
    statements.push(upsert);
    statements
}

/// Finds a value of a unique index that two staged rows have, or a staged row and one of the target; two statements, whose rows are the
/// value's columns as text.
pub(super) fn conflicts(target: &str, staged: &str, index: &[String], upto: u64) -> [String; 2] {
    let columns: Vec<String> = index.iter().map(|name| quoted(name)).collect();
    let texts = |of: &str| columns.iter().map(|name| format!("CAST({of}{name} AS TEXT)")).collect::<Vec<_>>().join(", ");
    let there = columns.iter().map(|name| format!("{name} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
    let same = columns.iter().map(|name| format!("s.{name} = t.{name}")).collect::<Vec<_>>().join(" AND ");
    [
        format!(
            "SELECT {} FROM {staged} WHERE {SEQUENCE} <= {upto} AND {there} GROUP BY {} HAVING count(*) > 1 LIMIT 1",
            texts(""),
            columns.join(", ")
        ),
        format!("SELECT {} FROM {staged} AS s JOIN {target} AS t ON {same} WHERE s.{SEQUENCE} <= {upto} LIMIT 1", texts("s.")),
    ]
}

/// `INSERT` of several rows, with a place for each value.
pub(super) fn insert_values(table: &str, columns: &[String], rows: usize) -> String {
    let one = format!("({})", vec!["?"; columns.len()].join(","));
    format!("INSERT INTO {table} ({}) VALUES {}", list(columns), vec![one; rows].join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_end_its_quotes() {
        assert_eq!(quoted("a\"; DROP TABLE t; --"), "\"a\"\"; DROP TABLE t; --\"");
    }

    #[test]
    fn an_upsert_writes_the_last_row_of_a_key_and_deletes_where_that_says_so() {
        let write = TableWrite::Upsert { key: vec!["id".into()], changes: Some("change".into()) };
        let [delete, upsert] = &moves("\"t\"", "\"s\"", &["id".into(), "n".into()], 7, &write)[..] else {
            panic!("two statements")
        };
        assert!(
            delete.starts_with("DELETE FROM \"t\" WHERE EXISTS (SELECT 1 FROM (SELECT \"id\", \"n\", wasmill_change, "),
            "{delete}"
        );
        assert!(upsert.ends_with(
            "WHERE wasmill_nth = 1 AND wasmill_change IN ('insert', 'after') ORDER BY \"id\" ON CONFLICT (\"id\") DO UPDATE SET \"n\" = excluded.\"n\""
        ), "{upsert}");
    }
}
