//! An expression's values for the rows of a batch, and the rows that it fails on.

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{Array, ArrayRef, RecordBatch, new_empty_array, new_null_array};
use arrow_cast::cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType};
use arrow_select::concat::concat;
use datafusion_common::DataFusionError;
use datafusion_physical_expr::expressions::Column;

use super::Expression;
use super::cause::{arrow_cause, cause};

/// Values of an expression for some rows.
#[derive(Debug)]
pub struct Evaluated {
    /// One value a row, of the expression's type; null where it failed.
    pub values: ArrayRef,
    /// The rows that it failed on, ascending, each with the cause in words.
    pub failed: Vec<(usize, String)>,
}

impl Expression {
    /// Its values for these rows, which have the columns that it was parsed for.
    ///
    /// # Cost
    /// One vectorised evaluation where no row fails. Otherwise the rows are halved until those that fail stand alone: some
    /// `2 k log2(n / k)` evaluations of ever fewer rows for `k` failures in `n` rows, at most `2 n`.
    #[must_use]
    pub fn evaluate(&self, rows: &RecordBatch) -> Evaluated {
        if rows.num_rows() == 0 {
            return Evaluated { values: new_empty_array(&self.data_type), failed: Vec::new() };
        }
        match self.evaluate_together(rows) {
            Ok(values) => Evaluated { values, failed: Vec::new() },
            Err(cause) => self.evaluate_apart(rows, cause),
        }
    }

    /// The values of all rows, or why at least one has none.
    fn evaluate_together(&self, rows: &RecordBatch) -> Result<ArrayRef, String> {
        let computed = self.physical.evaluate(rows).and_then(|value| value.into_array(rows.num_rows()));
        let values = computed.map_err(|error: DataFusionError| cause(&error))?;
        if self.physical.is::<Column>() {
            return Ok(values);
        }
        self.check(values)
    }

    /// What the kernels leave open: the type as columns have it, decimals within their precision, no null where none may be.
    fn check(&self, values: ArrayRef) -> Result<ArrayRef, String> {
        let failed = |error: ArrowError| arrow_cause(&error);
        if let DataType::Decimal128(precision, _) = *values.data_type() {
            values.as_primitive::<Decimal128Type>().validate_decimal_precision(precision).map_err(failed)?;
        }
        let values = if *values.data_type() == self.data_type {
            values
        } else {
            cast_with_options(&values, &self.data_type, &CastOptions { safe: false, ..CastOptions::default() }).map_err(failed)?
        };
        if !self.nullable && values.null_count() > 0 {
            return Err("it gave null where it never should".to_owned());
        }
        Ok(values)
    }

    fn evaluate_apart(&self, rows: &RecordBatch, cause: String) -> Evaluated {
        let mut pieces = Vec::new();
        let mut failed = Vec::new();
        self.halve(rows, 0, cause, &mut pieces, &mut failed);
        let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
        #[expect(
            clippy::expect_used,
            reason = "every piece is of the expression's type; another is a bug that must not pass silently"
        )]
        let values = concat(&pieces).expect("pieces of one type");
        Evaluated { values, failed }
    }

    /// Evaluates the halves of rows that failed together; `first` is the number of the first.
    fn halve(
        &self,
        rows: &RecordBatch,
        first: usize,
        cause: String,
        pieces: &mut Vec<ArrayRef>,
        failed: &mut Vec<(usize, String)>,
    ) {
        let count = rows.num_rows();
        if count == 1 {
            pieces.push(new_null_array(&self.data_type, 1));
            failed.push((first, cause));
            return;
        }
        for (start, length) in [(0, count / 2), (count / 2, count - count / 2)] {
            let half = rows.slice(start, length);
            match self.evaluate_together(&half) {
                Ok(values) => pieces.push(values),
                Err(cause) => self.halve(&half, first + start, cause, pieces, failed),
            }
        }
    }
}
