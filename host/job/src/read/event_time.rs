//! `event-time`: what a source says of the time of its rows.

use std::time::Duration;

use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::mapping::Mapping;
use crate::written::EventTime;

const KEYS: &[&str] = &["field", "max-out-of-orderness", "ascending", "idle-after"];
const LATER: &[&str] = &["watermark"];

/// Reads what a source says of event time. `None` where anything of it is wrong.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> Option<EventTime> {
    let before = problems.count();
    let keys = Mapping::open(field, "a mapping with field, and max-out-of-orderness or ascending", problems)?;
    keys.check_keys(KEYS, LATER, problems);
    let column = keys.require("field", "the column that says when a row happened", problems);
    let column = column.and_then(|field| field.text("the name of a column", problems));
    let bound = keys.get("max-out-of-orderness").map(|field| field.duration(Duration::ZERO, problems));
    let ascending = keys.get("ascending").map(|field| (field.flag(problems), field));
    let max_out_of_orderness = match (bound, ascending) {
        (Some(bound), None) => bound,
        (None, Some((Some(true), _))) => Some(Duration::ZERO),
        (Some(_), Some((_, field))) => {
            let problem = problems.error(code::MISPLACED_KEY, &field.key_spot()).found("ascending");
            problem.expected("`max-out-of-orderness` or `ascending`, not both");
            None
        }
        // Without its key later versions may take a watermark by expression.
        (None, _) if keys.get("watermark").is_some() => None,
        (None, _) => {
            let problem = problems.error(code::MISSING_KEY, keys.spot());
            problem
                .expected("`max-out-of-orderness`, how late rows may come, or `ascending: true`")
                .advice("a window is complete when a row has come that is so much later than its end");
            None
        }
    };
    let idle_after = keys.get("idle-after").and_then(|field| field.duration(Duration::from_millis(1), problems));
    let (field, max_out_of_orderness) = (column?, max_out_of_orderness?);
    (problems.count() == before).then_some(EventTime { field, max_out_of_orderness, idle_after })
}
