//! Lists and maps of a key, reduced and aggregated values, and values of earlier versions.

use std::collections::BTreeMap;

use wasmill_sdk::harness::Harness;
use wasmill_sdk::{
    Aggregate, AggregatingState, Context, Error, ListState, MapEntry, MapState, NoSettings, Open, Operator, Process, Record,
    ReducingState, Result, StateKind, StateValue, ValueState,
};

#[derive(Record, Clone, Copy, Debug)]
struct Step {
    what: i64,
    entry: i64,
    value: i64,
}

#[derive(Record, Debug, PartialEq)]
struct Held {
    one: Option<i64>,
    map: String,
    list: String,
}

/// Does what a step says with a map and a list, and says what is in them then.
#[derive(Operator)]
struct Both {
    map: MapState<i64, i64>,
    list: ListState<String>,
}

impl Process for Both {
    type Input<'a> = Step;
    type Output = Held;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        let (map, list) = Default::default();
        Ok(Self { map, list })
    }

    fn prefetch(&mut self, step: &Step) {
        if step.value % 2 == 0 {
            self.map.prefetch(&step.entry);
        }
    }

    fn process(&mut self, Step { what, entry, value }: Step, cx: &mut Context<Self>) -> Result<()> {
        match what {
            0 => self.map.set(&entry, value),
            1 => self.map.remove(&entry),
            2 => self.map.clear(),
            3 => {
                self.map.update(&entry, |held| held.unwrap_or(0) + value);
            }
            4 | 5 => self.list.push(format!("{entry}:{value}")),
            6 => self.list.clear(),
            7 => return Err(Error::fail("as asked")),
            _ => {}
        }
        if what != 8 {
            let text = |(entry, value)| format!("{entry}={value}");
            let map: Vec<String> = self.map.range(entry - 3..=entry + 3).map(text).collect();
            let list: Vec<String> = self.list.iter().collect();
            assert_eq!((list.is_empty(), self.map.contains(&entry)), (self.list.is_empty(), self.map.get(&entry).is_some()));
            cx.emit(Held { one: self.map.get(&entry), map: map.join(" "), list: list.join(" ") });
        }
        Ok(())
    }
}

/// What a key has, by the model.
#[derive(Clone, Default)]
struct Model {
    map: BTreeMap<i64, i64>,
    list: Vec<String>,
}

impl Model {
    fn step(&mut self, Step { what, entry, value }: Step) -> Held {
        match what {
            0 => _ = self.map.insert(entry, value),
            1 => _ = self.map.remove(&entry),
            2 => self.map.clear(),
            3 => *self.map.entry(entry).or_default() += value,
            4 | 5 => self.list.push(format!("{entry}:{value}")),
            6 => self.list.clear(),
            _ => {}
        }
        let map: Vec<String> = self.map.range(entry - 3..=entry + 3).map(|(entry, value)| format!("{entry}={value}")).collect();
        Held { one: self.map.get(&entry).copied(), map: map.join(" "), list: self.list.join(" ") }
    }
}

#[test]
fn lists_and_maps_do_as_collections_do_and_failed_calls_leave_nothing() {
    let mut draws = 1_u64;
    let mut draw = |end: u64| {
        draws = draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((draws >> 33) % end) as i64
    };
    let mut harness = Harness::<Both, i64>::keyed(()).expect("an open operator");
    let mut models: BTreeMap<i64, Model> = BTreeMap::new();
    let mut failed = 0;
    for _ in 0..400 {
        let rows: Vec<(i64, Step)> = (0..1 + draw(12))
            .map(|_| {
                let what = if draw(40) == 0 { 7 } else { [0, 0, 0, 1, 2, 3, 4, 5, 6, 8, 9][draw(11) as usize] };
                (draw(5), Step { what, entry: draw(12) - 6, value: draw(100) })
            })
            .collect();
        let before = models.clone();
        let mut expected = Vec::new();
        for (key, step) in &rows {
            let held = models.entry(*key).or_default().step(*step);
            if step.what != 8 {
                expected.push(held);
            }
        }
        match harness.feed_keyed(rows.iter().copied()) {
            Ok(()) => assert_eq!(harness.output(), expected),
            Err(error) => {
                assert_eq!(error, Error::fail("as asked"));
                failed += 1;
                models = before;
            }
        }
        if draw(20) == 0 {
            harness = Harness::restored((), &harness.snapshot()).expect("the same operator");
        }
        for (key, model) in &models {
            assert_eq!(harness.map::<i64, i64>("map", key), model.map.clone().into_iter().collect::<Vec<_>>());
            assert_eq!(harness.list::<String>("list", key), model.list);
        }
    }
    assert!(failed > 10, "{failed} calls failed");
    assert_eq!(
        harness.plan().states.iter().map(|state| state.kind).collect::<Vec<_>>(),
        [StateKind::MapState, StateKind::ListState]
    );
}

#[test]
fn entries_are_in_the_order_of_what_they_stand_for() {
    fn bytes<E: MapEntry>(entry: &E) -> Vec<u8> {
        let mut bytes = Vec::new();
        entry.write(&mut bytes);
        bytes
    }
    fn in_order<E: MapEntry + PartialEq + std::fmt::Debug>(entries: &[E]) {
        assert!(entries.is_sorted_by_key(bytes), "{entries:?}");
        for entry in entries {
            let bytes = bytes(entry);
            let mut rest = bytes.as_slice();
            assert_eq!(E::read(&mut rest).as_ref(), Some(entry));
            assert!(rest.is_empty());
            (0..bytes.len()).for_each(|at| assert_eq!(E::read(&mut &bytes[..at]), None, "{entry:?} cut at {at}"));
        }
    }
    in_order(&[i64::MIN, -256, -1, 0, 1, 255, 256, i64::MAX]);
    in_order(&[0_u16, 1, 255, 256, u16::MAX]);
    in_order(&[false, true]);
    in_order(&["", "\0", "\0a", "a", "a\0", "a\0b", "aa", "b", "é"].map(str::to_owned));
    in_order(&[("a".to_owned(), -1_i32), ("a".to_owned(), 5), ("a\0".to_owned(), -9), ("aa".to_owned(), i32::MIN)]);
    assert_eq!(<String as MapEntry>::read(&mut &[b'a', 0, 7][..]), None);
}

struct Mean;

impl Aggregate for Mean {
    const NAME: &'static str = "mean";
    type Input<'a> = Step;
    type Accumulator = (i64, i64);
    type Output = f64;
    type Settings = NoSettings;

    fn open(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn add(&self, seen: &mut (i64, i64), step: Step) -> Result<()> {
        *seen = (seen.0 + 1, seen.1 + step.value);
        Ok(())
    }

    fn merge(&self, seen: &mut (i64, i64), other: (i64, i64)) {
        *seen = (seen.0 + other.0, seen.1 + other.1);
    }

    fn finish(&self, seen: &(i64, i64)) -> f64 {
        seen.1 as f64 / seen.0 as f64
    }
}

#[derive(Record, Debug, PartialEq)]
struct Combined {
    least: i64,
    mean: f64,
}

#[derive(Operator)]
struct Combining {
    least: ReducingState<i64>,
    mean: AggregatingState<Mean>,
}

impl Process for Combining {
    type Input<'a> = Step;
    type Output = Combined;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { least: ReducingState::new(i64::min), mean: AggregatingState::new(Mean) })
    }

    fn process(&mut self, step: Step, cx: &mut Context<Self>) -> Result<()> {
        match step.what {
            0 => {
                self.least.add(step.value);
                self.mean.add(step)?;
            }
            1 => self.mean.merge((step.entry, step.value)),
            _ => {
                self.least.clear();
                self.mean.clear();
            }
        }
        if let (Some(least), Some(mean)) = (self.least.get(), self.mean.get()) {
            cx.emit(Combined { least, mean });
        }
        Ok(())
    }
}

#[test]
fn values_are_reduced_and_aggregated_by_key() {
    let mut harness = Harness::<Combining, &str>::keyed(()).expect("an open operator");
    let step = |what, entry, value| Step { what, entry, value };
    let steps = [step(0, 0, 6), step(0, 0, 4), step(1, 2, 50), step(2, 0, 0), step(0, 0, 9)];
    harness.feed_keyed(steps.map(|step| ("a", step)).into_iter().chain([("b", step(0, 0, 1))])).expect("a call that succeeds");
    let combined = |least, mean| Combined { least, mean };
    assert_eq!(harness.output(), [combined(6, 6.0), combined(4, 5.0), combined(4, 15.0), combined(9, 9.0), combined(1, 1.0)]);
    assert_eq!(harness.state::<(i64, i64)>("mean", &"a"), Some((1, 9)));
}

/// As a first version wrote it.
#[derive(Operator)]
struct First {
    seen: ValueState<u32>,
    by_entry: MapState<i64, u32>,
    trail: ListState<u32>,
}

/// The next version of the same operator.
#[derive(Operator)]
struct Second {
    #[state(version = 3, migrates(1 = "u32", 2 = "u64"))]
    seen: ValueState<Seen>,
    #[state(version = 2, migrates(1 = "u32"))]
    by_entry: MapState<i64, u64>,
    #[state(version = 2)]
    trail: ListState<u64>,
}

#[derive(StateValue, Clone, Debug, PartialEq)]
struct Seen {
    text: String,
}

impl From<u32> for Seen {
    fn from(seen: u32) -> Self {
        Self { text: format!("{seen} of the first") }
    }
}

impl From<u64> for Seen {
    fn from(seen: u64) -> Self {
        Self { text: format!("{seen} of the second") }
    }
}

macro_rules! counts {
    ($operator:ty, $count:expr) => {
        impl Process for $operator {
            type Input<'a> = Step;
            type Output = ();
            type Settings = NoSettings;

            fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
                let (seen, by_entry, trail) = Default::default();
                Ok(Self { seen, by_entry, trail })
            }

            fn process(&mut self, step: Step, _: &mut Context<Self>) -> Result<()> {
                $count(self);
                self.by_entry.update(&step.entry, |seen| seen.unwrap_or(0) + 1);
                if step.value > 0 {
                    self.trail.push(step.value as _);
                }
                Ok(())
            }
        }
    };
}

counts!(First, |it: &mut First| {
    it.seen.update(|seen| seen.unwrap_or(0) + 1);
});
counts!(Second, |_: &mut Second| {});

#[test]
fn values_of_earlier_versions_are_migrated() {
    let mut first = Harness::<First, &str>::keyed(()).expect("an open operator");
    let step = |entry, value| Step { what: 0, entry, value };
    first.feed_keyed([("a", step(5, 0)), ("a", step(5, 0)), ("b", step(-1, 0))]).expect("a call that succeeds");
    let mut second = Harness::<Second, &str>::restored((), &first.snapshot()).expect("each version is known");
    assert_eq!(second.state("seen", &"a"), Some(Seen { text: "2 of the first".into() }));
    second.feed_keyed([("a", step(5, 0)), ("a", step(6, 0))]).expect("a call that succeeds");
    assert_eq!(second.map::<i64, u64>("by-entry", &"a"), [(5, 3), (6, 1)]);

    first.feed_keyed([("a", step(5, 8))]).expect("a call that succeeds");
    let error = Harness::<Second, &str>::restored((), &first.snapshot()).expect_err("a list of a version that isn't known");
    assert_eq!(
        error.message(),
        "state `trail` has values of version 1, which this operator can't migrate: `#[state(version = …, migrates(1 = \"Type\"))]` says \
         what they were"
    );
}
