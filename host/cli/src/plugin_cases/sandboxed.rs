//! Runs a case as a job would: the component in the sandbox, one task, with a job's limits.

use wasmill_connector::json::row_object;
use wasmill_flow::{Batch, TaskIndex, Watermark};
use wasmill_job::catalog::PluginProblem;
use wasmill_operator::{Context, Due, Operator as _, OperatorError};
use wasmill_plugin::operator::Definition;
use wasmill_plugin::{Component, Limits, OnPoison, Plan, PluginOperator};
use wasmill_runtime::JobError;
use wasmill_state::memory::MemoryState;
use wasmill_time::ProcessingClock;

use super::case::{Case, DEAD, Outcome, Step, dead_line, file_of};
use crate::composition;

/// The most rows of a batch, each time that a case is run: what comes out must not depend on it. The first is a job's default.
pub const BATCHES: [usize; 3] = [1_024, 2, 1];

/// What the plugin does with a case's settings and inputs.
///
/// # Errors
/// Where it refuses them.
pub fn plan(component: &Component, case: &Case) -> Result<Plan, PluginProblem> {
    composition::describe(component, &case.settings, &case.inputs, &Limits::default())
}

/// What comes out of a case with batches of at most `most` rows. To be called outside of any tokio runtime.
///
/// # Errors
/// Where the plugin traps, breaks a limit, or fails.
pub fn run(component: &Component, plan: &Plan, case: &Case, plugin: &str, most: usize) -> Result<Outcome, JobError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| JobError::new("internal-runtime", error.to_string()))?;
    let operator = PluginOperator::new(
        Definition {
            operator: plugin.to_owned(),
            component: component.clone(),
            settings: case.settings.clone(),
            inputs: case.inputs.clone(),
            plan: plan.clone(),
            handed: vec![None; case.inputs.len()],
            limits: Limits::default(),
            on_poison: OnPoison::Halt,
            batch_rows: most,
            timed: false,
        },
        TaskIndex { index: 0, of: 1 },
    );
    let left = runtime.block_on(process(operator, plan, case, most)).map_err(said)?;
    Ok(outcome(&left, plan))
}

/// An operator's error as a case's.
pub(super) fn said(error: OperatorError) -> JobError {
    let OperatorError { code, message, row, hint } = error;
    // What to do is about jobs, but for a limit, where it is the same.
    JobError { row, hint: hint.filter(|_| code == "plugin-limit"), ..JobError::new(code, message) }
}

async fn process(mut operator: PluginOperator, plan: &Plan, case: &Case, most: usize) -> Result<Context, OperatorError> {
    let clock = ProcessingClock::by_hand(0);
    let mut context = Context { clock: clock.clone(), ..Context::stateless() };
    if !plan.declaration.states.is_empty() || case.inputs.iter().any(|input| !input.key.is_empty()) {
        context.state = Some(Box::new(MemoryState::new(plan.declaration.states.clone())));
    }
    let steps = case.steps.iter().enumerate().flat_map(|(input, steps)| steps.iter().map(move |step| (input, step)));
    for (input, step) in steps {
        match step {
            Step::Rows(rows) => {
                let rows = Batch::unkeyed(rows.clone());
                for start in (0..rows.len()).step_by(most) {
                    operator.process(input, rows.slice(start, most.min(rows.len() - start)), &mut context).await?;
                }
            }
            Step::Watermark(to) => advance(&mut operator, Watermark(*to), &mut context).await?,
            Step::Clock(to) => {
                clock.advance(*to);
                while operator.wakes_at().is_some_and(|at| at <= clock.now()) {
                    let _: Due = operator.clock(clock.now(), &mut context).await?;
                }
            }
        }
    }
    advance(&mut operator, Watermark::END, &mut context).await?;
    operator.end(&mut context).await?;
    Ok(context)
}

/// Brings event time as far as `watermark`.
async fn advance(operator: &mut PluginOperator, watermark: Watermark, context: &mut Context) -> Result<(), OperatorError> {
    if watermark > context.watermark {
        while operator.watermark(watermark, context).await? == Due::More {}
        context.watermark = watermark;
    }
    Ok(())
}

fn outcome(left: &Context, plan: &Plan) -> Outcome {
    let rows = |batch: &Batch| (0..batch.len()).map(|row| row_object(&batch.rows, row)).collect::<Vec<_>>();
    let mut outcome: Outcome = Vec::new();
    for (number, port) in plan.declaration.ports.iter().enumerate() {
        let emitted = left.emitted.iter().filter(|emitted| emitted.port == number);
        outcome.push((file_of(number, &port.name), emitted.flat_map(|emitted| rows(&emitted.batch)).collect()));
    }
    let mut lines = Vec::new();
    for dead in &left.dead {
        for (row, reason) in rows(&dead.rows).iter().zip(&dead.reasons) {
            let json = |text: &str| serde_json::Value::from(text).to_string();
            lines.push(dead_line(row, &json(dead.kind.name()), &json(reason)));
        }
    }
    outcome.push((DEAD.to_owned(), lines));
    outcome
}
