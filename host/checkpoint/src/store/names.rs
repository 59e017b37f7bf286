//! The names of objects.

use std::hash::{BuildHasher, Hasher, RandomState};

use object_store::path::Path as Name;
use wasmill_flow::Epoch;

/// The name of a manifest: in order of their names, manifests are in order of their epochs.
pub fn manifest(epoch: Epoch) -> String {
    format!("{:020}.json", epoch.0)
}

/// The epoch in a manifest's name.
pub fn epoch_of_manifest(name: &str) -> Option<u64> {
    let epoch = name.strip_suffix(".json")?.parse().ok()?;
    (manifest(Epoch(epoch)) == name).then_some(epoch)
}

/// The name of a savepoint.
pub fn savepoint(label: &str) -> String {
    format!("{label}.json")
}

/// The label in a savepoint's name.
pub fn label_of_savepoint(name: &str) -> Option<String> {
    name.strip_suffix(".json").map(str::to_owned)
}

/// The number in a run's name.
pub fn run(name: &str) -> Option<u64> {
    let number: u64 = name.parse().ok()?;
    (number.to_string() == name && number > 0).then_some(number)
}

/// The name of a state file: no two files, whoever makes them, have the same. `serial` counts those that this process makes.
pub fn object(epoch: Epoch, operator: &str, task: u32, process: &str, serial: u64) -> String {
    format!("{epoch}-{operator}-{task}-{process}{serial:x}.state")
}

/// The epoch in a state file's name, and whether this process made it.
pub fn maker_of_object(name: &str, process: &str) -> Option<(Epoch, bool)> {
    let (epoch, _) = name.split_once('-')?;
    let (_, maker) = name.strip_suffix(".state")?.rsplit_once('-')?;
    Some((Epoch(epoch.parse().ok()?), maker.starts_with(process)))
}

/// The name of an owner's claim, in order of their numbers.
pub fn claim(owner: u64) -> String {
    format!("{owner:020}.json")
}

/// The name of the record of where an owner began.
pub fn beginning(owner: u64) -> String {
    format!("{owner:020}.begun.json")
}

/// The owner in the name of a claim or of a beginning, and which it is.
pub fn owner(name: &str) -> Option<(u64, bool)> {
    let (number, begun) = match name.strip_suffix(".begun.json") {
        Some(number) => (number, true),
        None => (name.strip_suffix(".json")?, false),
    };
    let owner = number.parse().ok()?;
    (name == if begun { beginning(owner) } else { claim(owner) }).then_some((owner, begun))
}

/// A number that no two processes share.
pub fn unique() -> u64 {
    // The standard library's seed for its maps comes from the system's random numbers.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish()
}

/// The last part of a name, as it stands in the store.
pub fn last(name: &Name) -> String {
    name.filename().unwrap_or_default().to_owned()
}

/// Whether a name is of a file as file managers leave them.
pub fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// What numbers names stand for, in order.
///
/// # Errors
/// The name that stands for none.
pub fn numbered(names: impl Iterator<Item = String>, number: fn(&str) -> Option<u64>) -> Result<Vec<u64>, String> {
    let numbers = names.filter(|name| !is_hidden(name)).map(|name| number(&name).ok_or(name));
    let mut numbers: Vec<_> = numbers.collect::<Result<_, _>>()?;
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
        let name = object(Epoch(42), "my-operator_2", 3, "5f3a", 26);
        assert_eq!(name, "42-my-operator_2-3-5f3a1a.state");
        assert_eq!(maker_of_object(&name, "5f3a"), Some((Epoch(42), true)));
        assert_eq!(maker_of_object(&name, "0000"), Some((Epoch(42), false)));
        assert_eq!(maker_of_object("notes.txt", "5f3a"), None);
        assert_ne!(unique(), unique());
        assert_eq!((owner(&claim(7)), owner(&beginning(7)), owner("7.json")), (Some((7, false)), Some((7, true)), None));
    }
}
