//! The guide is true: what its chapters say to type gives what they say comes out, and their links lead somewhere.
//!
//! In a chapter a block `console` has commands after `$ ` and, below each, what it prints to standard output; they run one after the other
//! in a folder that is empty at first. A block with a file's name behind its language, as `yaml job.yaml`, is that file from there on.
//! Blocks of `rust` are compiled as documentation tests of `tests/tidy`. A `text` is only shown.

mod program;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use program::from_root;

/// Chapters that other tests run.
const ELSEWHERE: &[&str] = &["errors.md"];

/// A block of a chapter.
struct Block<'a> {
    /// The line that it begins in, from 1.
    line: usize,
    language: &'a str,
    /// What stands behind the language.
    file: Option<&'a str>,
    text: String,
}

fn blocks(chapter: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut inside = false;
    for (at, line) in chapter.lines().enumerate() {
        match (line.strip_prefix("```"), inside) {
            (Some(info), false) => {
                let (language, file) = info.split_once(' ').map_or((info, None), |(language, file)| (language, Some(file)));
                blocks.push(Block { line: at + 1, language, file, text: String::new() });
                inside = true;
            }
            (Some(_), true) => inside = false,
            (None, true) => blocks.last_mut().expect("a block").text.extend([line, "\n"]),
            (None, false) => {}
        }
    }
    blocks
}

/// Commands with what they print.
fn commands(text: &str) -> Vec<(&str, String)> {
    let mut commands: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command, String::new())),
            None => commands.last_mut().expect("a block begins with a command").1.extend([line, "\n"]),
        }
    }
    commands
}

/// A shell's folder, and what it needs to find the program under test.
struct Shell {
    folder: PathBuf,
    /// Where plugins are compiled, so that their dependencies are compiled once.
    target: PathBuf,
}

impl Shell {
    /// Runs a command and returns what it prints.
    fn run(&mut self, command: &str) -> String {
        if let Some(folder) = command.strip_prefix("cd ") {
            self.folder = self.folder.join(folder);
            assert!(self.folder.is_dir(), "{} is no folder", self.folder.display());
            return String::new();
        }
        let program = Path::new(env!("CARGO_BIN_EXE_wasmill")).parent().expect("a folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(&self.folder).env("PATH", format!("{}:{path}", program.display()));
        // Jobs of chapters are reached by chapters only.
        shell.env("XDG_RUNTIME_DIR", self.target.parent().expect("a folder"));
        shell.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR")).env("CARGO_TARGET_DIR", &self.target);
        let output = shell.output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr);
        if !said.is_empty() {
            eprintln!("$ {command}\n{said}");
        }
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn chapters() -> Vec<PathBuf> {
    let entries = fs::read_dir(from_root("docs/guide/src")).expect("the guide");
    let files = entries.map(|entry| entry.expect("an entry").path());
    // Pictures lie beside the chapters that show them.
    let chapters: BTreeSet<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "md")).collect();
    chapters.into_iter().collect()
}

fn name(chapter: &Path) -> String {
    chapter.file_name().expect("a name").to_string_lossy().into_owned()
}

/// Does what a chapter says.
fn follow(chapter: &Path) {
    let text = fs::read_to_string(chapter).expect("text");
    // Not a folder with a name of its own each time: the SDK in a project would be compiled anew, and what was made of it kept.
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide");
    let folder = own.join(name(chapter));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("made");
    let mut shell = Shell { folder, target: own.join("target") };
    for block in blocks(&text) {
        let at = format!("{}:{}", name(chapter), block.line);
        match (block.language, block.file) {
            ("text" | "rust", None) => {}
            ("console", None) => {
                for (command, expected) in commands(&block.text) {
                    assert_eq!(shell.run(command), expected, "{at}: {command}");
                }
            }
            (_, Some(file)) => {
                let path = shell.folder.join(file);
                fs::create_dir_all(path.parent().expect("a parent")).expect("made");
                fs::write(path, &block.text).expect("written");
            }
            (language, None) => panic!("{at}: a block of `{language}` that nothing tests: name its file behind it"),
        }
    }
}

#[test]
fn what_the_guide_says_to_type_gives_what_it_says() {
    let chapters: Vec<_> = chapters().into_iter().filter(|chapter| !ELSEWHERE.contains(&&*name(chapter))).collect();
    assert!(chapters.len() > 4, "{chapters:?}");
    chapters.iter().for_each(|chapter| follow(chapter));
}

#[test]
fn every_chapter_is_in_the_summary_and_every_line_of_it_is_a_chapter() {
    let summary = fs::read_to_string(from_root("docs/guide/src/SUMMARY.md")).expect("a summary");
    let listed: BTreeSet<&str> = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let there: Vec<String> = chapters().iter().map(|chapter| name(chapter)).filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(listed, there.iter().map(String::as_str).collect());
}

#[test]
fn blocks_and_commands_are_found() {
    let chapter = "text\n```console\n$ one\nprinted\n$ two\n```\n```yaml job.yaml\nname: x\n```\n";
    let found = blocks(chapter);
    assert_eq!((found[0].line, found[0].language, found[0].file), (2, "console", None));
    assert_eq!(commands(&found[0].text), [("one", "printed\n".to_owned()), ("two", String::new())]);
    assert_eq!((found[1].language, found[1].file, found[1].text.as_str()), ("yaml", Some("job.yaml"), "name: x\n"));
}
