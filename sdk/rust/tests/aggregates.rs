//! An aggregate function under the harness: rows, parts, settings, and accumulators of another version.

use std::collections::BTreeMap;

use serde::Deserialize;
use wasmill_sdk::harness::AggregateHarness;
use wasmill_sdk::{Aggregate, Error, Record, Result, StateValue};

#[derive(Record)]
struct Word<'a> {
    word: &'a str,
}

#[derive(Default, StateValue)]
struct Words {
    words: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Settings {
    between: String,
}

/// Joins words, of which none is empty.
struct Join(Settings);

impl Aggregate for Join {
    const NAME: &'static str = "join";
    type Input<'a> = Word<'a>;
    type Accumulator = Words;
    type Output = String;
    type Settings = Settings;

    fn open(settings: Settings) -> Result<Self> {
        if settings.between.is_empty() {
            return Err(Error::fail("settings: between: expected a text"));
        }
        Ok(Self(settings))
    }

    fn add(&self, seen: &mut Words, row: Word<'_>) -> Result<()> {
        if row.word.is_empty() {
            return Err(Error::fail("word: expected a text"));
        }
        seen.words.push(row.word.to_owned());
        Ok(())
    }

    fn merge(&self, seen: &mut Words, other: Words) {
        seen.words.extend(other.words);
    }

    fn finish(&self, seen: &Words) -> String {
        seen.words.join(&self.0.between)
    }
}

fn with(between: &str) -> Result<AggregateHarness<Join>> {
    AggregateHarness::new(BTreeMap::from([("between", between)]))
}

#[test]
fn rows_are_taken_in_order_and_parts_are_merged() {
    let (mut first, mut second) = (with("-").expect("settings"), with("-").expect("settings"));
    assert_eq!(first.value().as_deref(), Ok(""));
    assert_eq!(first.add(["a", "b"].map(|word| Word { word })).as_deref(), Ok("a-b"));
    assert_eq!(second.add([Word { word: "c" }]).as_deref(), Ok("c"));
    assert_eq!(first.merge(&second).as_deref(), Ok("a-b-c"));
}

#[test]
fn a_row_that_fails_leaves_nothing_behind() {
    let mut harness = with("-").expect("settings");
    let refused = harness.add(["a", "", "b"].map(|word| Word { word })).expect_err("an empty word");
    assert_eq!(refused.message(), "word: expected a text");
    assert_eq!(harness.value().as_deref(), Ok("a"));
}

#[test]
fn settings_are_checked() {
    assert_eq!(with("").expect_err("refused").message(), "settings: between: expected a text");
    let missing = AggregateHarness::<Join>::new(()).expect_err("refused");
    assert_eq!(missing.message(), "settings: missing setting `between`");
}
