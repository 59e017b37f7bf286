//! The columns of an aggregate: SQL as the catalog has it, or what a plugin says it makes of some columns.

use arrow_schema::{Field, Schema};

use crate::catalog::{Catalog, Checked};
use crate::graph::{self, Aggregate, OnPoison, Results, Verb, Window, WindowShape};
use crate::place::At;
use crate::problem::{Problems, code};
use crate::validate::expression::Scope;
use crate::validate::operator::{Outcome, check_condition};
use crate::validate::{Given, paths};
use crate::written::{AggregateColumn, AggregatePlugin, Column, Computation};

/// A column, checked, and what computes it.
pub fn check(
    column: &AggregateColumn,
    scope: &Scope<'_>,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<(Checked, Aggregate)> {
    let name = &column.name;
    match column.by.as_ref()? {
        Computation::Sql(text) => {
            let column = Column { name: name.clone(), expression: Some(text.clone()) };
            Some((scope.check_column(&column, given, problems)?, Aggregate::Sql(text.value.clone())))
        }
        Computation::Plugin(plugin) => by_plugin(&name.value, plugin, scope, given, problems),
    }
}

fn by_plugin(
    name: &str,
    plugin: &AggregatePlugin,
    scope: &Scope<'_>,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<(Checked, Aggregate)> {
    let AggregatePlugin { path: written, of, settings, limits } = plugin;
    let path = paths::local(written, given.dir, problems);
    let mut columns = Vec::with_capacity(of.len());
    for column in of {
        let Some(index) = scope.column(column, problems) else { continue };
        if columns.contains(&index) {
            let problem = problems.error(code::DUPLICATE_COLUMN, &column.spot).found(column.value.clone());
            problem.expected("each column once");
            return None;
        }
        columns.push(index);
    }
    let path = path.filter(|_| columns.len() == of.len())?;
    let arguments = Schema::new(columns.iter().map(|&index| scope.schema.field(index).clone()).collect::<Vec<_>>());
    match given.catalog.aggregate_plugin(&path, settings, &arguments, limits) {
        Ok(result) => {
            let field = Field::new(name, result.data_type().clone(), result.is_nullable());
            let plugin = graph::Plugin { path, settings: settings.clone(), on_poison: OnPoison::Halt, limits: *limits };
            let names = of.iter().map(|column| column.value.clone()).collect();
            let aggregate = Aggregate::Plugin(graph::AggregatePlugin { plugin, of: columns.clone(), names });
            Some((Checked { field, reads: columns }, aggregate))
        }
        Err(fault) => {
            let problem = problems.error(fault.code, &written.spot).message(fault.message);
            problem.expected("a plugin that is an aggregate of these columns");
            if let Some(hint) = fault.hint {
                problem.advice(hint);
            }
            None
        }
    }
}

/// The same aggregate, whose rows are taken back where a condition is true. Every aggregate that none can be taken back from is a problem.
pub fn retracting(
    outcome: Outcome,
    columns: &[AggregateColumn],
    condition: &At<String>,
    scope: &Scope<'_>,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<Outcome> {
    let Outcome { verb: Verb::Aggregate { columns: computed, at_end, window, .. }, ports, reads, keeps } = outcome else {
        return None;
    };
    let of_rows = Scope { schema: scope.schema, of: scope.of.clone(), aggregates: false };
    let of_condition = check_condition(condition, &of_rows, given, problems);
    let mut all_retract = true;
    for (column, (_, by)) in columns.iter().zip(&computed) {
        if given.catalog.retracts(by, scope.schema) {
            continue;
        }
        all_retract = false;
        let spot = match &column.by {
            Some(Computation::Sql(text)) => &text.spot,
            Some(Computation::Plugin(plugin)) => &plugin.path.spot,
            None => &column.name.spot,
        };
        let problem = problems.error(code::INVALID_VALUE, spot);
        match by {
            Aggregate::Sql(text) => problem
                .found_to_be(format!("`{text}`, which no row can be taken back from, as `retract-where` wants: it doesn't keep what it would need for that"))
                .expected("`count`, `sum`, `avg`, `var_pop`, `stddev_pop` and their like, `corr`, `covar_pop` or `regr_…`, without `distinct`")
                .advice("an aggregate by plugin that keeps what it needs can retract"),
            Aggregate::Plugin(_) => problem
                .found_to_be("a plugin that doesn't take rows back, as `retract-where` wants")
                .expected("one that retracts")
                .advice("in its `Aggregate`, set `RETRACTS` and write `retract`"),
        };
    }
    let of_condition = of_condition.filter(|_| all_retract)?;
    let reads = reads.into_iter().map(|reads| reads.map(|reads| reads.into_iter().chain(of_condition.iter().copied()).collect()));
    let verb = Verb::Aggregate { columns: computed, at_end, window, retract_where: Some(condition.value.clone()) };
    Some(Outcome { verb, ports, reads: reads.collect(), keeps })
}

/// Whether rows of a key may be combined before they come to it: results come of all rows at once, no row is wanted back as it was, and parts put
/// together are exactly what all rows come to.
pub fn combines(verb: &Verb, input: &Schema, late_is_read: bool, catalog: &dyn Catalog) -> bool {
    let Verb::Aggregate { columns, at_end, window, retract_where: None } = verb else { return false };
    let at_once = window.as_ref().map_or(*at_end, |window| !late_is_read && is_of_all_rows(window));
    at_once && columns.iter().all(|(_, by)| catalog.combines(by, input))
}

/// Whether results come at some moment of time only, of all of a window's rows, and each row is in the windows of all those close to it.
fn is_of_all_rows(window: &Window) -> bool {
    let covers = matches!(window.shape, WindowShape::Even { size, slide, .. } if slide <= size);
    covers && window.allowed_lateness.is_zero() && window.every_rows.is_none() && window.results == Results::Accumulating
}
