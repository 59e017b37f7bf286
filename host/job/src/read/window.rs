//! `window`: the windows that rows are counted in.

use std::time::Duration;

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::graph::{Results, Window, WindowShape};
use crate::measure::show_duration;
use crate::nearest::nearest;
use crate::place::At;
use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::mapping::Mapping;

const KEYS: &[&str] = &[
    "tumbling",
    "sliding",
    "slide",
    "offset",
    "zone",
    "session",
    "count",
    "global",
    "time",
    "trigger",
    "results",
    "allowed-lateness",
];
const RESULTS: &[(&str, Results)] =
    &[("accumulating", Results::Accumulating), ("discarding", Results::Discarding), ("retracting", Results::Retracting)];
const TRIGGERS: &[&str] = &["early", "every-rows", "late"];
/// The keys that say what windows are: one of them.
const SHAPES: &[&str] = &["tumbling", "sliding", "session", "count", "global"];
/// Those of them that have bounds in time.
const TIMED: &[&str] = &["tumbling", "sliding", "session"];
/// Keys that go with some shapes only.
const BESIDE: &[(&str, &[&str], &str)] = &[
    ("slide", &["sliding"], "`sliding` beside it: windows that tumble follow one another"),
    ("offset", &["tumbling", "sliding"], "`tumbling` or `sliding` beside it: others begin with a row"),
    ("zone", &["tumbling", "sliding"], "`tumbling` or `sliding` beside it: others don't begin by the clock"),
    ("time", TIMED, "a window of some length beside it: rows are counted whenever they come"),
    ("allowed-lateness", TIMED, "a window of some length beside it: where rows are counted, none is late"),
    (
        "trigger",
        &["tumbling", "sliding", "session", "global"],
        "another window beside it: this one's result comes with its last row",
    ),
];
/// The shortest window, and the unit of all times.
const LEAST: Duration = Duration::from_millis(1);
/// The most rows that can be asked for.
const MOST_ROWS: i128 = 1_000_000_000;
/// What clocks are set by, as a rule; windows of less may come twice and in parts.
const HOUR: Duration = Duration::from_secs(3_600);
/// What clocks of all zones differ by in multiples, since 1972: what divides it begins alike everywhere.
const QUARTER: Duration = Duration::from_secs(900);

/// Reads a window. `None` where anything of it is wrong.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> Option<At<Window>> {
    let before = problems.count();
    let keys = Mapping::open(field, "a window: a mapping with tumbling, sliding, session, count or global", problems)?;
    let known = keys.check_keys(KEYS, &[], problems);
    let written: Vec<&str> = SHAPES.iter().copied().filter(|shape| keys.get(shape).is_some()).collect();
    for (key, shapes, expected) in BESIDE {
        if let Some(field) = keys.get(key)
            && !written.is_empty()
            && !written.iter().any(|shape| shapes.contains(shape))
        {
            problems.error(code::MISPLACED_KEY, &field.key_spot()).found(*key).expected(*expected);
        }
    }
    let shape = match written.as_slice() {
        ["session"] => {
            let gap = keys.get("session").and_then(|field| duration(&field, LEAST, problems));
            gap.map(WindowShape::Session)
        }
        ["count"] => {
            let rows = keys.get("count").and_then(|field| field.integer(1..=MOST_ROWS, problems));
            rows.map(|rows| WindowShape::Rows { rows, ends: true })
        }
        ["global"] => global(&keys, problems),
        [shape] => even(shape, &keys, problems),
        [] => {
            if known {
                let problem = problems.error(code::MISSING_KEY, keys.spot());
                problem
                    .expected("`tumbling`, `sliding` or `session`, how long a window or a pause is: 1h; or `count` or `global`");
            }
            None
        }
        several => {
            let several = several.iter().map(|shape| format!("`{shape}`")).collect::<Vec<_>>().join(" and ");
            problems.error(code::MISPLACED_KEY, keys.spot()).found_to_be(several).expected("one of them");
            None
        }
    };
    let allowed_lateness = or_none("allowed-lateness", &keys, problems);
    let by_clock = match keys.get("time") {
        Some(field) => field.word(&[("event", false), ("processing", true)], &[], problems)?,
        None => false,
    };
    if let Some(field) = keys.get("allowed-lateness").filter(|_| by_clock) {
        let problem = problems.error(code::MISPLACED_KEY, &field.key_spot()).found("allowed-lateness");
        problem.expected("`time: event` beside it: by the clock no row is late");
    }
    let results = match keys.get("results") {
        Some(field) => {
            let results = field.word(RESULTS, &[], problems)?;
            if results == Results::Retracting && matches!(shape, Some(WindowShape::Rows { ends: true, .. })) {
                let problem = problems.error(code::INVALID_VALUE, &field.spot).found("retracting");
                problem.expected("no `results`: a window by rows has one result, which nothing changes").advice(
                    "for results of all rows of a key that change: global: true, trigger: { every-rows: 100 }, results: retracting",
                );
            }
            results
        }
        None => Results::Accumulating,
    };
    let (early, every_rows) = match keys.get("trigger") {
        Some(field) => trigger(&field, shape.as_ref(), problems)?,
        None => (None, None),
    };
    let window = Window { shape: shape?, allowed_lateness: allowed_lateness?, by_clock, early, every_rows, results };
    (problems.count() == before).then(|| field.at(window))
}

/// A window without end: only a trigger has its results come out.
fn global(keys: &Mapping<'_>, problems: &mut Problems) -> Option<WindowShape> {
    let field = keys.get("global")?;
    if !field.flag(problems)? {
        problems.error(code::INVALID_VALUE, &field.spot).found("false").expected("true, or another window");
        return None;
    }
    let every_rows = keys.get("trigger").and_then(|trigger| Mapping::open_if(&trigger)?.get("every-rows"));
    let Some(every_rows) = every_rows else {
        let problem = problems.error(code::MISSING_KEY, &field.key_spot());
        problem
            .expected("`trigger: { every-rows: 100 }` beside it: a window that never ends has no result by itself")
            .advice("for a row out with each row in, leave `window` out");
        return None;
    };
    let rows = every_rows.integer(1..=MOST_ROWS, problems)?;
    Some(WindowShape::Rows { rows, ends: false })
}

/// When results come out beside the end: early by time, and by rows.
fn trigger(field: &Field<'_>, shape: Option<&WindowShape>, problems: &mut Problems) -> Option<(Option<Duration>, Option<u64>)> {
    let keys = Mapping::open(field, "a trigger: { early: 10s, every-rows: 5, late: each }", problems)?;
    keys.check_keys(TRIGGERS, &[], problems);
    if let Some(field) = keys.get("late") {
        field.word(&[("each", ())], &[], problems)?;
    }
    let early = match keys.get("early") {
        Some(field) => Some(duration(&field, LEAST, problems)?),
        None => None,
    };
    match (&keys.get("early"), early, shape) {
        (Some(field), _, Some(WindowShape::Rows { .. })) => {
            let problem = problems.error(code::NOT_IN_THIS_VERSION, &field.key_spot()).found("early");
            problem
                .expected("`every-rows`: a window without end has no start that time could come on from")
                .advice("for results by time: window: { tumbling: 1min }, and behind it a running aggregate of its results");
        }
        (Some(field), Some(early), Some(WindowShape::Even { size, .. })) if early >= *size => {
            let problem = problems.error(code::INVALID_VALUE, &field.spot).found(show_duration(early));
            problem.expected(format!("less than {}, the length of a window: this trigger can't fire", show_duration(*size)));
        }
        _ => {}
    }
    let every_rows = match keys.get("every-rows") {
        Some(field) => Some(field.integer(1..=MOST_ROWS, problems)?),
        None => None,
    };
    Some((early, every_rows))
}

/// Windows of one length.
fn even(shape: &str, keys: &Mapping<'_>, problems: &mut Problems) -> Option<WindowShape> {
    let mut length = |key: &str| keys.get(key).and_then(|field| duration(&field, LEAST, problems));
    let (size, mut slide) = (length(shape), length("slide"));
    if shape == "tumbling" {
        slide = size;
    } else if keys.get("slide").is_none() {
        keys.require("slide", "how often a window begins: 1min", problems);
    }
    let offset = or_none("offset", keys, problems);
    let zone = match keys.get("zone") {
        Some(field) => Some(zone(&field, problems)?),
        None => None,
    };
    let (size, slide, offset) = (size?, slide?, offset?);
    if [size, slide].iter().all(|time| QUARTER.as_millis().is_multiple_of(time.as_millis())) {
        return Some(WindowShape::Even { size, slide, offset, zone: None });
    }
    if let (Some(field), Some(zone)) = (keys.get("zone"), zone) {
        let parts = [size, slide, offset].into_iter().find(|time| time.as_millis() % HOUR.as_millis() != 0);
        if let Some(part) = parts {
            let problem = problems.error(code::NOT_IN_THIS_VERSION, &field.spot).found(zone.name());
            problem
                .expected(format!(
                    "windows of whole hours by the clock there, or such as divide a quarter of one; with {} what comes twice when clocks are set back would be in parts",
                    show_duration(part)
                ))
                .advice("without `zone` half hours begin alike in all zones whose clocks are whole half hours from UTC");
            return None;
        }
    }
    Some(WindowShape::Even { size, slide, offset, zone })
}

/// A zone by its name.
fn zone(field: &Field<'_>, problems: &mut Problems) -> Option<Tz> {
    let name = field.text("the name of a zone: Europe/Berlin", problems)?;
    if let Ok(zone) = name.value.parse() {
        return Some(zone);
    }
    let meant = nearest(&name.value, TZ_VARIANTS.iter().map(|zone| zone.name()));
    let problem = problems.error(code::INVALID_VALUE, &field.spot).found(name.value.clone());
    problem.expected("the name of a zone in the IANA database: Europe/Berlin").meant(meant);
    None
}

fn or_none(key: &str, keys: &Mapping<'_>, problems: &mut Problems) -> Option<Duration> {
    match keys.get(key) {
        Some(field) => duration(&field, Duration::ZERO, problems),
        None => Some(Duration::ZERO),
    }
}

/// A time of whole milliseconds: event times have no parts of them.
fn duration(field: &Field<'_>, least: Duration, problems: &mut Problems) -> Option<Duration> {
    let duration = field.duration(least, problems)?;
    if !duration.subsec_nanos().is_multiple_of(1_000_000) {
        let problem = problems.error(code::INVALID_VALUE, &field.spot).found(show_duration(duration));
        problem.expected("whole milliseconds, as 250ms: event times have no parts of them");
        return None;
    }
    Some(duration)
}
