//! The calls of a window function, and what is checked of its answers: a guest may hand out anything.

use arrow_array::{ArrayRef, UInt32Array};
use arrow_schema::{Field, Schema};
use wasmill_operator::window::FiredWindows;

use crate::bindings::wasmill::plugin::data::{Batch, ColumnResult};
use crate::bindings::window_function::WindowFunction;
use crate::bindings::window_function::exports::wasmill::plugin::window::{Given, Span, WindowPlan as WitPlan};
use crate::columns_in::ColumnsIn;
use crate::columns_out;
use crate::declaration::wit_fields;
use crate::fault::Fault;
use crate::instance::Instance;
use crate::limits::Limits;

impl Instance<WindowFunction> {
    /// Asks what it makes of these settings and rows. Within the limits of a start.
    pub(super) async fn describe(&mut self, settings: &str, rows: &Schema) -> Result<WitPlan, Fault> {
        let guest = self.exports.wasmill_plugin_window();
        let answer = guest.call_describe(&mut self.store, settings, &wit_fields(rows)).await;
        self.outcome(answer)
    }

    /// Opens it, within the limits of a start.
    pub(super) async fn open(&mut self, settings: &str, rows: &Schema) -> Result<(), Fault> {
        let guest = self.exports.wasmill_plugin_window();
        let answer = guest.call_open(&mut self.store, settings, &wit_fields(rows)).await;
        self.outcome(answer)
    }

    /// Hands it windows; the rows that come out of them, and of which window each is.
    pub(super) async fn fire(
        &mut self,
        windows: &FiredWindows,
        gives: &[Field],
        limits: &Limits,
    ) -> Result<(UInt32Array, Vec<ArrayRef>), Fault> {
        self.begin(None);
        let columns = ColumnsIn::hold(windows.rows.iter());
        let params = columns.params();
        let rows = windows.starts.last().copied().unwrap_or(0);
        let batch = Batch { rows, columns: &params };
        let spans: Option<Vec<Span>> = windows
            .bounds
            .as_ref()
            .map(|[starts, ends]| starts.iter().zip(ends.iter()).map(|(&start, &end)| Span { start, end }).collect());
        let guest = self.exports.wasmill_plugin_window();
        let answer = guest.call_fire(&mut self.store, spans.as_deref(), &windows.starts, batch).await;
        checked(self.outcome(answer)?, windows.len(), rows as usize, gives, limits)
    }
}

/// A guest's rows.
fn checked(
    given: Given,
    windows: usize,
    rows_in: usize,
    gives: &[Field],
    limits: &Limits,
) -> Result<(UInt32Array, Vec<ArrayRef>), Fault> {
    let Given { of, columns } = given;
    let broke = |what: String| Fault::contract(format!("broke the contract: {what}"));
    let (rows, most) = (of.len() as u64, limits.output_rows_for(rows_in));
    if rows > most {
        return Err(Fault::limit(format!("gave {rows} rows, at most {most} are taken of a call with {rows_in} rows")));
    }
    let bytes: usize = columns.iter().map(columns_out::bytes).sum();
    if bytes as u64 > limits.output_bytes {
        return Err(Fault::limit(format!("its rows have {bytes} bytes, at most {} are taken", limits.output_bytes)));
    }
    if let Some((row, window)) = of.iter().enumerate().find(|(_, window)| **window as usize >= windows) {
        return Err(broke(format!("row {row} is of window {window}, but there are {windows}")));
    }
    if columns.len() != gives.len() {
        return Err(broke(format!("it gave {} columns, its plan has {}", columns.len(), gives.len())));
    }
    let column = |(field, column): (&Field, ColumnResult)| columns_out::array(field, column, of.len()).map_err(broke);
    let columns = gives.iter().zip(columns).map(column).collect::<Result<Vec<_>, _>>()?;
    Ok((UInt32Array::from(of), columns))
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;

    use super::*;
    use crate::bindings::wasmill::plugin::data::ArrayResult;
    use crate::fault::FaultKind;

    fn numbers(values: &[i64]) -> ColumnResult {
        ColumnResult { values: ArrayResult::Int64(values.to_vec()), validity: None }
    }

    fn refusal(of: &[u32], columns: Vec<ColumnResult>) -> Fault {
        let limits = Limits { output_rows: 3, output_bytes: 40, ..Limits::default() };
        checked(Given { of: of.to_vec(), columns }, 2, 0, &[Field::new("n", DataType::Int64, false)], &limits)
            .expect_err("refused")
    }

    #[test]
    fn rows_of_windows_that_are_not_there_or_of_other_columns_break_the_contract() {
        assert_eq!(refusal(&[0, 2], vec![numbers(&[1, 2])]).message, "broke the contract: row 1 is of window 2, but there are 2");
        assert_eq!(refusal(&[0], Vec::new()).message, "broke the contract: it gave 0 columns, its plan has 1");
        assert_eq!(refusal(&[0, 1], vec![numbers(&[1])]).message, "broke the contract: column `n`: has 1 values for 2 rows");
    }

    #[test]
    fn rows_that_are_too_many_or_too_long_break_a_limit() {
        let many = refusal(&[0; 4], vec![numbers(&[1; 4])]);
        assert_eq!(many.message, "gave 4 rows, at most 3 are taken of a call with 0 rows");
        assert_eq!(many.kind, FaultKind::Limit);
        let long = refusal(&[0; 3], vec![numbers(&[1; 6])]);
        assert_eq!(long.message, "its rows have 48 bytes, at most 40 are taken");
    }
}
