//! The plugin contract under `wit/`: one interface a file, each documented, and every call of the host or of the plugin with it.

use std::path::PathBuf;

/// The words that begin something which a reader must be told about.
const BEGINNINGS: &[&str] = &["interface ", "world ", "resource ", "record ", "variant ", "enum ", "flags ", "type "];

fn files() -> Vec<PathBuf> {
    let files: Vec<_> = wasmill_tidy::files("wit").expect("the tree can be read");
    let files: Vec<_> = files.into_iter().filter(|path| path.starts_with("wit")).collect();
    assert!(files.len() > 5, "only {} files of the contract found", files.len());
    files
}

/// Items of the contract that no `///` stands before, as written.
fn undocumented(text: &str) -> Vec<&str> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let begins = |line: &str| BEGINNINGS.iter().any(|word| line.starts_with(word)) || line.contains(": func(");
    let bare = |at: usize| at == 0 || !lines[at - 1].starts_with("///");
    (0..lines.len()).filter(|&at| begins(lines[at]) && bare(at)).map(|at| lines[at]).collect()
}

#[test]
fn every_item_says_what_it_is_for() {
    for path in files() {
        let text = wasmill_tidy::text(&path).expect("a file of the contract is text");
        assert_eq!(undocumented(&text), Vec::<&str>::new(), "{}", path.display());
    }
}

#[test]
fn a_file_holds_one_interface_named_as_it_is() {
    for path in files().into_iter().filter(|path| !path.ends_with("worlds.wit")) {
        let text = wasmill_tidy::text(&path).expect("a file of the contract is text");
        let interfaces: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("interface ")?.strip_suffix(" {")).collect();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        assert_eq!(interfaces, [&*name], "{}", path.display());
    }
}

#[test]
fn an_interface_without_a_document_is_named() {
    let text = "/// Said.\ninterface said {\n}\n\ninterface silent {\n}\n";
    assert_eq!(undocumented(text), ["interface silent {"]);
}
