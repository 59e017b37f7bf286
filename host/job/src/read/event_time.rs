//! `event-time`: what a source says of the time of its rows.

use std::time::Duration;

use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::mapping::Mapping;
use crate::written::{EventTime, WatermarkRule};

const KEYS: &[&str] = &["field", "max-out-of-orderness", "ascending", "watermark", "idle-after", "max-jump", "max-drift"];
/// What says how the watermark follows the rows: one of them.
const RULES: [&str; 3] = ["max-out-of-orderness", "ascending", "watermark"];
/// The unit of all times.
const LEAST: Duration = Duration::from_millis(1);

/// Reads what a source says of event time. `None` where anything of it is wrong.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> Option<EventTime> {
    let before = problems.count();
    let keys = Mapping::open(field, "a mapping with field, and max-out-of-orderness, ascending or watermark", problems)?;
    keys.check_keys(KEYS, &[], problems);
    let column = keys.require("field", "the column that says when a row happened", problems);
    let column = column.and_then(|field| field.text("the name of a column", problems));
    let rule = read_rule(&keys, problems);
    let mut at_least = |key: &str| keys.get(key).and_then(|field| field.duration(LEAST, problems));
    let (idle_after, max_jump, max_drift) = (at_least("idle-after"), at_least("max-jump"), at_least("max-drift"));
    let time = EventTime { field: column?, rule: rule?, idle_after, max_jump, max_drift };
    (problems.count() == before).then_some(time)
}

fn read_rule(keys: &Mapping<'_>, problems: &mut Problems) -> Option<WatermarkRule> {
    let mut there = RULES.iter().filter_map(|key| Some((*key, keys.get(key)?)));
    let Some((first, field)) = there.next() else {
        let problem = problems.error(code::MISSING_KEY, keys.spot());
        problem
            .expected("`max-out-of-orderness`, how late rows may come, or `ascending: true`, or `watermark`, an expression")
            .advice("a window is complete when a row has come that is so much later than its end");
        return None;
    };
    if let Some((second, field)) = there.next() {
        let problem = problems.error(code::MISPLACED_KEY, &field.key_spot()).found(second);
        problem.expected(format!("`{first}` or `{second}`, not both"));
        return None;
    }
    match first {
        "watermark" => field.expression(problems).map(WatermarkRule::Expression),
        "ascending" => match field.flag(problems)? {
            true => Some(WatermarkRule::Behind(Duration::ZERO)),
            false => {
                let problem = problems.error(code::INVALID_VALUE, &field.spot).found("false");
                problem.expected("`ascending: true`, or `max-out-of-orderness`, how late rows may come");
                None
            }
        },
        _ => field.duration(Duration::ZERO, problems).map(WatermarkRule::Behind),
    }
}
