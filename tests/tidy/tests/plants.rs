//! Bugs that are planted on purpose: each patch still applies, names tests that are there, and is told of in docs/reliability.md with one of them.

use std::collections::BTreeSet;
use std::process::Command;

use wasmill_tidy::{files, root, text};

const RELIABILITY: &str = "docs/reliability.md";

/// A bug.
struct Plant {
    name: String,
    patch: String,
}

impl Plant {
    /// What is to build, and the test, or what the names of the tests begin with.
    fn tests(&self) -> Vec<(&str, &str)> {
        self.patch.lines().filter_map(|line| line.strip_prefix("caught-by: ")?.rsplit_once(' ')).collect()
    }
}

fn plants() -> Vec<Plant> {
    let paths = files("patch").expect("the tree can be read");
    let plants = paths.iter().filter(|path| path.starts_with("tests/plants"));
    let plants = plants.map(|path| Plant {
        name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
        patch: text(path).expect("a patch is text"),
    });
    let plants: Vec<_> = plants.collect();
    assert!(plants.len() > 15, "only {} plants", plants.len());
    plants
}

#[test]
fn every_plant_applies() {
    let mut wrong = Vec::new();
    for Plant { name, .. } in plants() {
        let path = root().join(format!("tests/plants/{name}.patch"));
        let checked =
            Command::new("git").args(["apply", "--check"]).arg(path).current_dir(root()).output().expect("git is there");
        if !checked.status.success() {
            wrong.push(format!("{name}: {}", String::from_utf8_lossy(&checked.stderr)));
        }
    }
    assert!(wrong.is_empty(), "make these patches anew:\n{}", wrong.join("\n"));
}

#[test]
fn every_plant_says_what_it_does_and_which_test_catches_it() {
    let sources: Vec<_> = files("rs").expect("the tree can be read").iter().map(|path| text(path).expect("text")).collect();
    let mut wrong = Vec::new();
    for plant in plants() {
        if plant.patch.lines().next().is_none_or(|line| !line.ends_with('.')) {
            wrong.push(format!("{}: its first line is no sentence", plant.name));
        }
        if plant.tests().is_empty() {
            wrong.push(format!("{}: no line `caught-by: TARGET TEST`", plant.name));
        }
        for (target, test) in plant.tests() {
            let builds = target == "--lib" || target.strip_prefix("--test ").is_some_and(|target| !target.contains(' '));
            if !builds || !sources.iter().any(|source| source.contains(&format!("fn {test}("))) {
                wrong.push(format!("{}: there is no test `{test}`, or `{target}` is nothing to build", plant.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_document_tells_of_every_plant_and_of_a_test_that_catches_it() {
    let document = text(RELIABILITY).expect("the document is text");
    let rows: Vec<_> = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | ")).collect();
    let plants = plants();
    let (told, there): (BTreeSet<_>, BTreeSet<_>) =
        (rows.iter().map(|(name, _)| *name).collect(), plants.iter().map(|plant| &*plant.name).collect());
    assert_eq!(told, there, "the plants that {RELIABILITY} tells of, and those that are there");
    for plant in &plants {
        let says = rows.iter().find(|(name, _)| *name == plant.name).map(|(_, says)| *says).unwrap_or_default();
        assert!(plant.tests().iter().any(|(_, test)| says.contains(test)), "{}: {says} names none of its tests", plant.name);
    }
}
