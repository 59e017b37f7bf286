//! Columns of lists and structs that rows are read into.

use std::slice::Iter;
use std::sync::Arc;

use arrow_array::{ListArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{FieldRef, Fields};

use super::Cell;
use super::columns::Column;

/// A column of lists that is being read.
#[derive(Debug)]
pub(crate) struct ListColumn {
    item: FieldRef,
    items: Column,
    /// The end of each list among the items, behind a 0.
    offsets: Vec<i32>,
    length: i32,
    validity: NullBufferBuilder,
}

impl ListColumn {
    pub(super) fn new(item: &FieldRef) -> Self {
        Self {
            item: Arc::clone(item),
            items: Column::new(item.data_type()),
            offsets: vec![0],
            length: 0,
            validity: NullBufferBuilder::new(0),
        }
    }

    /// Adds a list of so many items, which are the next parts.
    pub(super) fn push(&mut self, items: usize, parts: &mut Iter<'_, Cell>, text: &str) {
        (0..items).for_each(|_| self.items.push_part(parts, text));
        #[expect(
            clippy::expect_used,
            reason = "each item is a byte of text or more, and the rows of a batch have less than 2 GiB"
        )]
        let length = i32::try_from(items).ok().and_then(|items| self.length.checked_add(items)).expect("fewer than 2 G items");
        self.length = length;
        self.offsets.push(length);
        self.validity.append_non_null();
    }

    pub(super) fn push_null(&mut self) {
        self.offsets.push(self.length);
        self.validity.append_null();
    }

    pub(super) fn finish(&mut self) -> ListArray {
        self.length = 0;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(&mut self.offsets, vec![0])));
        ListArray::new(Arc::clone(&self.item), offsets, self.items.finish(), self.validity.finish())
    }
}

/// A column of structs that is being read.
#[derive(Debug)]
pub(crate) struct StructColumn {
    fields: Fields,
    columns: Vec<Column>,
    /// Which fields the struct has that is being added.
    has: Vec<bool>,
    validity: NullBufferBuilder,
}

impl StructColumn {
    pub(super) fn new(fields: &Fields) -> Self {
        Self {
            fields: fields.clone(),
            columns: fields.iter().map(|field| Column::new(field.data_type())).collect(),
            has: vec![false; fields.len()],
            validity: NullBufferBuilder::new(0),
        }
    }

    /// Adds a struct with so many of its fields, which are the next parts.
    pub(super) fn push(&mut self, fields: usize, parts: &mut Iter<'_, Cell>, text: &str) {
        self.has.fill(false);
        for _ in 0..fields {
            let Some(Cell::Field(number)) = parts.next() else { break };
            self.has[*number] = true;
            self.columns[*number].push_part(parts, text);
        }
        let columns = self.columns.iter_mut().zip(&self.has);
        columns.filter(|(_, has)| !**has).for_each(|(column, _)| column.push_null());
        self.validity.append_non_null();
    }

    pub(super) fn push_null(&mut self) {
        self.columns.iter_mut().for_each(Column::push_null);
        self.validity.append_null();
    }

    pub(super) fn finish(&mut self) -> StructArray {
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        StructArray::new(self.fields.clone(), columns, self.validity.finish())
    }
}
