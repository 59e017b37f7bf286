//! What statistics leave out of random rows is never what a comparison is true for.
#![expect(clippy::single_range_in_vec_init, reason = "one range is one case of several")]

use std::sync::Arc;

use super::*;
use crate::columnar::{ColumnarIn, ColumnarSource, columns};
use crate::file::FilePath;
use crate::{BatchLimit, Source};
use arrow_array::*;
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

#[test]
fn ranges_in_both_are_found_and_joined() {
    let both = |left: &[Range<usize>], right: &[Range<usize>]| intersect(left, right);
    assert_eq!(both(&[0..10], &[2..4, 4..6, 8..12]), [2..6, 8..10]);
    assert_eq!(both(&[0..3, 5..9], &[1..7]), [1..3, 5..7]);
    assert_eq!(both(&[0..3], &[3..4]), Vec::<Range<usize>>::new());
    assert_eq!(both(&[], &[3..4]), Vec::<Range<usize>>::new());
}

/// A column whose neighbours are near each other, so that pages and groups differ, as it is written.
fn column(kind: usize, numbers: &[Option<i16>]) -> ArrayRef {
    let of = |number: &Option<i16>| number.map(i64::from);
    let float = |number: &Option<i16>| match number {
        Some(-2) => Some(f64::NAN),
        Some(-1) => Some(-f64::NAN),
        Some(0) => Some(-0.0),
        Some(1) => Some(0.0),
        other => other.map(|number| f64::from(number) / 2.0),
    };
    // Longer than statistics are: they are cut.
    let text = |number: &Option<i16>| number.map(|number| format!("{}{}", "ü".repeat(40), i32::from(number) + 32_768));
    match kind {
        0 => Arc::new(numbers.iter().map(of).collect::<Int64Array>()),
        1 => Arc::new(numbers.iter().map(|number| number.map(i32::from)).collect::<Int32Array>()),
        2 => Arc::new(numbers.iter().map(|number| number.map(|number| number as u64)).collect::<UInt64Array>()),
        3 => Arc::new(numbers.iter().map(float).collect::<Float64Array>()),
        4 => Arc::new(numbers.iter().map(text).collect::<StringArray>()),
        5 => Arc::new(numbers.iter().map(|number| number.map(|number| number > 0)).collect::<BooleanArray>()),
        6 => Arc::new(numbers.iter().map(|number| of(number).map(|number| number * 333)).collect::<TimestampMicrosecondArray>()),
        7 => Arc::new(numbers.iter().map(|number| number.map(i128::from)).collect::<Decimal128Array>()),
        _ => Arc::new(numbers.iter().map(|number| number.map(i32::from)).collect::<Date32Array>()),
    }
}

const KINDS: usize = 9;

/// The rows for which the comparison is true.
fn those_that_meet(rows: &RecordBatch, comparison: &Comparison) -> RecordBatch {
    let column = rows.column_by_name(&comparison.column).expect("a column");
    let column = cast(column, comparison.value.data_type()).expect("a cast that numbers are compared by");
    let value = Scalar::new(Arc::clone(&comparison.value));
    let mask = match comparison.comparator {
        Comparator::Equal => cmp::eq(&column, &value),
        Comparator::Less => cmp::lt(&column, &value),
        Comparator::LessOrEqual => cmp::lt_eq(&column, &value),
        Comparator::Greater => cmp::gt(&column, &value),
        Comparator::GreaterOrEqual => cmp::gt_eq(&column, &value),
    };
    filter_record_batch(rows, &mask.expect("comparable")).expect("a mask")
}

fn read(mut source: ColumnarSource) -> RecordBatch {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut batches = vec![RecordBatch::new_empty(source.schema())];
    runtime.block_on(async {
        while let Some(read) = source.read(BatchLimit { rows: 11, bytes: 1 << 20 }).await.expect("a read") {
            batches.push(read.rows);
        }
    });
    concat_batches(&source.schema(), &batches).expect("one schema")
}

fn comparator() -> impl Strategy<Value = Comparator> {
    use Comparator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    proptest::sample::select(vec![Equal, Less, LessOrEqual, Greater, GreaterOrEqual])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn filtered_after_pruning_is_filtered_without(
        steps in proptest::collection::vec(proptest::option::weighted(0.8, -3_i16..6), 1..150),
        asked in proptest::collection::vec((0..KINDS, comparator(), -6_i16..120, any::<bool>()), 1..4),
        (group, page) in (1_usize..40, 1_usize..12),
    ) {
        let mut sum = 0;
        let numbers: Vec<Option<i16>> = steps.iter().map(|step| step.map(|step| { sum += step; sum })).collect();
        let written = RecordBatch::try_from_iter_with_nullable(
            (0..KINDS).map(|kind| (format!("c{kind}"), column(kind, &numbers), true))
        ).expect("columns");
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(group))
            .set_data_page_row_count_limit(page)
            .set_write_batch_size(1)
            .build();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.parquet");
        let file = std::fs::File::create(&path).expect("a file");
        let mut writer = ArrowWriter::try_new(file, written.schema(), Some(properties)).expect("a writer");
        writer.write(&written).expect("rows");
        writer.close().expect("a footer");

        let file = FilePath { written: "rows.parquet".to_owned(), path };
        let schema = columns(&file, ColumnarIn::Parquet, None).expect("columns");
        let predicate: Vec<Comparison> = asked.iter().map(|(kind, comparator, number, widened)| {
            let column_type = schema.field(*kind).data_type();
            let value = convert(&column(*kind, &[Some(*number)]), column_type).expect("a value of the column");
            let wider = match column_type {
                DataType::Int32 | DataType::Int64 | DataType::UInt64 if *widened => &DataType::Float64,
                other => other,
            };
            Comparison { column: format!("c{kind}"), comparator: *comparator, value: cast(&value, wider).expect("wider") }
        }).collect();
        let open = |predicate: &[Comparison]| ColumnarSource::open(file.clone(), ColumnarIn::Parquet, Arc::clone(&schema), predicate);
        let pruned = open(&predicate).expect("a file");
        let (left_out, some) = (pruned.pruned(), read(pruned));
        let all = read(open(&[]).expect("a file"));
        prop_assert_eq!(all.num_rows() as u64, some.num_rows() as u64 + left_out);
        let meets_all = |rows: RecordBatch| predicate.iter().fold(rows, |rows, each| those_that_meet(&rows, each));
        // By their texts: NaN is not equal to itself.
        prop_assert_eq!(format!("{:?}", meets_all(some)), format!("{:?}", meets_all(all)));
    }
}
