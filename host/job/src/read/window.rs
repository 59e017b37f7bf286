//! `window`: the windows that rows are counted in.

use std::time::Duration;

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::graph::{Window, WindowShape};
use crate::measure::show_duration;
use crate::nearest::nearest;
use crate::place::At;
use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::mapping::Mapping;

const KEYS: &[&str] = &["tumbling", "sliding", "slide", "offset", "zone", "session", "allowed-lateness"];
const LATER: &[&str] = &["count", "global", "time", "trigger", "results"];
/// The keys that say what windows are: one of them.
const SHAPES: &[&str] = &["tumbling", "sliding", "session"];
/// Keys that go with some shapes only.
const BESIDE: &[(&str, &[&str], &str)] = &[
    ("slide", &["sliding"], "`sliding` beside it: windows that tumble follow one another"),
    ("offset", &["tumbling", "sliding"], "`tumbling` or `sliding` beside it: others begin with a row"),
    ("zone", &["tumbling", "sliding"], "`tumbling` or `sliding` beside it: others don't begin by the clock"),
];
/// The shortest window, and the unit of all times.
const LEAST: Duration = Duration::from_millis(1);
/// What clocks are set by, as a rule; windows of less may come twice and in parts.
const HOUR: Duration = Duration::from_secs(3_600);

/// Reads a window. `None` where anything of it is wrong.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> Option<At<Window>> {
    let before = problems.count();
    let keys = Mapping::open(field, "a window: a mapping with tumbling, sliding or session", problems)?;
    let known = keys.check_keys(KEYS, LATER, problems);
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
            let gap = keys.get("session").and_then(|field| field.duration(LEAST, problems));
            gap.map(WindowShape::Session)
        }
        [shape] => even(shape, &keys, problems),
        [] => {
            if known {
                let problem = problems.error(code::MISSING_KEY, keys.spot());
                problem.expected("`tumbling`, `sliding` or `session`, how long a window or a pause is: 1h");
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
    let window = Window { shape: shape?, allowed_lateness: allowed_lateness? };
    (problems.count() == before).then(|| field.at(window))
}

/// Windows of one length.
fn even(shape: &str, keys: &Mapping<'_>, problems: &mut Problems) -> Option<WindowShape> {
    let mut length = |key: &str| keys.get(key).and_then(|field| field.duration(LEAST, problems));
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
    if let (Some(field), Some(zone)) = (keys.get("zone"), zone) {
        let parts = [size, slide, offset].into_iter().find(|time| time.as_millis() % HOUR.as_millis() != 0);
        if let Some(part) = parts {
            let problem = problems.error(code::NOT_IN_THIS_VERSION, &field.spot).found(zone.name());
            problem.expected(format!(
                "windows of whole hours by the clock there; with {} what comes twice when clocks are set back would be in parts",
                show_duration(part)
            ));
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
        Some(field) => field.duration(Duration::ZERO, problems),
        None => Some(Duration::ZERO),
    }
}
