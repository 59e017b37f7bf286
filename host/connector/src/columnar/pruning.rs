//! Which rows of a Parquet file may meet a predicate, by the statistics of its row groups and pages.
//!
//! A row is left out only where a comparison is false or null for it. What statistics don't say, and what they say in an order that
//! isn't the comparison's, leaves nothing out:
//! - of floats only `=` is used, and not with zero: NaN lies beyond all numbers in the order of comparisons and is in no statistics,
//!   and zero has two signs;
//! - least and greatest values of the deprecated kind, which old writers ordered by signed bytes, count for signed numbers only.
//!
//! A row group that may have a null where the job allows none is read as a whole: such a row is malformed, which a filter must not hide.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Scalar, UInt64Array};
use arrow_cast::cast;
use arrow_ord::cmp;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::RowGroupMetaData;
use wasmill_flow::comparison::{Comparator, Comparison};

use super::types::convert;

/// For each row group the ranges of rows that may meet all comparisons, ascending.
pub(super) fn selected(metadata: &ArrowReaderMetadata, schema: &Schema, predicate: &[Comparison]) -> Vec<Vec<Range<usize>>> {
    let columns: Vec<_> = predicate.iter().filter_map(|comparison| Statistics::of(metadata, schema, comparison)).collect();
    let strict: Vec<_> = schema.fields().iter().filter(|field| !field.is_nullable()).map(|field| field.name().as_str()).collect();
    let groups = metadata.metadata().row_groups().iter().enumerate();
    groups
        .map(|(group, rows)| {
            let all = std::iter::once(0..usize::try_from(rows.num_rows()).unwrap_or(0)).collect();
            if strict.iter().any(|column| may_have_nulls(metadata, rows, column)) {
                return all;
            }
            columns.iter().fold(all, |ranges, column| column.narrow(group, ranges))
        })
        .collect()
}

/// Whether a column of a row group has a null, or may have one.
fn may_have_nulls(metadata: &ArrowReaderMetadata, rows: &RowGroupMetaData, column: &str) -> bool {
    let Ok(found) = StatisticsConverter::try_new(column, metadata.schema(), metadata.parquet_schema()) else { return true };
    if !found.arrow_field().is_nullable() {
        return false;
    }
    let nulls = found.with_missing_null_counts_as_zero(false).row_group_null_counts(std::iter::once(rows));
    nulls.map_or(true, |nulls| nulls.is_null(0) || nulls.value(0) > 0)
}

/// What is known of the column of one comparison.
struct Statistics<'a> {
    metadata: &'a ArrowReaderMetadata,
    comparison: &'a Comparison,
    /// The column's type as one of rows.
    row_type: &'a DataType,
    converter: StatisticsConverter<'a>,
    /// The column's place among those that Parquet stores.
    leaf: usize,
}

impl<'a> Statistics<'a> {
    /// None where statistics of the column can't answer the comparison.
    fn of(metadata: &'a ArrowReaderMetadata, schema: &'a Schema, comparison: &'a Comparison) -> Option<Self> {
        let row_type = schema.field_with_name(&comparison.column).ok()?.data_type();
        let value = comparison.value.as_ref();
        if !is_comparable(row_type, value.data_type()) || !floats_allow(comparison.comparator, value) {
            return None;
        }
        let converter = StatisticsConverter::try_new(&comparison.column, metadata.schema(), metadata.parquet_schema()).ok()?;
        let leaf = converter.parquet_column_index()?;
        let is_ordered = metadata.parquet_schema().column(leaf).physical_type() != PhysicalType::INT96;
        is_ordered.then(|| Self {
            metadata,
            comparison,
            row_type,
            converter: converter.with_missing_null_counts_as_zero(false),
            leaf,
        })
    }

    /// Those of the ranges of a row group that may have rows which meet the comparison.
    fn narrow(&self, group: usize, ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
        if self.rules_out_group(group) {
            return Vec::new();
        }
        match self.pages(group) {
            Some(pages) => intersect(&ranges, &pages),
            None => ranges,
        }
    }

    fn rules_out_group(&self, group: usize) -> bool {
        let rows = self.metadata.metadata().row_group(group);
        let deprecated = rows.column(self.leaf).statistics().is_some_and(|statistics| statistics.is_min_max_deprecated());
        if deprecated && !is_signed(self.converter.arrow_field()) {
            return false;
        }
        let only = || std::iter::once(rows);
        let (Ok(least), Ok(greatest), Ok(nulls)) = (
            self.converter.row_group_mins(only()),
            self.converter.row_group_maxes(only()),
            self.converter.row_group_null_counts(only()),
        ) else {
            return false;
        };
        let counts = [usize::try_from(rows.num_rows()).unwrap_or(0)];
        self.may_meet(&least, &greatest, &nulls, &counts).is_some_and(|may| !may[0])
    }

    /// The ranges of rows of the pages that may have rows which meet the comparison; `None` where pages aren't known.
    fn pages(&self, group: usize) -> Option<Vec<Range<usize>>> {
        let metadata = self.metadata.metadata();
        let (indexes, offsets) = (metadata.column_index()?, metadata.offset_index()?);
        let locations = offsets.get(group)?.get(self.leaf)?.page_locations();
        indexes.get(group)?.get(self.leaf)?;
        let rows = usize::try_from(metadata.row_group(group).num_rows()).ok()?;
        let starts: Option<Vec<usize>> = locations.iter().map(|page| usize::try_from(page.first_row_index).ok()).collect();
        let starts = starts?;
        let ends = starts.iter().skip(1).copied().chain([rows]);
        let ranges: Vec<Range<usize>> = starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect();
        if ranges.first()?.start != 0 || ranges.iter().any(|range| range.start > range.end) {
            return None;
        }
        let least = self.converter.data_page_mins(indexes, offsets, [&group]).ok()?;
        let greatest = self.converter.data_page_maxes(indexes, offsets, [&group]).ok()?;
        let nulls = self.converter.data_page_null_counts(indexes, offsets, [&group]).ok()?;
        let counts: Vec<usize> = ranges.iter().map(Range::len).collect();
        let may = self.may_meet(&least, &greatest, &nulls, &counts)?;
        Some(ranges.into_iter().zip(may).filter(|(_, may)| *may).map(|(range, _)| range).collect())
    }

    /// For each part of a column whether it may have rows which meet the comparison; `None` where nothing is known.
    fn may_meet(&self, least: &ArrayRef, greatest: &ArrayRef, nulls: &UInt64Array, rows: &[usize]) -> Option<Vec<bool>> {
        let as_compared = |values: &ArrayRef| cast(&convert(values, self.row_type).ok()?, self.comparison.value.data_type()).ok();
        let (least, greatest) = (as_compared(least)?, as_compared(greatest)?);
        if [least.len(), greatest.len(), nulls.len()].iter().any(|parts| *parts != rows.len()) {
            return None;
        }
        let value = Scalar::new(ArrayRef::clone(&self.comparison.value));
        let holds = |compared: Result<BooleanArray, _>| compared.ok();
        let sides = match self.comparison.comparator {
            Comparator::Equal => vec![holds(cmp::lt_eq(&least, &value))?, holds(cmp::gt_eq(&greatest, &value))?],
            Comparator::Less => vec![holds(cmp::lt(&least, &value))?],
            Comparator::LessOrEqual => vec![holds(cmp::lt_eq(&least, &value))?],
            Comparator::Greater => vec![holds(cmp::gt(&greatest, &value))?],
            Comparator::GreaterOrEqual => vec![holds(cmp::gt_eq(&greatest, &value))?],
        };
        // A bound that isn't known is null, and rules nothing out; a part of nulls alone has no row that meets anything.
        let may = |part: usize| {
            let all_null = nulls.is_valid(part) && nulls.value(part) == rows[part] as u64;
            !all_null && sides.iter().all(|side| side.is_null(part) || side.value(part))
        };
        Some((0..rows.len()).map(may).collect())
    }
}

/// Whether a column of this type is compared as a value of that type by its least and greatest values.
fn is_comparable(column: &DataType, value: &DataType) -> bool {
    use DataType::{Float32, Float64, Int32, Int64, UInt64};
    column == value || matches!((column, value), (Int32, Int64 | Float64) | (Int64 | UInt64 | Float32, Float64))
}

/// Whether a comparison with a float can be answered without knowing of NaN and of the signs of zero.
fn floats_allow(comparator: Comparator, value: &dyn Array) -> bool {
    let value = match value.data_type() {
        DataType::Float64 => value.as_primitive::<Float64Type>().value(0),
        DataType::Float32 => f64::from(value.as_primitive::<Float32Type>().value(0)),
        _ => return true,
    };
    comparator == Comparator::Equal && value.is_finite() && value != 0.0
}

fn is_signed(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Timestamp(..))
}

/// What is in both; both ascend.
fn intersect(left: &[Range<usize>], right: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut found, mut first) = (Vec::<Range<usize>>::new(), 0);
    for range in left {
        while right.get(first).is_some_and(|other| other.end <= range.start) {
            first += 1;
        }
        for other in right[first..].iter().take_while(|other| other.start < range.end) {
            let both = range.start.max(other.start)..range.end.min(other.end);
            match found.last_mut() {
                Some(last) if last.end == both.start => last.end = both.end,
                _ if both.is_empty() => {}
                _ => found.push(both),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
