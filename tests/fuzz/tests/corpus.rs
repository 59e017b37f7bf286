//! Every input of the corpus, and every one that once found a bug, once through its target.

use std::fs;
use std::path::{Path, PathBuf};

use wasmill_fuzz::TARGETS;

/// The files of a folder below this crate's, where it is there.
fn inputs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut inputs: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    inputs.sort();
    inputs
}

#[test]
fn nothing_in_the_corpus_finds_a_bug() {
    for target in TARGETS {
        let corpus = inputs(&format!("corpus/{}", target.name));
        assert!(!corpus.is_empty(), "{} has no corpus", target.name);
        for input in [corpus, inputs(&format!("mended/{}", target.name))].concat() {
            // A panic of the target comes behind this line, which says what to look at.
            println!("{}", input.display());
            (target.run)(&fs::read(&input).expect("an input"));
        }
    }
}
