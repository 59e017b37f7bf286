//! Rows whose fields are made by rule.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray, TimestampMillisecondArray, UInt32Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;
use wasmill_flow::TaskIndex;
use wasmill_flow::column_type::TIMESTAMP;

use super::FieldRule;
use super::mix::mix;
use super::share::Share;
use crate::ConnectorError;

/// Makes the rows of one task.
#[derive(Debug)]
pub(super) struct Fields {
    schema: SchemaRef,
    share: Share,
    rules: Vec<Rule>,
}

/// A rule that was checked, with what its field's random numbers are made from.
#[derive(Debug)]
struct Rule {
    salt: u64,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Sequence,
    Uniform { from: i64, span: u128 },
    OneOf(StringViewArray),
    At { every_nanos: u64, disorder_millis: u64, start_millis: i64 },
}

impl Fields {
    pub(super) fn new(
        rules: &[(String, FieldRule)],
        seed: u64,
        task: TaskIndex,
        rows: Option<u64>,
    ) -> Result<Self, ConnectorError> {
        let fields: Vec<_> = rules.iter().map(|(name, rule)| Field::new(name, type_of(rule), false)).collect();
        let rules = rules
            .iter()
            .enumerate()
            .map(|(place, (name, rule))| Ok(Rule { salt: mix(mix(seed) ^ place as u64), values: check(name, rule)? }));
        Ok(Self { schema: Arc::new(Schema::new(fields)), share: Share::of(task, rows), rules: rules.collect::<Result<_, _>>()? })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The task's rows from the `place`-th on.
    pub(super) fn rows(&self, place: u64, count: usize) -> RecordBatch {
        let columns: Vec<_> = self.rules.iter().map(|rule| self.column(rule, place, count)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        #[expect(clippy::expect_used, reason = "each rule makes the type that the schema has from the same rule")]
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).expect("columns of the schema")
    }

    fn column(&self, rule: &Rule, place: u64, count: usize) -> ArrayRef {
        let rows = (place..place + count as u64).map(|place| self.share.row(place));
        let random = |row: u64| mix(row ^ rule.salt);
        match &rule.values {
            #[expect(clippy::cast_possible_wrap, reason = "a number of rows")]
            Values::Sequence => Arc::new(Int64Array::from_iter_values(rows.map(|row| row as i64))),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_possible_wrap,
                reason = "less than the span, which fits around `from`"
            )]
            Values::Uniform { from, span } => {
                Arc::new(Int64Array::from_iter_values(rows.map(|row| from.wrapping_add(scale(random(row), *span) as u64 as i64))))
            }
            Values::OneOf(texts) => {
                let texts_count = u128::from(u64::try_from(arrow_array::Array::len(texts)).unwrap_or(u64::MAX));
                #[expect(clippy::cast_possible_truncation, reason = "less than the number of texts")]
                let indices = UInt32Array::from_iter_values(rows.map(|row| scale(random(row), texts_count) as u32));
                #[expect(clippy::expect_used, reason = "indices were scaled to the number of texts")]
                take(texts, &indices, None).expect("an index within the texts")
            }
            Values::At { every_nanos, disorder_millis, start_millis } => {
                Arc::new(TimestampMillisecondArray::from_iter_values(rows.map(|row| {
                    let passed = row.checked_mul(*every_nanos).map_or_else(
                        || i128::from(row) * i128::from(*every_nanos) / 1_000_000,
                        |nanos| i128::from(nanos / 1_000_000),
                    );
                    let behind = scale(random(row), u128::from(*disorder_millis) + 1) as i128;
                    let millis = i128::from(*start_millis) + passed - behind;
                    #[expect(clippy::cast_possible_truncation, reason = "clamped to the type's range")]
                    let millis = millis.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
                    millis
                })))
            }
        }
    }
}

/// A uniform number below `span`, which is at most 2^64.
fn scale(random: u64, span: u128) -> u128 {
    if span > u128::from(u64::MAX) { u128::from(random) } else { (u128::from(random) * span) >> 64 }
}

fn type_of(rule: &FieldRule) -> DataType {
    match rule {
        FieldRule::Sequence | FieldRule::Uniform(..) => DataType::Int64,
        FieldRule::OneOf(_) => DataType::Utf8View,
        FieldRule::At { .. } => TIMESTAMP,
    }
}

fn check(name: &str, rule: &FieldRule) -> Result<Values, ConnectorError> {
    let wrong = |found: String| ConnectorError::new("generator-field", format!("{name}: {found}"));
    Ok(match rule {
        FieldRule::Sequence => Values::Sequence,
        FieldRule::Uniform(from, to) if from <= to => {
            Values::Uniform { from: *from, span: (i128::from(*to) - i128::from(*from) + 1).unsigned_abs() }
        }
        FieldRule::Uniform(from, to) => return Err(wrong(format!("expected uniform: [least, most], found [{from}, {to}]"))),
        FieldRule::OneOf(texts) if texts.is_empty() => {
            return Err(wrong("expected one-of to name at least one text, found none".into()));
        }
        FieldRule::OneOf(texts) => Values::OneOf(texts.iter().map(Some).collect()),
        FieldRule::At { every_nanos, disorder, start_millis } => Values::At {
            every_nanos: *every_nanos,
            disorder_millis: u64::try_from(disorder.as_millis()).unwrap_or(u64::MAX),
            start_millis: *start_millis,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::row_object;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int64Type, TimestampMillisecondType};
    use std::time::Duration;

    fn rules() -> Vec<(String, FieldRule)> {
        let at = FieldRule::At { every_nanos: 60_000, disorder: Duration::from_millis(499), start_millis: 1_704_067_200_000 };
        let one_of = FieldRule::OneOf(vec!["a".into(), "b".into(), "a text that is longer than a view".into()]);
        [("id", FieldRule::Sequence), ("key", FieldRule::Uniform(-5, 4)), ("name", one_of), ("at", at)]
            .map(|(n, r)| (n.into(), r))
            .into()
    }

    #[test]
    fn values_are_spread_over_all_that_the_rule_allows() {
        let rows = Fields::new(&rules(), 7, TaskIndex::ONLY, Some(100_000)).expect("rules").rows(0, 100_000);
        let keys = rows.column(1).as_primitive::<Int64Type>();
        for key in -5..=4 {
            let count = keys.values().iter().filter(|value| **value == key).count();
            assert!((9_500..10_500).contains(&count), "{key}: {count}");
        }
        assert!(keys.values().iter().all(|key| (-5..=4).contains(key)));
        let names = rows.column(2).as_string_view();
        for name in ["a", "b", "a text that is longer than a view"] {
            let count = names.iter().flatten().filter(|found| *found == name).count();
            assert!((32_000..35_000).contains(&count), "{name}: {count}");
        }
        for (row, time) in rows.column(3).as_primitive::<TimestampMillisecondType>().values().iter().enumerate() {
            let due = 1_704_067_200_000 + row as i64 * 60 / 1000;
            assert!((due - 499..=due).contains(time), "row {row}: {time}");
        }
    }

    #[test]
    fn a_row_depends_on_seed_and_number_alone() {
        let all = |of, rows, count: usize| {
            let mut lines = Vec::new();
            for index in 0..of {
                let fields = Fields::new(&rules(), 7, TaskIndex { index, of }, rows).expect("rules");
                let count = fields.share.count.map_or(count, |count| count as usize);
                let made = fields.rows(0, count);
                lines.extend((0..count).map(|row| row_object(&made, row)));
            }
            lines.sort();
            lines
        };
        assert_eq!(all(1, Some(90), 0), all(4, Some(90), 0));
        assert_eq!(all(1, None, 90), all(3, None, 30));
        let other = Fields::new(&rules(), 8, TaskIndex::ONLY, None).expect("rules").rows(0, 90);
        assert_ne!(row_object(&other, 0), all(1, None, 1)[0]);
    }

    #[test]
    fn the_whole_range_of_integers_can_be_asked_for() {
        let rules = [
            ("k".to_owned(), FieldRule::Uniform(i64::MIN, i64::MAX)),
            ("one".to_owned(), FieldRule::Uniform(i64::MAX, i64::MAX)),
        ];
        let rows = Fields::new(&rules, 0, TaskIndex::ONLY, None).expect("rules").rows(0, 100);
        let keys = rows.column(0).as_primitive::<Int64Type>();
        assert!(keys.values().iter().any(|key| *key < i64::MIN / 2) && keys.values().iter().any(|key| *key > i64::MAX / 2));
        assert!(rows.column(1).as_primitive::<Int64Type>().values().iter().all(|key| *key == i64::MAX));
    }

    #[test]
    fn a_rule_that_allows_nothing_is_refused() {
        let error = |rule| Fields::new(&[("k".to_owned(), rule)], 0, TaskIndex::ONLY, None).expect_err("no value").message;
        assert_eq!(error(FieldRule::Uniform(2, 1)), "k: expected uniform: [least, most], found [2, 1]");
        assert_eq!(error(FieldRule::OneOf(Vec::new())), "k: expected one-of to name at least one text, found none");
    }
}
