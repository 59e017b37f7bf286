//! The columns of rows that a generator makes.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use wasmill_flow::column_type::TIMESTAMP;

use crate::graph::{FieldRule, NexmarkKind, Workload};

/// Name and type of a column that can't be null.
type Column = (&'static str, DataType);

const PERSON: &[Column] = &[
    ("id", DataType::Int64),
    ("name", DataType::Utf8View),
    ("emailAddress", DataType::Utf8View),
    ("creditCard", DataType::Utf8View),
    ("city", DataType::Utf8View),
    ("state", DataType::Utf8View),
    ("dateTime", TIMESTAMP),
    ("extra", DataType::Utf8View),
];
const AUCTION: &[Column] = &[
    ("id", DataType::Int64),
    ("itemName", DataType::Utf8View),
    ("description", DataType::Utf8View),
    ("initialBid", DataType::Int64),
    ("reserve", DataType::Int64),
    ("dateTime", TIMESTAMP),
    ("expires", TIMESTAMP),
    ("seller", DataType::Int64),
    ("category", DataType::Int64),
    ("extra", DataType::Utf8View),
];
const BID: &[Column] = &[
    ("auction", DataType::Int64),
    ("bidder", DataType::Int64),
    ("price", DataType::Int64),
    ("channel", DataType::Utf8View),
    ("url", DataType::Utf8View),
    ("dateTime", TIMESTAMP),
    ("extra", DataType::Utf8View),
];

impl Workload {
    /// The columns of its rows. None may be null, but for those that only one kind of Nexmark's events has.
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
            Self::Nexmark { kind: Some(kind), .. } => fields(kind.columns()),
            Self::Nexmark { kind: None, .. } => fields_of_all_events(),
            Self::Fields(rules) => rules.iter().map(|(name, rule)| Field::new(name, rule.data_type(), false)).collect(),
        };
        Arc::new(Schema::new(fields))
    }
}

impl NexmarkKind {
    /// What its events have, with the names of Nexmark's SQL.
    fn columns(self) -> &'static [Column] {
        match self {
            Self::Person => PERSON,
            Self::Auction => AUCTION,
            Self::Bid => BID,
        }
    }
}

fn fields(columns: &[Column]) -> Vec<Field> {
    columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), false)).collect()
}

/// All kinds in one stream: what all have once, then the columns of each, null in events of other kinds.
fn fields_of_all_events() -> Vec<Field> {
    let mut all = fields(&[("event_type", DataType::Int32), ("dateTime", TIMESTAMP), ("extra", DataType::Utf8View)]);
    for (kind, columns) in [("person", PERSON), ("auction", AUCTION), ("bid", BID)] {
        let own = columns.iter().filter(|(name, _)| !matches!(*name, "dateTime" | "extra"));
        all.extend(own.map(|(name, data_type)| Field::new(format!("{kind}_{name}"), data_type.clone(), true)));
    }
    all
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
