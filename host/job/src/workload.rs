//! The columns of rows that a generator makes.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use wasmill_flow::column_type::TIMESTAMP;

use crate::graph::{FieldRule, Workload};

impl Workload {
    /// The columns of its rows; none may be null.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let fields = match self {
            Self::Micro => vec![
                Field::new("id", DataType::Int64, false),
                Field::new("key", DataType::Int64, false),
                Field::new("ts", TIMESTAMP, false),
                Field::new("value", DataType::Float64, false),
                Field::new("payload", DataType::Utf8View, false),
            ],
            Self::Fields(rules) => rules.iter().map(|(name, rule)| Field::new(name, rule.data_type(), false)).collect(),
        };
        Arc::new(Schema::new(fields))
    }
}

impl FieldRule {
    /// The type of the values that it makes.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Sequence | Self::Uniform(..) => DataType::Int64,
            Self::OneOf(_) => DataType::Utf8View,
            Self::At { .. } => TIMESTAMP,
        }
    }
}
