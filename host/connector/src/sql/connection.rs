//! Runs statements on either database.

use std::time::Duration;

use arrow_array::RecordBatch;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Postgres, Row as _, Sqlite};
use tokio::time::{Instant, sleep};

use super::Database;
use super::cell::Cell;
use super::fault;
use super::statements::{insert_values, list};
use super::table::Column;
use crate::value::written::Values;

/// So long a database that doesn't answer is tried again, and a file that another process writes is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The first pause between two tries; each is twice the one before, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// About so many bytes are handed to `COPY` at once.
const COPIED: usize = 256 << 10;
/// SQLite takes no more values in a statement, as sqlx builds it.
const MOST_VALUES: usize = 32_766;
/// More rows in a statement of SQLite make nothing faster.
const MOST_ROWS: usize = 500;

/// A connection.
pub(super) enum Connection {
    Postgres(Box<PgConnection>),
    Sqlite(Box<SqliteConnection>),
}

/// Rows on their way into a table.
pub(super) struct Insertion<'a> {
    /// The table, in quotes.
    pub(super) table: &'a str,
    /// The table's columns, with the places of the rows' columns that they get.
    pub(super) columns: &'a [(String, usize)],
    /// The column that counts rows, and the number of the first one.
    pub(super) numbered: Option<(&'static str, u64)>,
    pub(super) rows: &'a [RecordBatch],
}

impl Insertion<'_> {
    fn names(&self) -> Vec<String> {
        let counted = self.numbered.iter().map(|(name, _)| (*name).to_owned());
        counted.chain(self.columns.iter().map(|(name, _)| name.clone())).collect()
    }

    fn values<'a>(&self, rows: &'a RecordBatch) -> Vec<Values<'a>> {
        let schema = rows.schema_ref();
        self.columns.iter().map(|(_, at)| Values::of(schema.field(*at), rows.column(*at).as_ref(), false)).collect()
    }
}

impl Connection {
    /// Connects; tries again for [`PATIENCE`] where the database doesn't answer.
    pub(super) async fn open(database: &Database) -> Result<Self, sqlx::Error> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            match Self::try_open(database).await {
                Err(error) if fault::may_pass(&error) && Instant::now() + pause < deadline => {
                    tracing::debug!(%error, "the database doesn't answer; trying again");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                other => return other,
            }
        }
    }

    async fn try_open(database: &Database) -> Result<Self, sqlx::Error> {
        match database {
            Database::Postgres { url } => {
                let options: PgConnectOptions = url.parse()?;
                let options = options.application_name("wasmill").disable_statement_logging();
                let mut connection = Box::new(PgConnection::connect_with(&options).await?);
                // What is prepared must survive a power cut, whatever the server's default is.
                let durable =
                    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
                connection.execute(durable).await?;
                Ok(Self::Postgres(connection))
            }
            Database::Sqlite(file) => {
                let options = SqliteConnectOptions::new().filename(&file.path).create_if_missing(true).busy_timeout(PATIENCE);
                let options = options.synchronous(SqliteSynchronous::Extra).disable_statement_logging();
                Ok(Self::Sqlite(Box::new(options.connect().await?)))
            }
        }
    }

    /// Runs a statement; the number of rows that it changed.
    pub(super) async fn execute(&mut self, sql: String) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Self::Postgres(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **connection).await?.rows_affected(),
            Self::Sqlite(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **connection).await?.rows_affected(),
        })
    }

    /// Begins a transaction that writes.
    pub(super) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        let begin = if matches!(self, Self::Postgres(_)) { "BEGIN" } else { "BEGIN IMMEDIATE" };
        self.execute(begin.to_owned()).await.map(drop)
    }

    /// Ends a transaction and keeps what it did. Where this fails nobody knows whether it did.
    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.execute("COMMIT".to_owned()).await.map(drop)
    }

    /// Rows of texts. Arguments stand at `$1`, `$2`, … and are texts.
    pub(super) async fn fetch(&mut self, sql: String, arguments: &[&str]) -> Result<Vec<Vec<Option<String>>>, sqlx::Error> {
        match self {
            Self::Postgres(connection) => {
                let query = sqlx::query::<Postgres>(AssertSqlSafe(sql)).persistent(false);
                let query = arguments.iter().fold(query, |query, argument| query.bind((*argument).to_owned()));
                let rows = query.fetch_all(&mut **connection).await?;
                rows.iter().map(|row| (0..row.len()).map(|at| row.try_get(at)).collect()).collect()
            }
            Self::Sqlite(connection) => {
                let query = sqlx::query::<Sqlite>(AssertSqlSafe(sql)).persistent(false);
                let query = arguments.iter().fold(query, |query, argument| query.bind((*argument).to_owned()));
                let rows = query.fetch_all(&mut **connection).await?;
                rows.iter().map(|row| (0..row.len()).map(|at| row.try_get(at)).collect()).collect()
            }
        }
    }

    /// The columns of a table; none where there is no such table.
    pub(super) async fn columns(&mut self, table: &TableName) -> Result<Vec<Column>, sqlx::Error> {
        let sql = match self {
            Self::Postgres(_) => {
                "SELECT CAST(a.attname AS TEXT), format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN '1' ELSE '0' END, \
                 CASE WHEN a.atthasdef OR a.attidentity <> '' THEN '1' ELSE '0' END, CASE WHEN t.typtype = 'e' THEN '1' ELSE '0' END \
                 FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
                 WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
            }
            // A single integer key numbers itself.
            Self::Sqlite(_) => {
                "SELECT name, type, CAST(\"notnull\" AS TEXT), CASE WHEN dflt_value IS NOT NULL OR pk > 0 THEN '1' ELSE '0' END, '0' \
                 FROM pragma_table_info($1) ORDER BY cid"
            }
        };
        let name = self.name_of(table);
        let rows = self.fetch(sql.to_owned(), &[&name]).await?;
        Ok(rows.into_iter().map(|row| read_column(&row)).collect())
    }

    /// The columns of each unique index of a table that is of columns only and of all rows.
    pub(super) async fn unique(&mut self, table: &TableName) -> Result<Vec<Vec<String>>, sqlx::Error> {
        let sql = match self {
            Self::Postgres(_) => {
                "SELECT CAST(i.indexrelid AS TEXT), CAST(a.attname AS TEXT) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid \
                 AND array_position(CAST(i.indkey AS int2[]), a.attnum) < i.indnkeyatts WHERE i.indrelid = to_regclass($1) \
                 AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY 1"
            }
            Self::Sqlite(_) => {
                "SELECT l.name, i.name FROM pragma_index_list($1) AS l, pragma_index_info(l.name) AS i WHERE l.\"unique\" AND NOT l.partial \
                 UNION ALL SELECT '', name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY 1"
            }
        };
        let name = self.name_of(table);
        let mut indexes: Vec<(Option<String>, Vec<Option<String>>)> = Vec::new();
        for row in self.fetch(sql.to_owned(), &[&name]).await? {
            let [index, column] = <[Option<String>; 2]>::try_from(row).unwrap_or_default();
            match indexes.last_mut() {
                Some((last, columns)) if *last == index => columns.push(column),
                _ => indexes.push((index, vec![column])),
            }
        }
        // A column without a name is an expression.
        Ok(indexes.into_iter().filter_map(|(_, columns)| columns.into_iter().collect()).collect())
    }

    fn name_of(&self, table: &TableName) -> String {
        if matches!(self, Self::Postgres(_)) { table.quoted() } else { table.table.clone() }
    }

    /// Adds rows; the bytes that were handed over.
    pub(super) async fn insert(&mut self, insertion: &Insertion<'_>) -> Result<u64, InsertError> {
        match self {
            Self::Postgres(connection) => copy(connection, insertion).await.map_err(InsertError::Database),
            Self::Sqlite(connection) => insert(connection, insertion).await,
        }
    }
}

/// A table's name, and where it has one its schema's.
#[derive(Debug, Clone)]
pub(super) struct TableName {
    pub(super) schema: Option<String>,
    pub(super) table: String,
}

impl TableName {
    /// The name as SQL has it.
    pub(super) fn quoted(&self) -> String {
        let table = super::statements::quoted(&self.table);
        self.schema.as_ref().map_or(table.clone(), |schema| format!("{}.{table}", super::statements::quoted(schema)))
    }

    /// Another table in the same schema.
    pub(super) fn beside(&self, table: impl Into<String>) -> Self {
        Self { schema: self.schema.clone(), table: table.into() }
    }
}

/// Why rows can't be added.
#[derive(Debug)]
pub(super) enum InsertError {
    Database(sqlx::Error),
    /// A number that SQLite has no integer for.
    TooLarge {
        column: String,
        value: u64,
    },
}

fn read_column(row: &[Option<String>]) -> Column {
    let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
    let is = |at: usize| text(at) != "0";
    Column { name: text(0), kind: text(1), not_null: is(2), fills_itself: is(3), is_enum: is(4) }
}

async fn copy(connection: &mut PgConnection, insertion: &Insertion<'_>) -> Result<u64, sqlx::Error> {
    let statement = format!("COPY {} ({}) FROM STDIN", insertion.table, list(&insertion.names()));
    let mut into = connection.copy_in_raw(&statement).await?;
    let mut text = Vec::with_capacity(COPIED + COPIED / 4);
    let mut bytes = 0;
    let mut number = insertion.numbered.map(|(_, first)| first);
    for batch in insertion.rows {
        for range in ranges(batch.num_rows()) {
            put_rows(insertion, batch, range, &mut number, &mut text);
            if text.len() >= COPIED {
                bytes += text.len() as u64;
                into.send(&*text).await?;
                text.clear();
            }
        }
    }
    bytes += text.len() as u64;
    into.send(&*text).await?;
    into.finish().await?;
    Ok(bytes)
}

/// Places of rows, some at a time.
fn ranges(rows: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..rows).step_by(MOST_ROWS).map(move |start| start..rows.min(start + MOST_ROWS))
}

fn put_rows(
    insertion: &Insertion<'_>,
    batch: &RecordBatch,
    range: std::ops::Range<usize>,
    number: &mut Option<u64>,
    out: &mut Vec<u8>,
) {
    let values = insertion.values(batch);
    for row in range {
        let mut between = None;
        if let Some(number) = number {
            Cell::Unsigned(*number).put_copied(out);
            *number += 1;
            between = Some(b'\t');
        }
        for column in &values {
            out.extend(between);
            Cell::of(column, row).put_copied(out);
            between = Some(b'\t');
        }
        out.push(b'\n');
    }
}

async fn insert(connection: &mut SqliteConnection, insertion: &Insertion<'_>) -> Result<u64, InsertError> {
    let names = insertion.names();
    let at_once = (MOST_VALUES / names.len().max(1)).clamp(1, MOST_ROWS);
    let whole = insert_values(insertion.table, &names, at_once);
    let mut number = insertion.numbered.map(|(_, first)| first);
    let mut bytes = 0;
    for batch in insertion.rows {
        for start in (0..batch.num_rows()).step_by(at_once) {
            let rows = at_once.min(batch.num_rows() - start);
            let (arguments, size) = bound(insertion, batch, start..start + rows, &mut number)?;
            bytes += size;
            // Only the statement of the usual length is kept prepared.
            let sql = if rows == at_once { whole.clone() } else { insert_values(insertion.table, &names, rows) };
            let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), arguments).persistent(rows == at_once);
            query.execute(&mut *connection).await.map_err(InsertError::Database)?;
        }
    }
    Ok(bytes)
}

fn bound(
    insertion: &Insertion<'_>,
    batch: &RecordBatch,
    range: std::ops::Range<usize>,
    number: &mut Option<u64>,
) -> Result<(SqliteArguments, u64), InsertError> {
    let values = insertion.values(batch);
    let mut arguments = SqliteArguments::default();
    let mut bytes = 0;
    for row in range {
        if let Some(number) = number {
            bind(&mut arguments, number.cast_signed())?;
            *number += 1;
        }
        for (column, (name, _)) in values.iter().zip(insertion.columns) {
            bytes += bind_cell(&mut arguments, Cell::of(column, row), name)?;
        }
    }
    Ok((arguments, bytes))
}

fn bind<'q, T: sqlx::Encode<'q, Sqlite> + sqlx::Type<Sqlite>>(
    arguments: &mut SqliteArguments,
    value: T,
) -> Result<(), InsertError> {
    sqlx::Arguments::add(arguments, value).map_err(|error| InsertError::Database(sqlx::Error::Encode(error)))
}

/// Binds a value; its bytes.
fn bind_cell(arguments: &mut SqliteArguments, cell: Cell<'_>, column: &str) -> Result<u64, InsertError> {
    Ok(match cell {
        Cell::Null => bind(arguments, None::<i64>).map(|()| 1)?,
        Cell::Boolean(value) => bind(arguments, value).map(|()| 1)?,
        Cell::Integer(value) => bind(arguments, value).map(|()| 8)?,
        Cell::Unsigned(value) => {
            let too_large = |_| InsertError::TooLarge { column: column.to_owned(), value };
            bind(arguments, i64::try_from(value).map_err(too_large)?).map(|()| 8)?
        }
        Cell::Float32(value) => bind(arguments, f64::from(value)).map(|()| 8)?,
        Cell::Float64(value) => bind(arguments, value).map(|()| 8)?,
        Cell::Text(text) => {
            let bytes = text.len() as u64;
            bind(arguments, text.into_owned()).map(|()| bytes)?
        }
        Cell::Bytes(value) => {
            let bytes = value.len() as u64;
            bind(arguments, value.to_vec()).map(|()| bytes)?
        }
    })
}
