//! Calls that fail, and what stays of them.

use wasmill_sdk::harness::Harness;
use wasmill_sdk::log::Level;
use wasmill_sdk::{Context, Error, NoSettings, Open, Operator, Process, Record, Result, Timestamp, log, metrics};

#[derive(Record, Clone)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Record, Debug, PartialEq)]
struct Number {
    number: i64,
    at: Timestamp,
}

/// Reads numbers; remembers in its memory how many it has seen, which it must not.
#[derive(Operator)]
struct Numbers {
    seen: u64,
}

impl Process for Numbers {
    type Input<'a> = Text<'a>;
    type Output = Number;
    type Settings = NoSettings;

    fn open(_: NoSettings, host: &mut Open) -> Result<Self> {
        log::debug(format!("task {} of {} reads {:?}", host.task(), host.parallelism(), host.columns()[0].name));
        Ok(Self { seen: 0 })
    }

    fn process(&mut self, row: Text<'_>, cx: &mut Context<Self>) -> Result<()> {
        self.seen += 1;
        metrics::counter("rows", 1);
        metrics::gauge("seen", self.seen as f64);
        match row.text {
            "later" => {
                log::warn("not yet");
                Err(Error::retry("the service is busy"))
            }
            "panic" => panic!("a bug"),
            text => {
                let number = text.parse()?;
                cx.emit(Number { number, at: cx.now() });
                Ok(())
            }
        }
    }
}

fn harness() -> Harness<Numbers> {
    Harness::new(()).expect("an open operator")
}

fn feed<'a>(harness: &mut Harness<Numbers>, texts: impl IntoIterator<Item = &'a str>) -> Result<()> {
    harness.feed(texts.into_iter().map(|text| Text { text }))
}

#[test]
fn an_error_of_the_standard_library_stops_the_job() {
    let error = feed(&mut harness(), ["1", "x"]).expect_err("a call that fails");
    assert_eq!(error, Error::fail("invalid digit found in string"));
    assert!(!error.is_retry());
}

#[test]
fn a_passing_fault_asks_for_the_call_again() {
    let error = feed(&mut harness(), ["later"]).expect_err("a call that fails");
    assert_eq!(error, Error::retry("the service is busy"));
    assert!(error.is_retry());
}

#[test]
fn a_failed_call_leaves_nothing_but_its_messages() {
    let mut harness = harness();
    feed(&mut harness, ["1", "2"]).expect("a call that succeeds");
    feed(&mut harness, ["3", "later"]).expect_err("a call that fails");
    assert_eq!(harness.output().len(), 2);
    assert_eq!(harness.counter("rows"), 2);
    assert_eq!(harness.gauge("seen"), Some(2.0));
    let logs = harness.logs();
    let opened = || (Level::Debug, "task 0 of 1 reads \"text\"".to_owned());
    let texts: Vec<_> = logs.iter().map(|(level, text)| (format!("{level:?}"), text.clone())).collect();
    let expected = [opened(), (Level::Warn, "not yet".to_owned())].map(|(level, text)| (format!("{level:?}"), text));
    assert_eq!(texts, expected);
}

#[test]
fn the_call_after_a_failed_one_is_made_on_a_new_instance() {
    let mut harness = harness();
    feed(&mut harness, ["1", "2"]).expect("a call that succeeds");
    feed(&mut harness, ["x"]).expect_err("a call that fails");
    feed(&mut harness, ["3"]).expect("a call that succeeds");
    assert_eq!(harness.gauge("seen"), Some(1.0));
    assert_eq!(harness.counter("rows"), 3);
}

#[test]
fn a_call_that_fails_stops_the_feeding_where_it_is() {
    let mut harness = harness();
    harness.batches_of(2);
    feed(&mut harness, ["1", "2", "3", "x", "5", "6"]).expect_err("a call that fails");
    let numbers: Vec<_> = harness.output().into_iter().map(|row| row.number).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn the_clock_is_the_host_s() {
    let mut harness = harness();
    harness.advance_clock(Timestamp::from_millis(1_700_000_000_000)).expect("no timer waits for it");
    feed(&mut harness, ["1", "2"]).expect("a call that succeeds");
    assert!(harness.output().into_iter().all(|row| row.at.millis() == 1_700_000_000_000));
}

#[test]
#[should_panic(expected = "a bug")]
fn a_panic_is_the_test_s() {
    let _ = feed(&mut harness(), ["panic"]);
}

#[test]
fn a_cause_is_told_with_its_error() {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the port can't be read")
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    let error = Outer("".parse::<u16>().expect_err("no number"));
    assert_eq!(Error::from(error), Error::fail("the port can't be read: cannot parse integer from empty string"));
}
