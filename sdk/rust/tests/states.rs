//! What is remembered for a key.

use wasmill_sdk::harness::Harness;
use wasmill_sdk::{
    Context, Date, Decimal, Error, NoSettings, Open, Operator, Process, Record, Result, Sink, StateValue, Timestamp, ValueState,
};

#[derive(Record, Clone, Debug)]
struct Word<'a> {
    word: &'a str,
}

#[derive(Record, Debug, PartialEq)]
struct Seen {
    seen: u64,
    longest: String,
}

#[derive(StateValue, Clone, Copy, Debug, PartialEq)]
struct Lengths {
    shortest: u32,
    sum: (u64, f64),
}

/// Counts words, holds the longest and all of their lengths; `clear` clears, `fail` fails, `look` only looks.
#[derive(Operator)]
struct Words {
    seen: ValueState<u64>,
    #[state(name = "longest_word", version = 3)]
    longest: ValueState<String>,
    all_lengths: ValueState<Vec<u16>>,
    lengths: ValueState<Lengths>,
}

impl Process for Words {
    type Input<'a> = Word<'a>;
    type Output = Seen;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        let (seen, longest, all_lengths, lengths) = Default::default();
        Ok(Self { seen, longest, all_lengths, lengths })
    }

    fn process(&mut self, row: Word<'_>, cx: &mut Context<Self>) -> Result<()> {
        match row.word {
            "clear" => {
                self.seen.clear();
                self.longest.clear();
                return Ok(());
            }
            "fail" => return Err(Error::fail("as asked")),
            "look" => {}
            word => {
                self.seen.update(|seen| seen.unwrap_or(0) + 1);
                if self.longest.get_ref().is_none_or(|longest| longest.len() < word.len()) {
                    self.longest.set(word.to_owned());
                }
                self.all_lengths.update(|all| {
                    let mut all = all.unwrap_or_default();
                    all.push(word.len() as u16);
                    all
                });
                let len = word.len() as u32;
                let old = self.lengths.get().unwrap_or(Lengths { shortest: len, sum: (0, 0.0) });
                let sum = (old.sum.0 + u64::from(len), old.sum.1 + f64::from(len));
                self.lengths.set(Lengths { shortest: old.shortest.min(len), sum });
            }
        }
        cx.emit(Seen { seen: self.seen.get().unwrap_or(0), longest: self.longest.get().unwrap_or_default() });
        Ok(())
    }
}

fn harness() -> Harness<Words, u32> {
    Harness::keyed(()).expect("an open operator")
}

fn feed<'a>(harness: &mut Harness<Words, u32>, rows: impl IntoIterator<Item = (u32, &'a str)>) -> Result<()> {
    harness.feed_keyed(rows.into_iter().map(|(key, word)| (key, Word { word })))
}

fn seen(harness: &mut Harness<Words, u32>) -> Vec<(u64, String)> {
    harness.output().into_iter().map(|row| (row.seen, row.longest)).collect()
}

#[test]
fn a_state_is_that_of_the_record_s_key() {
    let mut harness = harness();
    feed(&mut harness, [(1, "a"), (2, "bcd"), (1, "ef"), (2, "g"), (1, "h")]).expect("a call that succeeds");
    let expected = [(1, "a"), (1, "bcd"), (2, "ef"), (2, "bcd"), (3, "ef")].map(|(seen, longest)| (seen, longest.to_owned()));
    assert_eq!(seen(&mut harness), expected);
    assert_eq!(harness.state::<Vec<u16>>("all-lengths", &1), Some(vec![1, 2, 1]));
    assert_eq!(harness.state("lengths", &2), Some(Lengths { shortest: 1, sum: (4, 4.0) }));
}

#[test]
fn only_what_changed_is_stored() {
    let mut harness = harness();
    feed(&mut harness, [(1, "a"), (2, "b")]).expect("a call that succeeds");
    feed(&mut harness, [(3, "look"), (2, "longer"), (1, "look"), (4, "look")]).expect("a call that succeeds");
    assert_eq!(harness.keys("seen"), 2);
    assert_eq!(harness.state("seen", &2), Some(2_u64));
    assert_eq!(harness.state("seen", &1), Some(1_u64));
    assert_eq!(harness.state("longest_word", &2), Some("longer".to_owned()));
}

#[test]
fn a_cleared_state_is_gone() {
    let mut harness = harness();
    feed(&mut harness, (0..20).map(|key| (key, "word"))).expect("a call that succeeds");
    feed(&mut harness, [(3, "clear"), (17, "clear"), (5, "word"), (3, "look")]).expect("a call that succeeds");
    assert_eq!((harness.keys("seen"), harness.keys("longest_word"), harness.keys("lengths")), (18, 18, 20));
    assert_eq!(seen(&mut harness).pop(), Some((0, String::new())));
    feed(&mut harness, [(3, "again"), (3, "clear"), (3, "new")]).expect("a call that succeeds");
    assert_eq!(harness.state("seen", &3), Some(1_u64));
    assert_eq!(harness.state("longest_word", &3), Some("new".to_owned()));
}

#[test]
fn what_a_failed_call_stored_is_undone() {
    let mut harness = harness();
    feed(&mut harness, [(1, "a")]).expect("a call that succeeds");
    let error = feed(&mut harness, [(1, "b"), (2, "c"), (1, "fail")]).expect_err("a call that fails");
    assert_eq!(error, Error::fail("as asked"));
    assert_eq!(harness.state("seen", &1), Some(1_u64));
    assert_eq!(harness.keys("seen"), 1);
    feed(&mut harness, [(1, "b")]).expect("a call that succeeds");
    assert_eq!(seen(&mut harness), [(1, "a".to_owned()), (2, "a".to_owned())]);
}

#[test]
fn states_are_declared_with_names_versions_and_widths() {
    let harness = harness();
    let states: Vec<_> = harness.plan().states.iter().map(|state| (state.name.as_str(), state.version, state.width)).collect();
    let expected = [("seen", 1, Some(8)), ("longest_word", 3, None), ("all-lengths", 1, None), ("lengths", 1, Some(20))];
    assert_eq!(states, expected);
}

#[test]
fn an_operator_goes_on_from_a_snapshot() {
    let mut whole = harness();
    let mut first = harness();
    let words = ["a", "bb", "clear", "ccc", "d"];
    let rows = |from: u32, to: u32| (from..to).map(move |i| (i % 7, words[i as usize % 5]));
    feed(&mut whole, rows(0, 100)).expect("a call that succeeds");
    feed(&mut first, rows(0, 50)).expect("a call that succeeds");
    let mut second = Harness::<Words, u32>::restored((), &first.snapshot()).expect("an operator with that state");
    feed(&mut second, rows(50, 100)).expect("a call that succeeds");
    let mut parts = seen(&mut first);
    parts.extend(seen(&mut second));
    assert_eq!(seen(&mut whole), parts);
    assert_eq!(whole.snapshot(), second.snapshot());
}

/// The same state with another type or version than in [`Words`].
macro_rules! later {
    ($operator:ident, $type:ty, $version:literal) => {
        #[derive(Operator)]
        struct $operator {
            #[state(version = $version)]
            seen: ValueState<$type>,
        }

        impl Process for $operator {
            type Input<'a> = ();
            type Output = ();
            type Settings = NoSettings;

            fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
                Ok(Self { seen: ValueState::new() })
            }

            fn process(&mut self, _: (), _: &mut Context<Self>) -> Result<()> {
                let seen = self.seen.get().unwrap_or_default();
                self.seen.set(seen);
                Ok(())
            }
        }
    };
}

later!(Counts, u64, 1);
later!(Truths, bool, 1);
later!(Names, String, 1);
later!(NextVersion, u64, 2);

#[test]
fn a_snapshot_with_a_version_that_is_not_known_is_refused() {
    let mut counts = Harness::<Counts, u32>::keyed(()).expect("an open operator");
    counts.feed_keyed([(1, ())]).expect("a call that succeeds");
    let refused = Harness::<NextVersion, u32>::restored((), &counts.snapshot()).expect_err("another version");
    assert_eq!(
        refused.message(),
        "state `seen` has values of version 1, which this operator can't migrate: `#[state(version = …, migrates(1 = \"Type\"))]` says \
         what they were"
    );
    let refused = Harness::<Counts, u32>::restored((), &harness().snapshot()).expect_err("another operator");
    assert_eq!(refused.message(), "the snapshot has a state `longest_word`, which the operator doesn't have");
}

/// A value of one byte that may be anything.
#[derive(Clone)]
struct Byte(u8);

impl StateValue for Byte {
    const WIDTH: Option<u32> = Some(1);

    fn write<S: Sink>(&self, to: &mut S) {
        to.put(&[self.0]);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        u8::read(from).map(Self)
    }
}

/// Writes a byte that is no truth value.
#[derive(Operator)]
struct Two {
    seen: ValueState<Byte>,
}

impl Process for Two {
    type Input<'a> = ();
    type Output = ();
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { seen: ValueState::new() })
    }

    fn process(&mut self, _: (), _: &mut Context<Self>) -> Result<()> {
        self.seen.set(Byte(2));
        Ok(())
    }
}

#[test]
fn a_value_of_another_type_fails_the_call_and_names_the_state() {
    let mut two = Harness::<Two, u32>::keyed(()).expect("an open operator");
    two.feed_keyed([(1, ())]).expect("a call that succeeds");
    let text = |kind: &str| {
        format!(
            "state `seen` holds a value that can't be read as {kind}: it was written as another type; a changed type needs a new \
             version of the state"
        )
    };
    let mut truths = Harness::<Truths, u32>::restored((), &two.snapshot()).expect("an open operator");
    truths.feed_keyed([(2, ())]).expect("a key that has no value");
    let error = truths.feed_keyed([(1, ())]).expect_err("a value that is no truth value");
    assert_eq!(error.message(), text("bool"));
    let mut names = Harness::<Names, u32>::restored((), &two.snapshot()).expect("an open operator");
    let error = names.feed_keyed([(2, ()), (1, ())]).expect_err("a value that is no text");
    assert_eq!(error.message(), text("alloc::string::String"));
}

fn round_trip<T: StateValue + PartialEq + std::fmt::Debug>(value: T, bytes: &[u8]) {
    let mut written = Vec::new();
    value.write(&mut written);
    assert_eq!(written, bytes, "{value:?}");
    assert!(T::WIDTH.is_none_or(|width| width as usize == bytes.len()), "{value:?}");
    let mut from = bytes;
    assert_eq!(T::read(&mut from), Some(value));
    assert!(from.is_empty());
    if let Some(short) = bytes.len().checked_sub(1) {
        assert_eq!(T::read(&mut &bytes[..short]), None);
    }
}

#[test]
fn values_have_the_bytes_that_are_documented() {
    round_trip(-2_i64, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    round_trip(258_u16, &[2, 1]);
    round_trip(1.5_f32, &[0, 0, 0xc0, 0x3f]);
    round_trip(true, &[1]);
    round_trip("é".to_owned(), &[2, 0, 0, 0, 0xc3, 0xa9]);
    round_trip(vec![1_u8, 2], &[2, 0, 0, 0, 1, 2]);
    round_trip(None::<u8>, &[0]);
    round_trip(Some(7_u8), &[1, 7]);
    round_trip((1_u8, 2_u16, "x".to_owned()), &[1, 2, 0, 1, 0, 0, 0, b'x']);
    round_trip([1_u16, 2], &[1, 0, 2, 0]);
    round_trip(Timestamp::from_millis(1), &[1, 0, 0, 0, 0, 0, 0, 0]);
    round_trip(Date::from_days(1), &[1, 0, 0, 0]);
    round_trip(Decimal::<5, 1>::from_units(-1), &[0xff; 16]);
    round_trip(Lengths { shortest: 1, sum: (2, 0.0) }, &[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn bytes_that_claim_more_than_they_hold_are_no_value() {
    assert_eq!(Vec::<u64>::read(&mut &[0xff, 0xff, 0xff, 0xff][..]), None);
    assert_eq!(String::read(&mut &[4, 0, 0, 0, b'x'][..]), None);
    assert_eq!(String::read(&mut &[1, 0, 0, 0, 0xff][..]), None);
    assert_eq!(bool::read(&mut &[2][..]), None);
}
