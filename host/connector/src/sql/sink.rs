//! Writes rows into a table: epoch by epoch, or each batch in a transaction of its own.

mod set_up;

use std::hash::{BuildHasher as _, RandomState};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use wasmill_flow::{Epoch, column_type};

use super::connection::{Connection, InsertError, Insertion, TableName};
use super::statements::{CHANGE, EPOCHS, SEQUENCE, conflicts, moves};
use super::{Database, SqlSinkConfig, TableWrite, fault};
use crate::sink::{not_by_epoch, of_one_task};
use crate::{ConnectorError, Prepared, Sink, Visibility};

/// Rows are handed to the database when so many wait, or so many bytes.
const MOST_ROWS: usize = 16_384;
const MOST_BYTES: usize = 4 << 20;

/// What is kept of an epoch in checkpoints.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Staged {
    /// What tells this run of epochs, which began at 1 once, from all others.
    run: String,
    epoch: u64,
    /// The rows of the run up to here.
    rows: u64,
}

/// A sink into a table.
pub(super) struct SqlSink {
    config: SqlSinkConfig,
    target: TableName,
    schema: SchemaRef,
    /// The table's columns, with their places in a row.
    columns: Vec<(String, usize)>,
    /// The same of staged rows: what a row does is among them.
    staged_columns: Vec<(String, usize)>,
    connection: Option<Connection>,
    /// Whether the table was found to fit.
    checked: bool,
    /// The run of epochs; none before `recover`.
    run: Option<String>,
    /// The run's rows that are staged or committed.
    staged: u64,
    waiting: Vec<RecordBatch>,
    waiting_bytes: usize,
    bytes: u64,
}

impl SqlSink {
    pub(super) fn new(config: SqlSinkConfig, schema: &SchemaRef) -> Result<Self, ConnectorError> {
        let mismatch = |what: String| ConnectorError::new("table-mismatch", format!("table {}: {what}", config.table));
        if let Some(field) = schema.fields().iter().find(|field| !column_type::is_supported(field.data_type())) {
            return Err(mismatch(format!("column `{}` has type {}, which tables don't have", field.name(), field.data_type())));
        }
        let change = match &config.write {
            TableWrite::Upsert { changes, .. } => changes.as_deref(),
            TableWrite::Insert => None,
        };
        let named = |name: &str| (name.to_owned(), schema.index_of(name));
        for (name, found) in change.into_iter().map(named) {
            found.map_err(|_| mismatch(format!("the rows have no column `{name}`, which is to say what a row does")))?;
        }
        let place = |(at, field): (usize, &arrow_schema::FieldRef)| (field.name().clone(), at);
        let (of_change, columns): (Vec<_>, Vec<_>) =
            schema.fields().iter().enumerate().map(place).partition(|(name, _)| Some(name.as_str()) == change);
        let staged_columns =
            of_change.into_iter().map(|(_, at)| (CHANGE.to_owned(), at)).chain(columns.iter().cloned()).collect();
        let target = match (config.table.split_once('.'), &config.database) {
            (Some((schema, table)), Database::Postgres { .. }) => {
                TableName { schema: Some(schema.to_owned()), table: table.to_owned() }
            }
            _ => TableName { schema: None, table: config.table.clone() },
        };
        Ok(Self {
            config,
            target,
            schema: schema.clone(),
            columns,
            staged_columns,
            connection: None,
            checked: false,
            run: None,
            staged: 0,
            waiting: Vec::new(),
            waiting_bytes: 0,
            bytes: 0,
        })
    }

    fn by_epoch(&self) -> bool {
        self.config.visibility == Visibility::ByEpoch
    }

    fn failed(&self, doing: &str, error: &sqlx::Error) -> ConnectorError {
        fault::database(&self.config.database, &self.config.table, doing, error)
    }

    /// The table of staged rows of a run; without epochs one of this connection's own.
    fn staged_table(&self, run: Option<&str>) -> TableName {
        match run {
            Some(run) => self.target.beside(format!("wasmill_staged_{run}")),
            None => TableName { schema: None, table: "wasmill_staged".to_owned() },
        }
    }

    fn epochs(&self) -> String {
        self.target.beside(EPOCHS).quoted()
    }

    /// The connection, taken: what fails with it drops it, and with it the transaction that was under way.
    async fn take_connection(&mut self) -> Result<Connection, ConnectorError> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => {
                let opened = Connection::open(&self.config.database).await;
                opened.map_err(|error| self.failed("connecting", &error))
            }
        }
    }

    /// Connects, makes what is missing, and checks the table. Once.
    async fn ready(&mut self) -> Result<(), ConnectorError> {
        if self.checked {
            return Ok(());
        }
        let mut connection = self.take_connection().await?;
        let problems = self.set_up(&mut connection).await.map_err(|error| self.failed("looking at its columns", &error))?;
        let table = &self.config.table;
        let Some(problems) = problems else {
            let place = fault::place(&self.config.database);
            let error = ConnectorError::new("table-not-found", format!("{place}: there is no table {table}"));
            return Err(error.with_hint("make it, or have the sink make it by `create: true`"));
        };
        if !problems.is_empty() {
            let place = fault::place(&self.config.database);
            let message = format!("{place}: table {table} doesn't fit the rows: {}", problems.join("; "));
            return Err(ConnectorError::new("table-mismatch", message)
                .with_hint("`select` columns of these names and types, or change the table"));
        }
        self.connection = Some(connection);
        self.checked = true;
        Ok(())
    }

    /// Hands over what waits: to the staged rows, or without epochs to the table.
    async fn hand_over(&mut self) -> Result<(), ConnectorError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let doing = "writing rows";
        let mut connection = self.take_connection().await?;
        let rows = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let mut added = self.add(&mut connection, &rows).await;
        if let Err(InsertError::Database(error)) = &added
            && self.by_epoch()
            && fault::is_lost(error)
        {
            // Staged rows are numbered: what of these did arrive is known, and goes.
            drop(connection);
            connection = self.take_connection().await?;
            let arrived =
                format!("DELETE FROM {} WHERE {SEQUENCE} > {}", self.staged_table(self.run.as_deref()).quoted(), self.staged);
            connection.execute(arrived).await.map_err(|error| self.failed(doing, &error))?;
            added = self.add(&mut connection, &rows).await;
        }
        self.bytes += added.map_err(|error| fault::insertion(&self.config.database, &self.config.table, doing, &error))?;
        if self.by_epoch() {
            self.staged += rows.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
        }
        self.connection = Some(connection);
        Ok(())
    }

    async fn add(&self, connection: &mut Connection, rows: &[RecordBatch]) -> Result<u64, InsertError> {
        let on = InsertError::Database;
        let direct = !self.by_epoch() && self.config.write == TableWrite::Insert;
        if direct {
            let table = self.target.quoted();
            let insertion = Insertion { table: &table, columns: &self.columns, numbered: None, rows };
            connection.begin().await.map_err(on)?;
            let bytes = connection.insert(&insertion).await?;
            connection.commit().await.map_err(on)?;
            return Ok(bytes);
        }
        let staged = self.staged_table(self.run.as_deref());
        if !self.by_epoch() && connection.columns(&staged).await.map_err(on)?.is_empty() {
            self.make_staged(connection, &staged, true).await.map_err(on)?;
        }
        let numbered = Some((SEQUENCE, self.staged + 1));
        let table = staged.quoted();
        let insertion = Insertion { table: &table, columns: &self.staged_columns, numbered, rows };
        connection.begin().await.map_err(on)?;
        let bytes = connection.insert(&insertion).await?;
        if !self.by_epoch() {
            self.move_rows(connection, &staged, u64::MAX >> 1, true).await.map_err(on)?;
        }
        connection.commit().await.map_err(on)?;
        Ok(bytes)
    }

    /// Moves staged rows up to a number to the target; `all`: there are no others.
    async fn move_rows(&self, connection: &mut Connection, staged: &TableName, upto: u64, all: bool) -> Result<(), sqlx::Error> {
        // Those it was made with: a job that was changed meanwhile finishes what it had staged before.
        let columns = connection.columns(staged).await?.into_iter().map(|column| column.name);
        let columns: Vec<String> = columns.filter(|name| name != SEQUENCE && name != CHANGE).collect();
        let staged = staged.quoted();
        for statement in moves(&self.target.quoted(), &staged, &columns, upto, &self.config.write) {
            connection.execute(statement).await?;
        }
        let clear = match (connection, all) {
            (connection @ Connection::Postgres(_), true) => connection.execute(format!("TRUNCATE {staged}")),
            (connection, true) => connection.execute(format!("DELETE FROM {staged}")),
            (connection, false) => connection.execute(format!("DELETE FROM {staged} WHERE {SEQUENCE} <= {upto}")),
        };
        clear.await.map(drop)
    }

    async fn prepare_epoch(&mut self, epoch: Epoch) -> Result<Prepared, ConnectorError> {
        let Some(run) = self.run.clone() else { return Err(self.not_recovered()) };
        let before = self.staged;
        self.hand_over().await?;
        if self.staged > before && self.config.write == TableWrite::Insert {
            self.find_conflicts(&run).await?;
        }
        Ok(Prepared::of(&Staged { run, epoch: epoch.0, rows: self.staged }))
    }

    /// A row that a unique index would refuse is found before the checkpoint is complete: afterwards the job could only fail at it again.
    async fn find_conflicts(&mut self, run: &str) -> Result<(), ConnectorError> {
        let mut connection = self.take_connection().await?;
        let found =
            self.conflict(&mut connection, run).await.map_err(|error| self.failed("looking for keys that are there", &error))?;
        self.connection = Some(connection);
        match found {
            None => Ok(()),
            Some(what) => Err(fault::row_refused(&self.config.database, &self.config.table, &what)),
        }
    }

    async fn conflict(&self, connection: &mut Connection, run: &str) -> Result<Option<String>, sqlx::Error> {
        let staged = self.staged_table(Some(run)).quoted();
        for index in connection.unique(&self.target).await? {
            if !index.iter().all(|name| self.columns.iter().any(|(column, _)| column == name)) {
                continue;
            }
            let statements = conflicts(&self.target.quoted(), &staged, &index, self.staged);
            for (statement, why) in statements.into_iter().zip(["comes twice", "is there already"]) {
                if let Some(row) = connection.fetch(statement, &[]).await?.into_iter().next() {
                    let values: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
                    return Ok(Some(format!("({}) = ({}) {why}, and is unique in it", index.join(", "), values.join(", "))));
                }
            }
        }
        Ok(None)
    }

    fn not_recovered(&self) -> ConnectorError {
        let message = format!("table {}: rows came before the sink was told where to go on", self.config.table);
        ConnectorError::new("sink-not-recovered", message)
    }

    async fn commit_epoch(&mut self, prepared: &Staged) -> Result<(), ConnectorError> {
        let doing = "committing an epoch";
        let mut again = true;
        loop {
            let mut connection = self.take_connection().await?;
            match self.try_commit(&mut connection, prepared).await {
                Ok(done) => {
                    self.connection = Some(connection);
                    return done.map_err(|found| self.changed(&found));
                }
                // Whether it was done nobody knows: the next try looks it up.
                Err(error) if again && fault::is_lost(&error) => again = false,
                Err(error) => return Err(self.failed(doing, &error)),
            }
        }
    }

    /// Moves an epoch's rows where that wasn't done. The inner error says what isn't as it was left.
    async fn try_commit(&self, connection: &mut Connection, prepared: &Staged) -> Result<Result<(), String>, sqlx::Error> {
        let Staged { run, epoch, rows } = prepared;
        connection.begin().await?;
        let Some((done, moved)) = self.look_up(connection, run).await? else {
            connection.execute("ROLLBACK".to_owned()).await?;
            return Ok(Err(format!(
                "expected run {run} in {EPOCHS}, found none: this is another database, or an older copy of it"
            )));
        };
        if done < *epoch {
            if moved < *rows {
                let staged = self.staged_table(Some(run));
                let there = self.count_staged(connection, &staged, *rows).await?;
                if there != rows - moved {
                    connection.execute("ROLLBACK".to_owned()).await?;
                    let expected = rows - moved;
                    return Ok(Err(format!("expected {expected} rows of epoch {epoch} in {}, found {there}", staged.table)));
                }
                self.move_rows(connection, &staged, *rows, self.run.is_some() && self.staged == *rows).await?;
            }
            let sql = format!("UPDATE {} SET epoch = {epoch}, moved = {rows} WHERE run = $1", self.epochs());
            connection.fetch(sql, &[run]).await?;
        }
        connection.commit().await?;
        Ok(Ok(()))
    }

    /// The last epoch of a run that was committed, and its rows up to there.
    async fn look_up(&self, connection: &mut Connection, run: &str) -> Result<Option<(u64, u64)>, sqlx::Error> {
        if connection.columns(&self.target.beside(EPOCHS)).await?.is_empty() {
            return Ok(None);
        }
        let lock = if matches!(connection, Connection::Postgres(_)) { " FOR UPDATE" } else { "" };
        let sql = format!("SELECT CAST(epoch AS TEXT), CAST(moved AS TEXT) FROM {} WHERE run = $1{lock}", self.epochs());
        let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(connection.fetch(sql, &[run]).await?.first().map(|row| (number(&row[0]), number(&row[1]))))
    }

    async fn count_staged(&self, connection: &mut Connection, staged: &TableName, upto: u64) -> Result<u64, sqlx::Error> {
        if connection.columns(staged).await?.is_empty() {
            return Ok(0);
        }
        let sql = format!("SELECT CAST(count(*) AS TEXT) FROM {} WHERE {SEQUENCE} <= {upto}", staged.quoted());
        let rows = connection.fetch(sql, &[]).await?;
        Ok(rows.first().and_then(|row| row[0].as_deref()?.parse().ok()).unwrap_or(0))
    }

    fn changed(&self, found: &str) -> ConnectorError {
        let place = fault::place(&self.config.database);
        ConnectorError::new("output-changed", format!("{place}: table {}: {found}", self.config.table))
            .with_hint("put the database back as the job left it, or start with --fresh, which leaves the rows that are there")
    }

    async fn recover_from(&mut self, last: Option<&Prepared>) -> Result<(), ConnectorError> {
        self.waiting.clear();
        (self.waiting_bytes, self.staged, self.run) = (0, 0, None);
        self.ready().await?;
        let last: Option<Staged> = last.map(|last| last.read("a table")).transpose()?;
        if let Some(last) = &last {
            self.commit_epoch(last).await?;
        }
        let mut connection = self.take_connection().await?;
        let begun = self.begin_run(&mut connection, last.as_ref()).await.map_err(|error| self.failed("recovering", &error))?;
        let run = begun.map_err(|done| self.ahead(last.as_ref(), done))?;
        self.connection = Some(connection);
        (self.run, self.staged) = (Some(run), last.map_or(0, |last| last.rows));
        Ok(())
    }

    /// An empty table for the rows to come, of the run that goes on or of a new one. The inner error is the epoch that the table is at, where
    /// that is a later one.
    async fn begin_run(&self, connection: &mut Connection, last: Option<&Staged>) -> Result<Result<String, u64>, sqlx::Error> {
        connection.begin().await?;
        let run = match last {
            Some(last) => {
                if let Some((done, _)) = self.look_up(connection, &last.run).await?.filter(|(done, _)| *done > last.epoch) {
                    connection.execute("ROLLBACK".to_owned()).await?;
                    return Ok(Err(done));
                }
                last.run.clone()
            }
            None => self.new_run(connection).await?,
        };
        let staged = self.staged_table(Some(&run));
        connection.execute(format!("DROP TABLE IF EXISTS {}", staged.quoted())).await?;
        self.make_staged(connection, &staged, false).await?;
        connection.commit().await?;
        Ok(Ok(run))
    }

    /// A run that begins, in place of all that this sink of this job had before.
    async fn new_run(&self, connection: &mut Connection) -> Result<String, sqlx::Error> {
        let SqlSinkConfig { job, sink, table, .. } = &self.config;
        let of_sink = "job = $1 AND sink = $2 AND target = $3";
        let epochs = self.epochs();
        for row in connection.fetch(format!("SELECT run FROM {epochs} WHERE {of_sink}"), &[job, sink, table]).await? {
            let left = self.staged_table(row[0].as_deref());
            connection.execute(format!("DROP TABLE IF EXISTS {}", left.quoted())).await?;
        }
        connection.fetch(format!("DELETE FROM {epochs} WHERE {of_sink}"), &[job, sink, table]).await?;
        let run = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        let sql = format!("INSERT INTO {epochs} (job, sink, target, run, epoch, moved) VALUES ($1, $2, $3, $4, 0, 0)");
        connection.fetch(sql, &[job, sink, table, &run]).await?;
        Ok(run)
    }

    fn ahead(&self, last: Option<&Staged>, done: u64) -> ConnectorError {
        let (place, epoch) = (fault::place(&self.config.database), last.map_or(0, |last| last.epoch));
        let message = format!(
            "{place}: table {} has the rows of epochs up to {done}, and the checkpoint is of epoch {epoch}: rows of a table can't be taken back",
            self.config.table
        );
        ConnectorError::new("output-ahead", message)
            .with_hint("go on from the newest checkpoint; or put back a copy of the database of that time; or empty the table and start with --fresh")
    }

    async fn take(&mut self, rows: &RecordBatch) -> Result<(), ConnectorError> {
        if self.by_epoch() && self.run.is_none() {
            return Err(self.not_recovered());
        }
        self.ready().await?;
        self.waiting.push(rows.clone());
        self.waiting_bytes += rows.get_array_memory_size();
        let waiting: usize = self.waiting.iter().map(RecordBatch::num_rows).sum();
        if waiting >= MOST_ROWS || self.waiting_bytes >= MOST_BYTES { self.hand_over().await } else { Ok(()) }
    }

    async fn end(&mut self) -> Result<(), ConnectorError> {
        if self.by_epoch() {
            return Ok(());
        }
        self.ready().await?;
        self.hand_over().await
    }
}

impl Sink for SqlSink {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        self.take(rows).boxed()
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async { if self.by_epoch() { Ok(()) } else { self.hand_over().await } }.boxed()
    }

    fn prepare(&mut self, epoch: Epoch) -> BoxFuture<'_, Result<Prepared, ConnectorError>> {
        async move { if self.by_epoch() { self.prepare_epoch(epoch).await } else { Err(not_by_epoch()) } }.boxed()
    }

    fn commit<'a>(&'a mut self, prepared: &'a Prepared) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move { self.commit_epoch(&prepared.read("a table")?).await }.boxed()
    }

    fn recover<'a>(&'a mut self, last: Option<&'a [Prepared]>) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move {
            if !self.by_epoch() {
                return Err(not_by_epoch());
            }
            self.recover_from(of_one_task(last, "a table")?).await
        }
        .boxed()
    }

    /// Nothing where there are epochs: rows that no commit made visible are not to be seen.
    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        self.end().boxed()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests;
