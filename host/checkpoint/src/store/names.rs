//! The names of files and directories.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

use wasmill_flow::Epoch;

use super::disk::PARTIAL;
use crate::error::CheckpointError;

/// The name of a manifest: in order of their names, manifests are in order of their epochs.
pub fn manifest(epoch: Epoch) -> String {
    format!("{:020}.json", epoch.0)
}

/// The epoch in a manifest's name.
pub fn epoch_of_manifest(name: &str) -> Option<u64> {
    let epoch = name.strip_suffix(".json")?.parse().ok()?;
    (manifest(Epoch(epoch)) == name).then_some(epoch)
}

/// The number in a run's name.
pub fn run(name: &str) -> Option<u64> {
    let number: u64 = name.parse().ok()?;
    (number.to_string() == name && number > 0).then_some(number)
}

/// The name of a state file.
pub fn object(epoch: Epoch, operator: &str, task: u32, process: &str) -> String {
    format!("{epoch}-{operator}-{task}-{process}.state")
}

/// The epoch in a state file's name, and whether this process made it.
pub fn maker_of_object(name: &str, process: &str) -> Option<(Epoch, bool)> {
    let (epoch, _) = name.split_once('-')?;
    let (_, maker) = name.strip_suffix(".state")?.rsplit_once('-')?;
    Some((Epoch(epoch.parse().ok()?), maker == process))
}

/// Sixteen hexadecimal digits that no two processes share.
pub fn unique() -> String {
    // The standard library's seed for its maps comes from the system's random numbers.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}

/// The names in a directory, in order, but for those that start with a dot, as file managers leave them.
pub fn list(directory: &Path) -> Result<Vec<String>, CheckpointError> {
    let refused = || CheckpointError::io(directory, "list");
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(refused())? {
        names.push(entry.map_err(refused())?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| !name.starts_with('.'));
    names.sort_unstable();
    Ok(names)
}

/// The numbers in the names of a directory, in order.
pub fn numbered(directory: &Path, number: fn(&str) -> Option<u64>) -> Result<Vec<u64>, CheckpointError> {
    let mut numbers = Vec::new();
    for name in list(directory)?.into_iter().filter(|name| !name.ends_with(PARTIAL)) {
        let Some(number) = number(&name) else {
            return Err(CheckpointError::Corrupt {
                path: directory.join(name),
                what: "nothing of that name belongs here".to_owned(),
            });
        };
        numbers.push(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_were_made_of() {
        assert_eq!(manifest(Epoch(42)), "00000000000000000042.json");
        assert_eq!(epoch_of_manifest("00000000000000000042.json"), Some(42));
        assert_eq!(epoch_of_manifest(&manifest(Epoch(u64::MAX))), Some(u64::MAX));
        for other in ["42.json", "00000000000000000042", "+0000000000000000042.json", ".json"] {
            assert_eq!(epoch_of_manifest(other), None, "{other}");
        }
        assert_eq!((run("7"), run("07"), run("0"), run("x")), (Some(7), None, None, None));
        let name = object(Epoch(42), "my-operator_2", 3, "5f3a");
        assert_eq!(name, "42-my-operator_2-3-5f3a.state");
        assert_eq!(maker_of_object(&name, "5f3a"), Some((Epoch(42), true)));
        assert_eq!(maker_of_object(&name, "0000"), Some((Epoch(42), false)));
        assert_eq!(maker_of_object("notes.txt", "5f3a"), None);
        assert_ne!(unique(), unique());
    }
}
