//! Runs a case of a window function: rows between two moments are those of a window of each key.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{FieldRef, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::take::{take, take_record_batch};
use wasmill_connector::json::row_object;
use wasmill_flow::TaskIndex;
use wasmill_flow::key::EncodedKeys;
use wasmill_job::catalog::PluginProblem;
use wasmill_operator::window::{FiredWindows, ForeignWindow as _};
use wasmill_operator::{OperatorError, Port};
use wasmill_plugin::{Component, InputShape, Limits, OnPoison, PluginWindow, WindowDefinition};
use wasmill_runtime::JobError;

use super::case::{Case, DEAD, Outcome, Step, file_of, invalid};
use super::sandboxed::said;
use crate::composition;

/// A window function over a case.
pub struct Windowed<'a> {
    input: &'a InputShape,
    definition: WindowDefinition,
    windows: Vec<Window>,
    /// What comes out: the key's columns and those that the function gives.
    schema: SchemaRef,
}

/// The rows of a key and window.
struct Window {
    rows: RecordBatch,
    bounds: Option<[i64; 2]>,
}

impl<'a> Windowed<'a> {
    /// The function of a case's settings and columns.
    ///
    /// # Errors
    /// Where it refuses them, or the case is none of a window function.
    pub fn new(component: &Component, case: &'a Case, plugin: &str) -> Result<Self, PluginProblem> {
        let [input] = case.inputs.as_slice() else {
            return Err(invalid(&case.folder, "a window function has one input: a case of it has `schema`, not `inputs`"));
        };
        let limits = Limits::default();
        let definition = WindowDefinition {
            operator: plugin.to_owned(),
            component: component.clone(),
            settings: case.settings.clone(),
            rows: Arc::clone(&input.schema),
            plan: composition::describe_window(component, &case.settings, &input.schema, &limits)?,
            limits,
            on_poison: OnPoison::Halt,
        };
        let key = input.key.iter().map(|&column| Arc::clone(&input.schema.fields()[column]));
        let gives = definition.plan.gives.iter().cloned().map(Arc::new);
        let schema = Arc::new(Schema::new(key.chain(gives).collect::<Vec<FieldRef>>()));
        Ok(Self { input, windows: windows(case, input)?, definition, schema })
    }

    /// What comes out: the key, and what the function gives.
    #[must_use]
    pub fn ports(&self) -> Vec<Port> {
        vec![Port { name: "main".to_owned(), schema: Arc::clone(&self.schema) }]
    }

    /// What comes out with calls of at most `most` windows. To be called outside of any tokio runtime.
    ///
    /// # Errors
    /// Where the function traps, breaks a limit, or fails.
    pub fn run(&self, most: usize) -> Result<Outcome, JobError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| JobError::new("internal-runtime", error.to_string()))?;
        let lines = runtime.block_on(self.fire(most)).map_err(said)?;
        Ok(vec![(file_of(0, "main"), lines), (DEAD.to_owned(), Vec::new())])
    }

    async fn fire(&self, most: usize) -> Result<Vec<String>, OperatorError> {
        let bug = |error: arrow_schema::ArrowError| OperatorError {
            code: "internal-definition",
            message: error.to_string(),
            row: None,
            hint: None,
        };
        let mut function = PluginWindow::new(self.definition.clone(), TaskIndex::ONLY);
        let mut lines = Vec::new();
        for some in self.windows.chunks(most) {
            let rows = concat_batches(&self.input.schema, some.iter().map(|window| &window.rows)).map_err(bug)?;
            let mut starts = vec![0];
            for window in some {
                let end = starts.last().copied().unwrap_or(0) + u32::try_from(window.rows.num_rows()).unwrap_or(u32::MAX);
                starts.push(end);
            }
            let firsts = UInt32Array::from(starts[..some.len()].to_vec());
            let keys = take_record_batch(&rows, &firsts).and_then(|firsts| firsts.project(&self.input.key)).map_err(bug)?;
            let bounds: Option<Vec<[i64; 2]>> = some.iter().map(|window| window.bounds).collect();
            let times = |bounds: &[[i64; 2]], side: usize| bounds.iter().map(|bounds| bounds[side]).collect::<Vec<_>>().into();
            let fired = FiredWindows {
                windows: keys.clone(),
                bounds: bounds.map(|bounds| [times(&bounds, 0), times(&bounds, 1)]),
                starts,
                rows: self.definition.plan.reads.iter().map(|&column| Arc::clone(rows.column(column))).collect(),
            };
            for (of, columns) in function.fire(fired).await?.rows {
                let key = keys.columns().iter().map(|column| take(column, &of, None)).collect::<Result<Vec<ArrayRef>, _>>();
                let all = key.map_err(bug)?.into_iter().chain(columns).collect();
                let rows = RecordBatch::try_new(Arc::clone(&self.schema), all).map_err(bug)?;
                lines.extend((0..rows.num_rows()).map(|row| row_object(&rows, row)));
            }
        }
        Ok(lines)
    }
}

/// The windows of a case: what lies between two moments, by key in the order of their first rows; all rows of a key where there are none.
fn windows(case: &Case, input: &InputShape) -> Result<Vec<Window>, PluginProblem> {
    let wrong = |error: arrow_schema::ArrowError| invalid(&case.folder, error);
    let (mut done, mut open, mut since) = (Vec::new(), RecordBatch::new_empty(Arc::clone(&input.schema)), 0);
    for step in case.steps.iter().flatten() {
        match step {
            Step::Rows(rows) => open = concat_batches(&input.schema, [&open, rows]).map_err(wrong)?,
            Step::Watermark(end) => {
                by_key(&open, input, Some([since, *end]), &mut done).map_err(wrong)?;
                open = open.slice(0, 0);
                since = *end;
            }
            Step::Clock(_) => {}
        }
    }
    if !done.is_empty() && open.num_rows() > 0 {
        let what = "input.jsonl: rows behind the last `@watermark` are in no window: let one follow them";
        return Err(invalid(&case.folder, what));
    }
    by_key(&open, input, None, &mut done).map_err(wrong)?;
    Ok(done)
}

fn by_key(
    rows: &RecordBatch,
    input: &InputShape,
    bounds: Option<[i64; 2]>,
    windows: &mut Vec<Window>,
) -> Result<(), arrow_schema::ArrowError> {
    let mut keys = EncodedKeys::default();
    keys.encode(&input.key.iter().map(|&column| Arc::clone(rows.column(column))).collect::<Vec<_>>());
    let mut of_keys: Vec<(&[u8], Vec<u32>)> = Vec::new();
    for (row, number) in (0..rows.num_rows()).zip(0_u32..) {
        let key = if input.key.is_empty() { &[][..] } else { keys.get(row) };
        match of_keys.iter_mut().find(|(other, _)| *other == key) {
            Some((_, rows)) => rows.push(number),
            None => of_keys.push((key, vec![number])),
        }
    }
    for (_, numbers) in of_keys {
        windows.push(Window { rows: take_record_batch(rows, &UInt32Array::from(numbers))?, bounds });
    }
    Ok(())
}
