//! Every input of the corpus, among them those that once found a bug, once through its target.

use std::fs;
use std::path::Path;

use wasmill_fuzz::TARGETS;

#[test]
fn nothing_in_the_corpus_finds_a_bug() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in TARGETS {
        let mut inputs: Vec<_> = fs::read_dir(corpus.join(target.name))
            .unwrap_or_else(|error| panic!("{}: {error}", target.name))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        for input in inputs {
            // A panic of the target comes behind this line, which says what to look at.
            println!("{}", input.display());
            (target.run)(&fs::read(&input).expect("an input"));
        }
    }
}
