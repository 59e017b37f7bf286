//! State of other versions becomes the plugin's own, before it is needed and between calls.

use wasmill_flow::Batch;
use wasmill_flow::key::EncodedKeys;
use wasmill_operator::{Context, OperatorError};
use wasmill_state::{CallKeys, NO_KEY};

use super::PluginOperator;
use crate::bindings::wasmill::plugin::data::BinaryArrayParam;
use crate::expiry::Written;
use crate::fault::Fault;
use crate::imports::call::CallOf;
use crate::migration::OtherVersion;

impl PluginOperator {
    /// Migrates what the keys of some rows, or timers, have of other versions.
    pub(super) async fn migrate_for(&mut self, of: CallOf, rows: &Batch, cx: &mut Context) -> Result<(), OperatorError> {
        if self.migration.is_done() {
            return Ok(());
        }
        let columns: Vec<_> = self.key_of(of).iter().map(|&column| rows.rows.column(column).clone()).collect();
        let mut keys = EncodedKeys::default();
        if !columns.is_empty() {
            keys.encode(&columns);
        }
        // What is the task's own is there in every call.
        keys.push(NO_KEY);
        self.migrate(&keys, cx).await
    }

    /// Migrates some of what is left.
    pub(super) async fn migrate_some(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        if self.migration.is_done() {
            return Ok(());
        }
        let keys = self.migration.next();
        self.migrate(&keys, cx).await?;
        self.migration.settle();
        Ok(())
    }

    async fn migrate(&mut self, keys: &EncodedKeys, cx: &mut Context) -> Result<(), OperatorError> {
        for version in self.migration.versions() {
            let mut from = Some(0);
            while let Some(key) = from {
                from = self.migrate_page(&version, keys, key, cx).await?;
            }
        }
        Ok(())
    }

    /// Migrates some of what keys have of another version, from one of them on; with which it goes on.
    async fn migrate_page(
        &mut self,
        version: &OtherVersion,
        keys: &EncodedKeys,
        from: u32,
        cx: &mut Context,
    ) -> Result<Option<u32>, OperatorError> {
        let Some(state) = &mut cx.state else { return Ok(None) };
        let mut call = CallKeys::default();
        state.resolve(keys, &keys.hashes(), &mut call);
        let (old, next) = version.load(state.as_ref(), &call, from);
        if old.is_empty() {
            state.finish(&call);
            return Ok(next);
        }
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.open().await?,
        };
        let values = BinaryArrayParam { offsets: &old.values.offsets, data: &old.values.data };
        let entries = BinaryArrayParam { offsets: &old.entries.offsets, data: &old.entries.data };
        let is_map = !old.entries.is_empty();
        #[expect(clippy::cast_possible_truncation, reason = "an operator has few states")]
        let answer = instance.migrate(version.of as u32, version.need.version, is_map.then_some(entries), values).await;
        let written = answer.and_then(|new| {
            let unfit = |what| Fault::contract(format!("made values of it that can't be: {what}"));
            version.writes(old, new).map_err(unfit)
        });
        let (values, items) = written.map_err(|fault| {
            let (name, from) = (&version.need.name, version.need.version);
            let into = self.plan.declaration.states[version.of].version;
            self.definition.error(&fault, &format!(" while it migrated state `{name}` from version {from} to {into}"), None)
        })?;
        self.keep(instance);
        let Some(state) = &mut cx.state else { return Ok(None) };
        let written = Written { values: &values, items: &items };
        self.expiring.iter_mut().for_each(|expiry| expiry.note(written, &call, keys, state.as_ref()));
        state.apply(&call, &values);
        state.apply_items(&call, &items);
        state.finish(&call);
        Ok(next)
    }
}
