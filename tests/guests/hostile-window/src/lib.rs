//! A guest that does, as its settings say, what no window function should. Written on the bare contract, since the SDK would not let it.
#![cfg(target_arch = "wasm32")]

use std::cell::RefCell;
use std::hint::black_box;

use serde::Deserialize;
use wasmill_sdk::bindings::data::Batch;
use wasmill_sdk::bindings::stream_operator::wasmill::plugin::errors::Error;
use wasmill_sdk::bindings::window_function::exports::wasmill::plugin::window::{Given, Guest, Span, WindowPlan};
use wasmill_sdk::bindings::{Array, Column, DataType, Field, window_function};

/// What the guest is told to do.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(rename = "do")]
    what: Do,
    /// The value of the `int64` column `n` in the windows where it is done.
    #[serde(default)]
    equals: i64,
}

/// Everything that it can do.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Do {
    /// Gives how many rows a window has and their sum, as it should.
    Pass,
    /// Gives the rows as they come.
    Rows,
    TrapInDescribe,
    NoColumns,
    SameColumnTwice,
    ReadsUnknown,
    TrapInOpen,
    Trap,
    Loop,
    Grow,
    Fail,
    Retry,
    UnknownWindow,
    TooFewColumns,
    TooFewValues,
    TooManyRows,
    TooManyBytes,
    WrongType,
    NullWhereNone,
}

thread_local! {
    static SETTINGS: RefCell<Option<Settings>> = const { RefCell::new(None) };
}

fn read(settings: &str) -> Result<Settings, Error> {
    serde_json::from_str(settings).map_err(|error| Error::Fail(format!("settings: {error}")))
}

fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

fn numbers(values: Vec<i64>) -> Column {
    Column { values: Array::Int64(values), validity: None }
}

struct Hostile;

impl Guest for Hostile {
    fn describe(settings: String, _: Vec<Field>) -> Result<WindowPlan, Error> {
        let settings = read(&settings)?;
        let field = |name: &str| Field { name: name.to_owned(), data_type: DataType::Int64, nullable: false };
        let reads = if settings.what == Do::ReadsUnknown { "m" } else { "n" };
        let gives = match settings.what {
            Do::TrapInDescribe => trap(),
            Do::NoColumns => Vec::new(),
            Do::SameColumnTwice => vec![field("rows"), field("rows")],
            Do::TooManyBytes => vec![Field { data_type: DataType::Utf8, ..field("text") }],
            _ => vec![field("rows"), field("sum")],
        };
        Ok(WindowPlan { reads: Some(vec![reads.to_owned()]), gives })
    }

    fn open(settings: String, _: Vec<Field>) -> Result<(), Error> {
        let settings = read(&settings)?;
        if settings.what == Do::TrapInOpen {
            trap();
        }
        SETTINGS.set(Some(settings));
        Ok(())
    }

    fn fire(_: Option<Vec<Span>>, starts: Vec<u32>, rows: Batch) -> Result<Given, Error> {
        let Settings { what, equals } =
            SETTINGS.with_borrow(|settings| settings.clone().unwrap_or(Settings { what: Do::Pass, equals: 0 }));
        let Some(Array::Int64(values)) = rows.columns.first().map(|column| &column.values) else {
            return Err(Error::Fail("expected an int64 column".to_owned()));
        };
        let is_asked = values.contains(&equals);
        match what {
            Do::Trap if is_asked => trap(),
            Do::Loop if is_asked => while black_box(true) {},
            Do::Grow if is_asked => drop(black_box(Vec::<u8>::with_capacity(128 << 20))),
            Do::Fail if is_asked => return Err(Error::Fail("enough".to_owned())),
            Do::Retry if is_asked => return Err(Error::Retry("later".to_owned())),
            _ => {}
        }
        let windows = starts.len() as u32 - 1;
        let sum = |ends: &[u32]| values[ends[0] as usize..ends[1] as usize].iter().sum();
        let counts: Vec<i64> = starts.windows(2).map(|ends| i64::from(ends[1] - ends[0])).collect();
        let sums: Vec<i64> = starts.windows(2).map(sum).collect();
        let mut given = Given { of: (0..windows).collect(), columns: vec![numbers(counts), numbers(sums.clone())] };
        match what {
            Do::Rows => {
                given.of = (0..windows).flat_map(|window| starts[window as usize]..starts[window as usize + 1]).collect();
                let number = |at: u32| starts.partition_point(|start| *start <= at) as u32 - 1;
                given.of.iter_mut().for_each(|at| *at = number(*at));
                given.columns = vec![numbers((0..values.len() as i64).collect()), numbers(values.clone())];
            }
            Do::UnknownWindow => given.of[0] = windows,
            Do::TooFewColumns => given.columns.truncate(1),
            Do::TooFewValues => given.columns[1] = numbers(sums[1..].to_vec()),
            Do::TooManyRows => {
                given = Given { of: vec![0; 200_000], columns: vec![numbers(vec![1; 200_000]), numbers(vec![1; 200_000])] }
            }
            Do::TooManyBytes => {
                let bytes = 33 << 20;
                let data = vec![b'a'; bytes];
                let text = wasmill_sdk::bindings::BinaryArray { offsets: vec![0, bytes as u32], data };
                given = Given { of: vec![0], columns: vec![Column { values: Array::Utf8(text), validity: None }] };
            }
            Do::WrongType => given.columns[1].values = Array::Float64(vec![0.5; windows as usize]),
            Do::NullWhereNone => given.columns[1].validity = Some(vec![0; windows.div_ceil(8) as usize]),
            _ => {}
        }
        Ok(given)
    }
}

window_function::export!(Hostile with_types_in window_function);
