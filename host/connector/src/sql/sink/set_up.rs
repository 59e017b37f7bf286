//! Makes and checks what a sink needs: its table, the table of staged rows, the one of epochs.

use arrow_schema::Field;

use super::super::connection::{Connection, TableName};
use super::super::statements::{CHANGE, EPOCHS, SEQUENCE, list, quoted};
use super::super::{TableWrite, table};
use super::SqlSink;

impl SqlSink {
    /// What doesn't fit; none where there is no table.
    pub(super) async fn set_up(&self, connection: &mut Connection) -> Result<Option<Vec<String>>, sqlx::Error> {
        connection.begin().await?;
        if let Connection::Postgres(_) = connection {
            // Two that make the same table at once would fail, `IF NOT EXISTS` or not.
            connection.execute("SELECT pg_advisory_xact_lock(8245331827)".to_owned()).await?;
        }
        let mut found = connection.columns(&self.target).await?;
        if found.is_empty() && self.config.create {
            connection.execute(self.creation()).await?;
            found = connection.columns(&self.target).await?;
        }
        if found.is_empty() {
            return Ok(None);
        }
        let mut problems = table::problems(&self.config.database, &self.fields(), &found);
        if let TableWrite::Upsert { key, .. } = &self.config.write {
            let same = |columns: &Vec<String>| columns.len() == key.len() && columns.iter().all(|column| key.contains(column));
            if !connection.unique(&self.target).await?.iter().any(same) {
                problems.push(format!(
                    "`mode: upsert` needs a primary key or a unique index of exactly {}, found none",
                    key.join(", ")
                ));
            }
        }
        if self.by_epoch() && connection.columns(&self.target.beside(EPOCHS)).await?.is_empty() {
            let columns = "run TEXT PRIMARY KEY, job TEXT NOT NULL, sink TEXT NOT NULL, target TEXT NOT NULL, epoch BIGINT NOT NULL, \
                           moved BIGINT NOT NULL";
            connection.execute(format!("CREATE TABLE {} ({columns})", self.epochs())).await?;
        }
        connection.commit().await?;
        Ok(Some(problems))
    }

    /// The rows' columns that the table has.
    fn fields(&self) -> Vec<&Field> {
        self.columns.iter().map(|(_, at)| self.schema.field(*at)).collect()
    }

    /// Makes the table.
    fn creation(&self) -> String {
        let key: &[String] = if let TableWrite::Upsert { key, .. } = &self.config.write { key } else { &[] };
        let column = |field: &&Field| {
            let not_null = if field.is_nullable() && !key.contains(field.name()) { "" } else { " NOT NULL" };
            format!("{} {}{not_null}", quoted(field.name()), table::made(&self.config.database, field.data_type()))
        };
        let mut parts: Vec<String> = self.fields().iter().map(column).collect();
        if !key.is_empty() {
            parts.push(format!("PRIMARY KEY ({})", list(key)));
        }
        format!("CREATE TABLE {} ({})", self.target.quoted(), parts.join(", "))
    }

    /// Makes the table of staged rows, with the types of the target's columns: what these refuse is refused when a row is staged.
    pub(super) async fn make_staged(
        &self,
        connection: &mut Connection,
        staged: &TableName,
        temporary: bool,
    ) -> Result<(), sqlx::Error> {
        let found = connection.columns(&self.target).await?;
        let is_postgres = matches!(connection, Connection::Postgres(_));
        let number = if is_postgres { "BIGINT NOT NULL" } else { "INTEGER PRIMARY KEY" };
        let mut parts = vec![format!("{SEQUENCE} {number}")];
        for (name, at) in &self.staged_columns {
            let column = found.iter().find(|column| column.name == *name);
            let kind = match column {
                Some(column) if is_postgres => column.kind.clone(),
                Some(column) => table::affinity(&column.kind).to_owned(),
                None => table::made(&self.config.database, self.schema.field(*at).data_type()),
            };
            let not_null = if column.is_some_and(|column| column.not_null) { " NOT NULL" } else { "" };
            let name = if name == CHANGE { name.clone() } else { quoted(name) };
            parts.push(format!("{name} {kind}{not_null}"));
        }
        let temporary = if temporary { "TEMPORARY " } else { "" };
        connection.execute(format!("CREATE {temporary}TABLE {} ({})", staged.quoted(), parts.join(", "))).await.map(drop)
    }
}
