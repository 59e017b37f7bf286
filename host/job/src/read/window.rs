//! `window`: the windows of event time that rows are counted in.

use std::time::Duration;

use crate::graph::Window;
use crate::measure::show_duration;
use crate::place::At;
use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::mapping::Mapping;

const KEYS: &[&str] = &["tumbling", "sliding", "slide", "offset", "allowed-lateness"];
const LATER: &[&str] = &["session", "count", "global", "zone", "time", "trigger", "results"];
/// The shortest window, and the unit of all times.
const LEAST: Duration = Duration::from_millis(1);

/// Reads a window. `None` where anything of it is wrong.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> Option<At<Window>> {
    let before = problems.count();
    let keys = Mapping::open(field, "a window: a mapping with tumbling or sliding", problems)?;
    keys.check_keys(KEYS, LATER, problems);
    let length = |key: &str, problems: &mut Problems| keys.get(key).map(|field| field.duration(LEAST, problems));
    let (tumbling, sliding, slide) = (length("tumbling", problems), length("sliding", problems), length("slide", problems));
    if let (Some(_), None, Some(field)) = (&tumbling, &sliding, keys.get("slide")) {
        let problem = problems.error(code::MISPLACED_KEY, &field.key_spot()).found("slide");
        problem.expected("`sliding` beside it: windows that tumble follow one another");
    }
    let (size, slide) = match (tumbling, sliding) {
        (Some(size), None) => (size, size),
        (None, Some(size)) => {
            if slide.is_none() {
                keys.require("slide", "how often a window begins: 1min", problems);
            }
            (size, slide.flatten())
        }
        (Some(_), Some(_)) => {
            problems.error(code::MISPLACED_KEY, keys.spot()).found_to_be("`tumbling` and `sliding`").expected("one of them");
            (None, None)
        }
        (None, None) => {
            if problems.count() == before {
                problems.error(code::MISSING_KEY, keys.spot()).expected("`tumbling` or `sliding`, how long a window is: 1h");
            }
            (None, None)
        }
    };
    if let (Some(size), Some(slide), Some(field)) = (size, slide, keys.get("slide"))
        && slide > size
    {
        // Rows between windows would be in no output and in no count.
        let problem = problems.error(code::NOT_IN_THIS_VERSION, &field.spot).found(show_duration(slide));
        problem.expected(format!("at most {}, the length of a window", show_duration(size)));
    }
    let or_none = |key: &str, problems: &mut Problems| match keys.get(key) {
        Some(field) => field.duration(Duration::ZERO, problems),
        None => Some(Duration::ZERO),
    };
    let (offset, allowed_lateness) = (or_none("offset", problems)?, or_none("allowed-lateness", problems)?);
    let window = Window { size: size?, slide: slide?, offset, allowed_lateness };
    (problems.count() == before).then(|| field.at(window))
}
