//! Names of parts: `part-EPOCH-TASK.EXT`.

use super::part::EXTENSIONS;

/// The name of a task's part. Numbers are written with zeros before them, so that the order of names is that of epochs, and within one that
/// of tasks.
pub(crate) fn of(number: u64, task: u32, extension: &str) -> String {
    format!("part-{number:010}-{task:05}.{extension}")
}

/// The number and the task of a part, in any format; none where this is no part's name.
pub(crate) fn read(name: &str) -> Option<(u64, u32)> {
    let (numbers, extension) = name.strip_prefix("part-")?.split_once('.')?;
    if !EXTENSIONS.contains(&extension) {
        return None;
    }
    let (number, task) = numbers.split_once('-')?;
    Some((number.parse().ok()?, task.parse().ok()?))
}
