//! What is emitted, to which output, and where it comes from.

use wasmill_sdk::bindings::plan::Takes;
use wasmill_sdk::harness::{Harness, Rejected};
use wasmill_sdk::{Context, NoSettings, Open, Operator, Port, Process, Record, Result};

#[derive(Record, Clone, Copy)]
struct Times {
    times: u64,
}

#[derive(Record, Debug, PartialEq)]
struct Repeated {
    copy: u64,
}

#[derive(Record, Debug, PartialEq)]
struct Note<'a> {
    text: &'a str,
}

/// Emits a row as many times as it says, notes those that say 0, rejects those that say 7.
#[derive(Operator)]
#[operator(keep("times", "other"))]
struct Repeat {
    #[port(keep = "input")]
    no_copies: Port<Note<'static>>,
    #[port(name = "sevens")]
    seven: Port<Repeated>,
    longest: u64,
}

impl Process for Repeat {
    type Input<'a> = Times;
    type Output = Repeated;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { no_copies: Port::new(), seven: Port::new(), longest: 0 })
    }

    fn process(&mut self, row: Times, cx: &mut Context<Self>) -> Result<()> {
        if row.times == 7 {
            cx.reject("seven");
            self.seven.emit(Repeated { copy: 7 }, cx);
            return Ok(());
        }
        if row.times == 0 {
            let text = format!("after {}", self.longest);
            self.no_copies.emit(Note { text: &text }, cx);
        }
        (0..row.times).for_each(|copy| cx.emit(Repeated { copy }));
        self.longest = self.longest.max(row.times);
        Ok(())
    }

    fn on_end(&mut self, cx: &mut Context<Self>) -> Result<()> {
        self.seven.emit(Repeated { copy: self.longest }, cx);
        Ok(())
    }
}

fn harness() -> Harness<Repeat> {
    Harness::new(()).expect("an open operator")
}

fn feed(harness: &mut Harness<Repeat>, times: impl IntoIterator<Item = u64>) {
    harness.feed(times.into_iter().map(|times| Times { times })).expect("a call that succeeds");
}

fn origins(harness: &mut Harness<Repeat>) -> Vec<usize> {
    harness.emitted::<Repeated>("out").into_iter().filter_map(|emitted| emitted.from).collect()
}

#[test]
fn a_row_may_become_none_one_or_several_and_each_knows_where_it_comes_from() {
    let mut harness = harness();
    feed(&mut harness, [1, 1, 1]);
    assert_eq!(origins(&mut harness), [0, 1, 2]);
    feed(&mut harness, [1, 0, 3, 1]);
    assert_eq!(origins(&mut harness), [3, 5, 5, 5, 6]);
    feed(&mut harness, [0, 0]);
    assert_eq!(origins(&mut harness), [0; 0]);
    feed(&mut harness, [1, 1, 0]);
    assert_eq!(origins(&mut harness), [9, 10]);
}

#[test]
fn many_rows_of_one_leave_in_pieces_and_in_order() {
    let mut harness = harness();
    feed(&mut harness, [1, 30_000, 1]);
    let emitted = harness.emitted::<Repeated>("out");
    assert_eq!(emitted.len(), 30_002);
    assert!(emitted[1..=30_000].iter().map(|emitted| emitted.row.copy).eq(0..30_000));
    assert!(emitted[1..=30_000].iter().all(|emitted| emitted.from == Some(1)));
    assert_eq!((emitted[0].from, emitted[30_001].from), (Some(0), Some(2)));
}

#[test]
fn a_batch_larger_than_what_is_gathered_leaves_whole() {
    let mut harness = harness();
    feed(&mut harness, vec![1; 20_000]);
    assert!(origins(&mut harness).into_iter().eq(0..20_000));
}

#[test]
fn other_outputs_have_rows_of_their_own() {
    let mut harness = harness();
    feed(&mut harness, [2, 0, 5, 0]);
    let notes = harness.emitted::<Note<'_>>("no-copies");
    let notes: Vec<_> = notes.into_iter().map(|note| (note.row.text, note.from)).collect();
    assert_eq!(notes, [("after 2", Some(1)), ("after 5", Some(3))]);
    assert_eq!(harness.output().len(), 7);
}

#[test]
fn a_rejected_row_leaves_with_its_reason_and_the_rest_goes_on() {
    let mut harness = harness();
    feed(&mut harness, [1, 7, 1]);
    feed(&mut harness, [7]);
    let rejected = |row| Rejected { row, reason: "seven".to_owned() };
    assert_eq!(harness.rejected(), [rejected(1), rejected(3)]);
    assert_eq!(origins(&mut harness), [0, 2]);
}

#[test]
fn rows_emitted_at_the_end_come_from_nowhere() {
    let mut harness = harness();
    feed(&mut harness, [4]);
    harness.end().expect("an end that succeeds");
    let emitted = harness.emitted::<Repeated>("sevens");
    assert_eq!((emitted[0].row.copy, emitted[0].from), (4, None));
}

#[test]
fn outputs_are_declared_with_what_they_keep() {
    let harness = harness();
    let ports: Vec<_> = harness.plan().ports.iter().map(|port| (port.name.as_str(), &port.takes)).collect();
    let [("out", Takes::Input(out)), ("no-copies", Takes::Input(notes)), ("sevens", Takes::Nothing)] = ports[..] else {
        panic!("found {ports:?}");
    };
    assert_eq!(out.columns, Some(vec!["times".to_owned(), "other".to_owned()]));
    assert_eq!(notes.columns, None);
}

/// Emits at the end to an output that keeps its input's columns.
#[derive(Operator)]
#[operator(keep = "input")]
struct LateKeeper {}

impl Process for LateKeeper {
    type Input<'a> = Times;
    type Output = Repeated;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self {})
    }

    fn process(&mut self, _: Times, cx: &mut Context<Self>) -> Result<()> {
        cx.reject("first");
        cx.reject("second");
        Ok(())
    }

    fn on_end(&mut self, cx: &mut Context<Self>) -> Result<()> {
        cx.emit(Repeated { copy: 0 });
        Ok(())
    }
}

#[test]
fn a_row_from_nowhere_has_nothing_to_keep() {
    let mut harness = Harness::<LateKeeper>::new(()).expect("an open operator");
    let error = harness.end().expect_err("an end that fails");
    assert_eq!(error.message(), "output `out` keeps columns of where rows come from, but a new row comes from nowhere");
}

#[test]
fn a_row_rejected_twice_has_both_reasons() {
    let mut harness = Harness::<LateKeeper>::new(()).expect("an open operator");
    harness.feed([Times { times: 1 }]).expect("a call that succeeds");
    assert_eq!(harness.rejected(), [Rejected { row: 0, reason: "first; second".to_owned() }]);
}
