//! Windows as a job has them, made.

use std::time::Duration;

use arrow_schema::SchemaRef;
use wasmill_job::graph::{self, WindowShape};
use wasmill_operator::aggregate::Computation;
use wasmill_operator::window::{Accumulation, ByClock, Ends, RowWindows, SessionAggregate, Trigger, WindowedAggregate, Windows};
use wasmill_operator::{Declaration, DefinitionProblems, Operator};

/// An aggregate in windows, and what it declares.
pub(super) fn windowed(
    key: &[usize],
    window: &graph::Window,
    columns: Vec<(String, Computation)>,
    most_rows: usize,
    schema: &SchemaRef,
) -> Result<(Box<dyn Operator>, Declaration), DefinitionProblems> {
    let allowed_lateness = milliseconds(window.allowed_lateness);
    let accumulation = match window.results {
        graph::Results::Accumulating => Accumulation::Accumulating,
        graph::Results::Discarding => Accumulation::Discarding,
        graph::Results::Retracting => Accumulation::Retracting,
    };
    let trigger = Trigger { early: window.early.map(milliseconds), every_rows: window.every_rows, accumulation };
    Ok(match window.shape {
        WindowShape::Even { size, slide, offset, zone } => {
            let [size, slide, offset] = [size, slide, offset].map(milliseconds);
            let windows = Windows { size, slide, offset, zone, allowed_lateness };
            let operator = WindowedAggregate::new(key, windows, trigger, columns, most_rows, schema)?;
            let declaration = operator.declaration();
            (by(window, operator), declaration)
        }
        WindowShape::Rows { rows, ends } => {
            // A window without end of which results are forgotten is one after the other.
            let ends = ends || accumulation == Accumulation::Discarding;
            let retracts = accumulation == Accumulation::Retracting;
            let operator = RowWindows::new(key, rows, ends, retracts, columns, schema)?;
            let declaration = operator.declaration();
            (Box::new(operator), declaration)
        }
        WindowShape::Session(gap) => {
            let gap = milliseconds(gap);
            let operator = SessionAggregate::new(key, gap, allowed_lateness, trigger, columns, most_rows, schema)?;
            let declaration = operator.declaration();
            (by(window, operator), declaration)
        }
    })
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Windows by the time that they go by.
fn by<W: Ends + 'static>(window: &graph::Window, windows: W) -> Box<dyn Operator> {
    if window.by_clock { Box::new(ByClock::new(windows)) } else { Box::new(windows) }
}
