//! What every crash in the middle of a call leaves on disk, and that the next call makes good of it.

use std::collections::BTreeMap;
use std::io::Write;

use super::*;

/// What is in a folder, by name.
fn contents(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| (entry.file_name().into_string().expect("a name"), fs::read_to_string(entry.path()).expect("text")))
        .collect()
}

fn set(folder: &Path, files: &[(&str, &str)]) {
    for name in contents(folder).keys() {
        fs::remove_file(folder.join(name)).expect("a file");
    }
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("a file");
    }
}

fn epoch(epoch: u64, before: u64, length: u64) -> StagedEpoch {
    StagedEpoch { file: "r".to_owned(), epoch, before, length }
}

fn setting(files: &[(&str, &str)]) -> (tempfile::TempDir, StagedFiles) {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path(), files);
    let files = StagedFiles::new(&folder.path().join("r"));
    (folder, files)
}

#[test]
fn a_commit_that_was_cut_short_anywhere_is_done_again() {
    let states: &[&[(&str, &str)]] = &[
        &[("r", "old\n"), (".r.wasmill-2-4", "new 1\nnew 2\n")],
        &[("r", "old\nn"), (".r.wasmill-2-4", "new 1\nnew 2\n")],
        &[("r", "old\nnew 1\nnew "), (".r.wasmill-2-4", "new 1\nnew 2\n")],
        &[("r", "old\nnew 1\nnew 2\n"), (".r.wasmill-2-4", "new 1\nnew 2\n")],
        // The length reached the disk before the bytes did.
        &[("r", "old\n\0\0\0\0\0\0\0\0\0\0\0\0"), (".r.wasmill-2-4", "new 1\nnew 2\n")],
        &[("r", "old\nnew 1\nnew 2\n")],
    ];
    for state in states {
        for again in 1..3 {
            let (folder, files) = setting(state);
            for _ in 0..again {
                files.commit(&epoch(2, 4, 12)).expect("a commit");
            }
            assert_eq!(
                contents(folder.path()),
                BTreeMap::from([("r".to_owned(), "old\nnew 1\nnew 2\n".to_owned())]),
                "{state:?}"
            );
            set(folder.path(), state);
            for _ in 0..again {
                files.recover_to(&epoch(2, 4, 12)).expect("a recovery");
            }
            assert_eq!(
                contents(folder.path()),
                BTreeMap::from([("r".to_owned(), "old\nnew 1\nnew 2\n".to_owned())]),
                "{state:?}"
            );
        }
    }
}

#[test]
fn recovery_takes_away_all_that_came_later_and_nothing_else() {
    let others = [
        ("r2", "x"),
        (".r.wasmill-x-4", "x"),
        (".r2.wasmill-3-8", "x"),
        ("x.r.wasmill-3-8", "x"),
        (".r.wasmill-", "x"),
        (".r.wasmill-3", "x"),
    ];
    let states: &[&[(&str, &str)]] = &[
        &[("r", "one\n"), (".r.wasmill-staging", "half")],
        &[("r", "one\n"), (".r.wasmill-2-4", "two\n"), (".r.wasmill-staging", "half")],
        &[("r", "one\nt"), (".r.wasmill-2-4", "two\n")],
        &[("r", "one\ntwo\n"), (".r.wasmill-2-4", "two\n")],
        &[("r", "one\ntwo\n"), (".r.wasmill-3-8", "three\n")],
        // The folder's changes were lost, the files' were not.
        &[("r", "one\ntwo\n"), (".r.wasmill-1-0", "one\n"), (".r.wasmill-2-4", "two\n")],
        &[("r", ""), (".r.wasmill-1-0", "one\n"), (".r.wasmill-2-4", "two\n")],
    ];
    for state in states {
        let (folder, files) = setting(&[state, others.as_slice()].concat());
        for _ in 0..2 {
            files.recover_to(&epoch(1, 0, 4)).expect("a recovery");
            let mut expected: BTreeMap<_, _> =
                others.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
            expected.insert("r".to_owned(), "one\n".to_owned());
            assert_eq!(contents(folder.path()), expected, "{state:?}");
        }
    }
}

#[test]
fn epochs_that_were_prepared_and_not_committed_come_with_a_later_one() {
    let states: &[&[(&str, &str)]] = &[
        &[("r", "one\n"), (".r.wasmill-2-4", "two\n"), (".r.wasmill-4-8", "four\n")],
        &[("r", "one\nt"), (".r.wasmill-2-4", "two\n"), (".r.wasmill-4-8", "four\n")],
        &[("r", "one\ntwo\nfou"), (".r.wasmill-2-4", "two\n"), (".r.wasmill-4-8", "four\n")],
        &[("r", "one\ntwo\nfour\n"), (".r.wasmill-4-8", "four\n")],
        // The removal of a file was lost, long after its commit.
        &[("r", "one\ntwo\n"), (".r.wasmill-1-0", "one\n"), (".r.wasmill-4-8", "four\n")],
    ];
    for state in states {
        let whole = BTreeMap::from([("r".to_owned(), "one\ntwo\nfour\n".to_owned())]);
        let (folder, files) = setting(state);
        files.commit(&epoch(4, 8, 5)).expect("a commit");
        assert_eq!(contents(folder.path()), whole, "{state:?}");
        set(folder.path(), state);
        files.recover_to(&epoch(4, 8, 5)).expect("a recovery");
        assert_eq!(contents(folder.path()), whole, "{state:?}");
    }
    let (_folder, files) = setting(&[("r", "one\n"), (".r.wasmill-4-8", "four\n")]);
    let error = files.recover_to(&epoch(4, 8, 5)).expect_err("epoch 2 is gone");
    assert_eq!(error.to_string(), "expected at least 8 bytes, which checkpoints have committed, found 4");
}

#[test]
fn a_fresh_start_takes_away_what_was_staged() {
    for (anew, left) in [(true, ""), (false, "one\n")] {
        let (folder, files) = setting(&[("r", "one\n"), (".r.wasmill-2-4", "two\n"), (".r.wasmill-staging", "half")]);
        assert_eq!(files.start(anew).expect("a start"), left.len() as u64);
        assert_eq!(contents(folder.path()), BTreeMap::from([("r".to_owned(), left.to_owned())]));
    }
    let (folder, files) = setting(&[]);
    assert_eq!(files.start(true).expect("a start"), 0);
    assert!(contents(folder.path()).is_empty(), "the target is made by the first commit");
}

#[test]
fn a_preparation_that_was_cut_short_is_no_epoch() {
    let (folder, files) = setting(&[(".r.wasmill-2-0", "of a run before\n")]);
    let mut staging = files.create_staging().expect("a staging file");
    staging.write_all(b"two\n").expect("a write");
    files.prepare(&staging, 2, 0).expect("a preparation");
    assert_eq!(contents(folder.path()), BTreeMap::from([(".r.wasmill-2-0".to_owned(), "two\n".to_owned())]));
    let mut staging = files.create_staging().expect("a staging file");
    staging.write_all(b"three\n").expect("a write");
    drop(staging);
    files.recover_to(&epoch(2, 0, 4)).expect("a recovery");
    assert_eq!(contents(folder.path()), BTreeMap::from([("r".to_owned(), "two\n".to_owned())]));
}

#[test]
fn an_epoch_without_rows_has_no_file_and_still_makes_the_target() {
    let (folder, files) = setting(&[]);
    files.commit(&epoch(1, 0, 0)).expect("a commit");
    files.recover_to(&epoch(1, 0, 0)).expect("a recovery");
    assert_eq!(contents(folder.path()), BTreeMap::from([("r".to_owned(), String::new())]));
}

#[test]
fn an_output_that_was_tampered_with_is_left_alone() {
    let (folder, files) = setting(&[("r", "one")]);
    let error = |epoch| files.recover_to(&epoch).expect_err("not as it was").to_string();
    assert_eq!(error(epoch(2, 4, 0)), "expected at least 4 bytes, which checkpoints have committed, found 3");
    let staged = folder.path().join(".r.wasmill-2-3").display().to_string();
    assert_eq!(error(epoch(2, 3, 4)), format!("expected the 4 bytes of epoch 2 in {staged}, found no such file"));
    fs::write(&staged, "tw").expect("a file");
    assert_eq!(error(epoch(2, 3, 4)), format!("expected the 4 bytes of epoch 2 in {staged}, found 2 bytes, which follow byte 3"));
    let another = StagedEpoch { file: "q".to_owned(), ..epoch(2, 3, 4) };
    assert_eq!(error(another), "expected the file `q`, which the checkpoint is of, found `r`");
    fs::write(folder.path().join("r"), "one and somebody else's\n").expect("a file");
    fs::write(&staged, "two\n").expect("a file");
    let error = files.commit(&epoch(2, 3, 4)).expect_err("somebody else writes");
    assert_eq!(error.to_string(), "expected 3 bytes, which checkpoints have committed, found 24: something else writes to it");
    assert_eq!(contents(folder.path())["r"], "one and somebody else's\n");
}
