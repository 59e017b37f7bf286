//! A guest that does, as its settings say, what no aggregate should. Written on the bare contract, since the SDK would not let it.
#![cfg(target_arch = "wasm32")]

use std::cell::RefCell;
use std::hint::black_box;

use serde::Deserialize;
use wasmill_sdk::bindings::aggregate_function::exports::wasmill::plugin::aggregate::{AggregatePlan, Guest};
use wasmill_sdk::bindings::data::Batch;
use wasmill_sdk::bindings::stream_operator::wasmill::plugin::errors::Error;
use wasmill_sdk::bindings::{Array, BinaryArray, Column, DataType, Field, aggregate_function};

/// What the guest is told to do.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(rename = "do")]
    what: Do,
    /// The value of the `int64` column in the rows where it is done.
    #[serde(default)]
    equals: i64,
}

/// Everything that it can do.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Do {
    /// Sums, as it should.
    Pass,
    TrapInDescribe,
    NamelessResult,
    TrapInOpen,
    Trap,
    Loop,
    Fail,
    Retry,
    TrapInFinish,
    TooFewAccumulators,
    TooManyAccumulators,
    OffsetsFall,
    OffsetsPastEnd,
    LongAccumulator,
    NarrowAccumulators,
    LongInitial,
    TooFewResults,
    WrongType,
    NullWhereNone,
}

thread_local! {
    static SETTINGS: RefCell<Option<Settings>> = const { RefCell::new(None) };
}

fn read(settings: &str) -> Result<Settings, Error> {
    serde_json::from_str(settings).map_err(|error| Error::Fail(format!("settings: {error}")))
}

fn settings() -> Settings {
    SETTINGS.with_borrow(|settings| settings.clone().unwrap_or(Settings { what: Do::Pass, equals: 0 }))
}

fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

/// The sums that accumulators hold, 8 bytes each.
fn sums(accumulators: &BinaryArray) -> Vec<i64> {
    if accumulators.offsets.is_empty() {
        return accumulators.data.chunks_exact(8).filter_map(|sum| sum.first_chunk().copied()).map(i64::from_le_bytes).collect();
    }
    let part = |ends: &[u32]| accumulators.data[ends[0] as usize..ends[1] as usize].first_chunk().copied();
    accumulators.offsets.windows(2).map(|ends| part(ends).map_or(0, i64::from_le_bytes)).collect()
}

fn accumulators(sums: &[i64]) -> BinaryArray {
    BinaryArray {
        offsets: (0..=sums.len() as u32).map(|sum| 8 * sum).collect(),
        data: sums.iter().flat_map(|sum| sum.to_le_bytes()).collect(),
    }
}

fn results(what: Do, sums: Vec<i64>) -> Column {
    let rows = sums.len();
    let (values, validity) = match what {
        Do::TooFewResults => (Array::Int64(sums[1..].to_vec()), None),
        Do::WrongType => (Array::Float64(vec![0.5; rows]), None),
        Do::NullWhereNone => (Array::Int64(sums), Some(vec![0; rows.div_ceil(8)])),
        _ => (Array::Int64(sums), None),
    };
    Column { values, validity }
}

/// Sums, and the sum after each row, unless a row is one to do something else at.
fn add(from: &BinaryArray, group: &[u32], rows: &Batch) -> Result<(BinaryArray, Column), Error> {
    let Settings { what, equals } = settings();
    let Some(Array::Int64(values)) = rows.columns.first().map(|column| &column.values) else {
        return Err(Error::Fail("expected an int64 column".to_owned()));
    };
    let is_asked = values.contains(&equals);
    match what {
        Do::Trap if is_asked => trap(),
        Do::Loop if is_asked => while black_box(true) {},
        Do::Fail if is_asked => return Err(Error::Fail("enough".to_owned())),
        Do::Retry if is_asked => return Err(Error::Retry("later".to_owned())),
        _ => {}
    }
    let mut sums = sums(from);
    let mut after = Vec::with_capacity(values.len());
    for (value, &group) in values.iter().zip(group) {
        sums[group as usize] += value;
        after.push(sums[group as usize]);
    }
    let mut all = accumulators(&sums);
    match what {
        Do::TooFewAccumulators => all = accumulators(&sums[1..]),
        Do::TooManyAccumulators => all.offsets.push(all.data.len() as u32),
        Do::OffsetsFall => all.offsets[0] = 9,
        Do::OffsetsPastEnd => *all.offsets.last_mut().unwrap_or(&mut 0) += 1_000,
        Do::NarrowAccumulators => {
            all.offsets.clear();
            all.data.pop();
        }
        Do::LongAccumulator => {
            let long = (1 << 20) + 1;
            all.offsets[1..].fill(long);
            all.data = vec![0; long as usize];
        }
        _ => {}
    }
    Ok((all, results(what, after)))
}

struct Hostile;

impl Guest for Hostile {
    fn describe(settings: String, _: Vec<Field>) -> Result<AggregatePlan, Error> {
        let settings = read(&settings)?;
        if settings.what == Do::TrapInDescribe {
            trap();
        }
        let name = if settings.what == Do::NamelessResult { "" } else { "sum" };
        let result = Field { name: name.to_owned(), data_type: DataType::Int64, nullable: false };
        let initial = match settings.what {
            Do::NarrowAccumulators => Some(vec![0; 8]),
            Do::LongInitial => Some(vec![0; 1_025]),
            _ => None,
        };
        Ok(AggregatePlan { result, version: 1, merges: false, retracts: false, initial })
    }

    fn open(settings: String, _: Vec<Field>) -> Result<(), Error> {
        let settings = read(&settings)?;
        if settings.what == Do::TrapInOpen {
            trap();
        }
        SETTINGS.set(Some(settings));
        Ok(())
    }

    fn accumulate(accumulators: BinaryArray, group: Vec<u32>, rows: Batch) -> Result<BinaryArray, Error> {
        add(&accumulators, &group, &rows).map(|(all, _)| all)
    }

    fn running(accumulators: BinaryArray, group: Vec<u32>, rows: Batch) -> Result<(BinaryArray, Column), Error> {
        add(&accumulators, &group, &rows)
    }

    fn retract(_: BinaryArray, _: Vec<u32>, _: Batch) -> Result<BinaryArray, Error> {
        trap()
    }

    fn merge(_: BinaryArray, _: BinaryArray) -> Result<BinaryArray, Error> {
        trap()
    }

    fn finish(accumulators: BinaryArray) -> Result<Column, Error> {
        let Settings { what, .. } = settings();
        if what == Do::TrapInFinish {
            trap();
        }
        Ok(results(what, sums(&accumulators)))
    }
}

aggregate_function::export!(Hostile with_types_in aggregate_function);
