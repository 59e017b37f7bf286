//! Tables of SQLite, and of a server of PostgreSQL that is started for each test.

// One for these tests and for those of the whole program.
#[path = "../../../../../tests/databases/server.rs"]
mod server;

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringViewArray, TimestampMillisecondArray, UInt64Array,
};
use wasmill_flow::Epoch;
use wasmill_flow::column_type::{list_of, struct_of};

use super::super::connection::Connection;
use super::super::{Database, SqlSinkConfig, TableWrite, sql_sink};
use crate::conformance::{Promise, SinkUnderTest, check_sink, schema};
use crate::file::FilePath;
use crate::{ConnectorError, Prepared, Visibility};
use server::Server;

fn sqlite(path: &Path) -> Database {
    Database::Sqlite(FilePath { written: "out.db".to_owned(), path: path.to_owned() })
}

fn config(database: &Database, visibility: Visibility) -> SqlSinkConfig {
    let (database, write) = (database.clone(), TableWrite::Insert);
    SqlSinkConfig { database, table: "t".into(), create: true, write, visibility, job: "job".into(), sink: "out".into() }
}

fn upsert(database: &Database, changes: Option<&str>, visibility: Visibility) -> SqlSinkConfig {
    let write = TableWrite::Upsert { key: vec!["id".into()], changes: changes.map(str::to_owned) };
    SqlSinkConfig { write, ..config(database, visibility) }
}

fn of(server: &Server) -> Database {
    Database::Postgres { url: server.url() }
}

/// What a statement gives, as texts, from a thread of its own: suites ask without waiting.
fn asked(database: &Database, sql: &str) -> Vec<Vec<Option<String>>> {
    let (database, sql) = (database.clone(), sql.to_owned());
    let asking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut connection = Connection::open(&database).await.expect("a connection");
            connection.fetch(sql, &[]).await.expect("an answer")
        })
    });
    asking.join().expect("an answer")
}

/// The first column of what a statement gives.
fn column(database: &Database, sql: &str) -> Vec<String> {
    asked(database, sql).into_iter().map(|row| row[0].clone().unwrap_or_else(|| "null".to_owned())).collect()
}

async fn conforms(database: &Database, visibility: Visibility) {
    let exists = match database {
        Database::Postgres { .. } => "SELECT '1' WHERE to_regclass('t') IS NOT NULL",
        Database::Sqlite(_) => "SELECT '1' FROM sqlite_master WHERE name = 't'",
    };
    let visible = || -> Vec<String> {
        if asked(database, exists).is_empty() {
            return Vec::new();
        }
        column(database, "SELECT CAST(n AS TEXT) FROM t ORDER BY t.n").into_iter().map(|n| format!("{{\"n\":{n}}}")).collect()
    };
    check_sink(&SinkUnderTest {
        open: &|| sql_sink(config(database, visibility), &schema()).expect("a sink"),
        visible: &visible,
        reset: &|| {
            if !asked(database, exists).is_empty() {
                asked(database, "DELETE FROM t");
            }
        },
        visibility,
        promise: Promise::ForwardOnly,
    })
    .await;
}

#[tokio::test]
async fn a_table_of_sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = sqlite(&folder.path().join("out.db"));
    conforms(&database, Visibility::AtOnce).await;
    conforms(&database, Visibility::ByEpoch).await;
    assert_eq!(
        column(&database, "SELECT name FROM sqlite_master WHERE name LIKE 'wasmill_staged%'").len(),
        1,
        "nothing is left over"
    );
}

#[tokio::test]
async fn a_table_of_postgres_keeps_the_contract() {
    let server = Server::start();
    conforms(&of(&server), Visibility::AtOnce).await;
    conforms(&of(&server), Visibility::ByEpoch).await;
    let left =
        column(&of(&server), "SELECT CAST(relname AS TEXT) FROM pg_class WHERE relname LIKE 'wasmill_staged%' AND relkind = 'r'");
    assert_eq!(left.len(), 1, "nothing is left over");
}

/// Two rows of every type, the second of nulls.
fn all_types() -> RecordBatch {
    let texts = |values: [Option<&str>; 2]| Arc::new(StringViewArray::from_iter(values)) as ArrayRef;
    let list = {
        let mut builder = arrow_array::builder::ListBuilder::new(arrow_array::builder::Int64Builder::new());
        builder.append_value([Some(1), None]);
        builder.append_null();
        let list = arrow_cast::cast(&builder.finish(), &list_of(arrow_schema::DataType::Int64)).expect("a list");
        list as ArrayRef
    };
    let part = {
        let arrow_schema::DataType::Struct(fields) = struct_of([("a", arrow_schema::DataType::Utf8View)]) else {
            panic!("a struct")
        };
        let nulls = Some(vec![true, false].into());
        Arc::new(arrow_array::StructArray::new(fields, vec![texts([Some("it's \"x\"\\"), None])], nulls)) as ArrayRef
    };
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX])) as ArrayRef, false),
        ("yes", Arc::new(BooleanArray::from(vec![Some(true), None])), true),
        ("large", Arc::new(UInt64Array::from(vec![Some(7), None])), true),
        ("x", Arc::new(Float64Array::from(vec![Some(0.1), None])), true),
        (
            "price",
            Arc::new(Decimal128Array::from(vec![Some(-1050), None]).with_precision_and_scale(10, 2).expect("a decimal")),
            true,
        ),
        ("day", Arc::new(Date32Array::from(vec![Some(0), None])), true),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![Some(1_517_365_101_235), None])), true),
        ("text \"q\"", texts([Some("a\tb\\N\n'é"), None]), true),
        ("bytes", Arc::new(BinaryViewArray::from_iter([Some(&[0u8, 255][..]), None])), true),
        ("list", list, true),
        ("part", part, true),
    ])
    .expect("columns")
}

async fn written(config: SqlSinkConfig, batches: &[RecordBatch]) -> Result<(), ConnectorError> {
    let by_epoch = config.visibility == Visibility::ByEpoch;
    let mut sink = sql_sink(config, batches[0].schema_ref())?;
    if by_epoch {
        sink.recover(None).await?;
    }
    for (epoch, batch) in batches.iter().enumerate() {
        sink.write(batch).await?;
        if by_epoch {
            let prepared: Prepared = sink.prepare(Epoch(epoch as u64 + 1)).await?;
            sink.commit(&prepared).await?;
        } else {
            sink.flush().await?;
        }
    }
    sink.close().await
}

async fn every_type_is_written(database: &Database, expected: &str) {
    for visibility in [Visibility::AtOnce, Visibility::ByEpoch] {
        written(config(database, visibility), &[all_types()]).await.expect("rows");
    }
    let columns =
        all_types().schema().fields().iter().map(|field| super::super::statements::quoted(field.name())).collect::<Vec<_>>();
    let as_text =
        columns.iter().map(|name| format!("coalesce(CAST({name} AS TEXT), '-')")).collect::<Vec<_>>().join(" || '|' || ");
    let rows = column(database, &format!("SELECT {as_text} FROM t ORDER BY id"));
    let nulls = format!("{}{}", i64::MAX, "|-".repeat(10));
    assert_eq!(rows, [expected, expected, &nulls, &nulls]);
}

#[tokio::test]
async fn every_type_has_a_form_in_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = sqlite(&folder.path().join("out.db"));
    // As text the two bytes of a blob are what they are: no UTF-8.
    let rest = "1|7|0.1|-10.50|1970-01-01|2018-01-31T02:18:21.235Z|a\tb\\N\n'é";
    written(config(&database, Visibility::ByEpoch), &[all_types()]).await.expect("rows");
    let sql = "SELECT yes || '|' || large || '|' || x || '|' || price || '|' || day || '|' || \"at\" || '|' || \"text \"\"q\"\"\" FROM t WHERE id < 0";
    assert_eq!(column(&database, sql), [rest]);
    assert_eq!(
        column(&database, "SELECT hex(bytes) || list || part FROM t WHERE id < 0"),
        ["00FF[1,null]{\"a\":\"it's \\\"x\\\"\\\\\"}"]
    );
    assert_eq!(
        column(&database, "SELECT typeof(price) || typeof(bytes) || typeof(x) || typeof(day) FROM t WHERE id < 0"),
        ["textblobrealtext"]
    );
}

#[tokio::test]
async fn every_type_has_a_form_in_postgres() {
    let server = Server::start();
    let expected = format!(
        "{}|true|7|0.1|-10.50|1970-01-01|2018-01-31 02:18:21.235+00|a\tb\\N\n'é|\\x00ff|[1, null]|{{\"a\": \"it's \\\"x\\\"\\\\\"}}",
        i64::MIN
    );
    every_type_is_written(&of(&server), &expected).await;
}

fn keyed(rows: &[(&str, i64, &str)]) -> RecordBatch {
    let texts =
        |at: fn(&(&str, i64, &str)) -> String| Arc::new(StringViewArray::from_iter_values(rows.iter().map(at))) as ArrayRef;
    RecordBatch::try_from_iter([
        ("change", texts(|row| row.0.to_owned())),
        ("id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))) as ArrayRef),
        ("name", texts(|row| row.2.to_owned())),
    ])
    .expect("columns")
}

async fn changes_are_followed(database: &Database) {
    let first = keyed(&[("insert", 1, "a"), ("insert", 2, "b"), ("before", 1, "a"), ("after", 1, "a2"), ("insert", 3, "c")]);
    let second = keyed(&[("delete", 2, "b"), ("before", 3, "c"), ("after", 4, "d"), ("delete", 5, "-"), ("insert", 5, "e")]);
    for visibility in [Visibility::AtOnce, Visibility::ByEpoch] {
        written(upsert(database, Some("change"), visibility), &[first.clone(), second.clone()]).await.expect("rows");
        assert_eq!(column(database, "SELECT CAST(id AS TEXT) || name FROM t ORDER BY id"), ["1a2", "4d", "5e"]);
    }
}

#[tokio::test]
async fn changes_write_and_delete_rows_of_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    changes_are_followed(&sqlite(&folder.path().join("out.db"))).await;
}

#[tokio::test]
async fn changes_write_and_delete_rows_of_postgres() {
    let server = Server::start();
    changes_are_followed(&of(&server)).await;
}

/// What a sink says against a table, made by a statement, and rows of `id` and `name`.
async fn refused(database: &Database, table: &str, config: SqlSinkConfig, batches: &[RecordBatch]) -> ConnectorError {
    for statement in ["DROP TABLE IF EXISTS t", table] {
        asked(database, statement);
    }
    written(config, batches).await.expect_err("the table refuses that")
}

async fn a_row_that_comes_twice_is_named(database: &Database, place: &str) {
    let table = "CREATE TABLE t (change text, id bigint PRIMARY KEY, name text)";
    let config = config(database, Visibility::ByEpoch);
    let batches = [keyed(&[("", 1, "a"), ("", 2, "b")]), keyed(&[("", 3, "c"), ("", 2, "d")])];
    let error = refused(database, table, config.clone(), &batches).await;
    assert_eq!(error.code, "row-refused");
    assert_eq!(error.message, format!("{place}: table t refuses a row: (id) = (2) is there already, and is unique in it"));
    assert_eq!(column(database, "SELECT CAST(count(*) AS TEXT) FROM t"), ["2"], "what was committed stays");
    let error = refused(database, table, config, &[keyed(&[("", 3, "c"), ("", 3, "d")])]).await;
    assert_eq!(error.message, format!("{place}: table t refuses a row: (id) = (3) comes twice, and is unique in it"));
}

#[tokio::test]
async fn sqlite_says_what_it_refuses() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = sqlite(&folder.path().join("out.db"));
    a_row_that_comes_twice_is_named(&database, "out.db").await;
    let rows = [keyed(&[("", 1, "a")])];
    let error = refused(&database, "CREATE TABLE t (change TEXT, id TEXT)", config(&database, Visibility::ByEpoch), &rows).await;
    assert_eq!(error.code, "table-mismatch");
    assert_eq!(
        error.message,
        "out.db: table t doesn't fit the rows: column `id` (int64 not null): expected INTEGER, found TEXT; \
         column `name` (utf8 not null): expected TEXT, found no such column"
    );
    let without = SqlSinkConfig { create: false, table: "u".into(), ..config(&database, Visibility::AtOnce) };
    let error = written(without, &rows).await.expect_err("no table");
    assert_eq!((error.code, error.message.as_str()), ("table-not-found", "out.db: there is no table u"));
    let table = "CREATE TABLE t (change TEXT, id INTEGER, name TEXT)";
    let error = refused(&database, table, upsert(&database, None, Visibility::ByEpoch), &rows).await;
    assert_eq!(
        error.message,
        "out.db: table t doesn't fit the rows: `mode: upsert` needs a primary key or a unique index of exactly id, found none"
    );
    let large = RecordBatch::try_from_iter([("n", Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef)]).expect("a column");
    let error = written(SqlSinkConfig { table: "large".into(), ..config(&database, Visibility::AtOnce) }, &[large]).await;
    let message = error.expect_err("too large").message;
    assert_eq!(
        message,
        "out.db: table large refuses a row: column n: 18446744073709551615 is more than an integer of SQLite holds, 9223372036854775807"
    );
}

#[tokio::test]
async fn postgres_says_what_it_refuses() {
    let server = Server::start();
    let database = of(&server);
    let place = format!("postgres at 127.0.0.1:{}, database postgres", server.port);
    a_row_that_comes_twice_is_named(&database, &place).await;
    let rows = [keyed(&[("", 1, "a"), ("", 2, "long")])];
    let table = "CREATE TABLE t (change text, id bigint, name varchar(2))";
    let error = refused(&database, table, config(&database, Visibility::ByEpoch), &rows).await;
    assert_eq!(error.code, "row-refused");
    assert!(
        error.message.starts_with(&format!(
            "{place}: table t refuses a row: value too long for type character varying(2); COPY wasmill_staged_"
        )),
        "{}",
        error.message
    );
    assert!(error.message.ends_with(", line 2, column name: \"long\""), "{}", error.message);
    let error =
        refused(&database, "CREATE TABLE t (change text, id integer, name text)", config(&database, Visibility::AtOnce), &rows)
            .await;
    let expected = "table t doesn't fit the rows: column `id` (int64 not null): expected bigint, found integer";
    assert_eq!(error.message, format!("{place}: {expected}"));

    let url = |user: &str, name: &str| Database::Postgres { url: format!("postgres://{user}@127.0.0.1:{}/{name}", server.port) };
    let error =
        written(config(&url("postgres:secret", "nowhere"), Visibility::AtOnce), &rows).await.expect_err("no such database");
    assert_eq!(error.code, "database-refused");
    assert_eq!(
        error.message,
        format!(
            "postgres at 127.0.0.1:{}, database nowhere: refused while connecting: database \"nowhere\" does not exist",
            server.port
        )
    );
    let error = written(config(&url("stranger:secret", "postgres"), Visibility::AtOnce), &rows).await.expect_err("no such user");
    assert_eq!(error.code, "database-refused");
    assert!(!error.message.contains("secret"), "{}", error.message);
}

/// An epoch that was prepared is committed after the server itself was killed and started again.
#[tokio::test]
async fn an_epoch_outlives_the_server() {
    let mut server = Server::start();
    let database = of(&server);
    let mut sink = sql_sink(config(&database, Visibility::ByEpoch), &schema()).expect("a sink");
    let rows = |n: i64| RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(vec![n]))]).expect("a row");
    sink.recover(None).await.expect("a fresh start");
    sink.write(&rows(1)).await.expect("a write");
    let first = sink.prepare(Epoch(1)).await.expect("a preparation");
    server.kill_and_start();
    sink.commit(&first).await.expect("a commit over a new connection");
    sink.write(&rows(2)).await.expect("a write");
    server.kill_and_start();
    let second = sink.prepare(Epoch(2)).await.expect("a preparation over a new connection");
    sink.commit(&second).await.expect("a commit");
    assert_eq!(column(&database, "SELECT CAST(n AS TEXT) FROM t ORDER BY t.n"), ["1", "2"]);
}

/// What was staged and is gone is never taken for nothing.
#[tokio::test]
async fn staged_rows_that_are_gone_are_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = sqlite(&folder.path().join("out.db"));
    let rows = RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(vec![1, 2]))]).expect("rows");
    let mut sink = sql_sink(config(&database, Visibility::ByEpoch), &schema()).expect("a sink");
    sink.recover(None).await.expect("a fresh start");
    sink.write(&rows).await.expect("a write");
    let prepared = sink.prepare(Epoch(1)).await.expect("a preparation");
    // Another process starts the same job anew.
    sql_sink(config(&database, Visibility::ByEpoch), &schema()).expect("a sink").recover(None).await.expect("a fresh start");
    let error = sink.commit(&prepared).await.expect_err("its rows are gone");
    assert_eq!(error.code, "output-changed");
    assert!(error.message.starts_with("out.db: table t: expected run "), "{}", error.message);
    assert_eq!(column(&database, "SELECT CAST(count(*) AS TEXT) FROM t"), ["0"]);
}
