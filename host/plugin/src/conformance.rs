//! What a guest could hand out, made of arbitrary bytes: lists for columns, and plans. Nothing of it may harm the host.

use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, Field, Schema};
use wasmill_flow::column_type::{self, TIMESTAMP};

use crate::bindings::wasmill::plugin::data::{
    ArrayParam, ArrayResult, BinaryArrayParam, BinaryArrayResult, ColumnParam, ColumnResult, DataType as WitType, DecimalType,
    FieldResult,
};
use crate::bindings::wasmill::plugin::plan::{Plan, Port, StateKind, StateNeed, Taken, Takes, TimeDomain, Wants};
use crate::columns_in::ColumnsIn;
use crate::declaration::{ColumnFrom, InputShape, resolve};
use crate::{columns_out, declaration};

/// Bytes that are taken one thing after the other; 0 where none are left.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn one(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of so many, or the first.
    fn choice(&mut self, of: usize) -> usize {
        usize::from(self.one()) % of
    }

    fn some(&mut self, count: usize) -> &'a [u8] {
        let (some, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        some
    }

    /// So many numbers of `N` bytes.
    fn numbers<const N: usize, T>(&mut self, count: usize, number: impl Fn([u8; N]) -> T) -> Vec<T> {
        let padded = |bytes: &[u8]| std::array::from_fn(|at| bytes.get(at).copied().unwrap_or_default());
        (0..count).map(|_| number(padded(self.some(N)))).collect()
    }

    fn name(&mut self) -> String {
        const NAMES: [&str; 8] = ["", "main", "key", "a", "b", "left", "no name", "\u{0}"];
        match self.choice(NAMES.len() + 1) {
            length if length == NAMES.len() => String::from_utf8_lossy(self.some(3)).into_owned(),
            name => NAMES[name].to_owned(),
        }
    }

    fn list<T>(&mut self, most: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.choice(most + 1)).map(|_| item(self)).collect()
    }

    fn option<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.one() % 2 == 1).then(|| some(self))
    }
}

/// Takes a column's lists as the host takes them from a guest. Those that pass make an array that arrow's own full validation takes, and
/// come back the same from being handed in and out again.
///
/// # Panics
/// Where that doesn't hold.
pub fn lists_of_a_guest(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let rows = bytes.choice(70);
    let kind = bytes.choice(TYPES.len());
    let field = Field::new("c", TYPES[kind].clone(), bytes.one() % 2 == 1);
    // Mostly of the declared type and length.
    let kind = if bytes.one() > 240 { bytes.choice(TYPES.len()) } else { kind };
    let count = if bytes.one() > 240 { bytes.choice(80) } else { rows };
    let column = column(&mut bytes, kind, count);
    let Ok(array) = columns_out::array(&field, column, rows) else { return };
    valid(&array, &field, rows);
    let held = ColumnsIn::hold(std::iter::once(&array));
    let params = held.params();
    assert_eq!(params.len(), 1);
    let again = columns_out::array(&field, given_back(&params[0]), rows);
    assert_eq!(again.as_ref(), Ok(&array), "what the host hands in is taken back as it was");
}

const TYPES: [DataType; 11] = [
    DataType::Boolean,
    DataType::Int32,
    DataType::Int64,
    DataType::UInt64,
    DataType::Float32,
    DataType::Float64,
    DataType::Decimal128(10, 2),
    DataType::Date32,
    TIMESTAMP,
    DataType::Utf8View,
    DataType::BinaryView,
];

fn column(bytes: &mut Bytes<'_>, kind: usize, count: usize) -> ColumnResult {
    let validity = bytes.option(|bytes| bytes.numbers(count.div_ceil(8), |[byte]: [u8; 1]| byte));
    let values = match kind {
        0 => ArrayResult::Boolean(bytes.some(count.div_ceil(8)).to_vec()),
        1 => ArrayResult::Int32(bytes.numbers(count, i32::from_le_bytes)),
        2 => ArrayResult::Int64(bytes.numbers(count, i64::from_le_bytes)),
        3 => ArrayResult::Uint64(bytes.numbers(count, u64::from_le_bytes)),
        4 => ArrayResult::Float32(bytes.numbers(count, f32::from_le_bytes)),
        5 => ArrayResult::Float64(bytes.numbers(count, f64::from_le_bytes)),
        6 => ArrayResult::Decimal128(bytes.some(count * 16).to_vec()),
        7 => ArrayResult::Date32(bytes.numbers(count, i32::from_le_bytes)),
        8 => ArrayResult::Timestamp(bytes.numbers(count, i64::from_le_bytes)),
        _ => {
            let steps = bytes.numbers(count + 1, |[step]: [u8; 1]| u32::from(step));
            // Offsets that mostly rise, by few bytes; now and then one is anywhere.
            let mut end = 0_u32;
            let offset = |step: u32| {
                end = if step > 250 { end.wrapping_sub(1 << (step - 250)) } else { end.wrapping_add(step % 6) };
                end
            };
            let mut offsets: Vec<u32> = steps.into_iter().map(offset).collect();
            if let Some(first) = offsets.first_mut().filter(|first| **first < 5) {
                *first = 0;
            }
            let data = bytes.some(offsets.last().map_or(0, |end| (*end).min(1 << 16) as usize)).to_vec();
            let list = BinaryArrayResult { offsets, data };
            if kind == 9 { ArrayResult::Utf8(list) } else { ArrayResult::Binary(list) }
        }
    };
    ColumnResult { values, validity }
}

fn valid(array: &ArrayRef, field: &Field, rows: usize) {
    assert_eq!((array.len(), array.data_type()), (rows, field.data_type()));
    assert!(field.is_nullable() || array.null_count() == 0);
    array.to_data().validate_full().expect("arrow's own validation takes it");
}

/// A column as a guest would have it that hands out what it was handed.
fn given_back(column: &ColumnParam<'_>) -> ColumnResult {
    let list = |list: &BinaryArrayParam<'_>| BinaryArrayResult { offsets: list.offsets.to_vec(), data: list.data.to_vec() };
    let values = match &column.values {
        ArrayParam::Boolean(values) => ArrayResult::Boolean(values.to_vec()),
        ArrayParam::Int32(values) => ArrayResult::Int32(values.to_vec()),
        ArrayParam::Int64(values) => ArrayResult::Int64(values.to_vec()),
        ArrayParam::Uint64(values) => ArrayResult::Uint64(values.to_vec()),
        ArrayParam::Float32(values) => ArrayResult::Float32(values.to_vec()),
        ArrayParam::Float64(values) => ArrayResult::Float64(values.to_vec()),
        ArrayParam::Decimal128(values) => ArrayResult::Decimal128(values.to_vec()),
        ArrayParam::Date32(values) => ArrayResult::Date32(values.to_vec()),
        ArrayParam::Timestamp(values) => ArrayResult::Timestamp(values.to_vec()),
        ArrayParam::Utf8(values) => ArrayResult::Utf8(list(values)),
        ArrayParam::Binary(values) => ArrayResult::Binary(list(values)),
    };
    ColumnResult { values, validity: column.validity.map(<[u8]>::to_vec) }
}

/// Resolves a plan as the host resolves a guest's. One that passes names columns that are there, of types that columns have, each name
/// once.
///
/// # Panics
/// Where that doesn't hold.
pub fn plan_of_a_guest(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let inputs: Vec<InputShape> = bytes.list(2, |bytes| {
        let names: Vec<String> = ["key", "a", "b"].iter().take(bytes.choice(4)).map(|name| (*name).to_owned()).collect();
        let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Int64, false)).collect();
        let key = if fields.is_empty() || bytes.one() % 2 == 0 { vec![] } else { vec![0] };
        InputShape { name: bytes.name(), schema: Schema::new(fields).into(), key, broadcast: bytes.choice(2) == 1 }
    });
    let plan = plan(&mut bytes);
    let Ok(resolved) = resolve(&plan, &inputs) else { return };
    assert_eq!(resolved.reads.len(), inputs.len());
    for (reads, input) in resolved.reads.iter().zip(&inputs) {
        assert!(reads.iter().all(|column| *column < input.schema.fields().len()));
    }
    assert_eq!(resolved.declaration.ports.len(), resolved.ports.len());
    for (port, planned) in resolved.declaration.ports.iter().zip(&resolved.ports) {
        assert_eq!(port.schema.fields().len(), planned.columns.len());
        for (column, from) in port.schema.fields().iter().zip(&planned.columns) {
            assert!(column_type::is_supported(column.data_type()), "{column}");
            assert!(matches!(from, ColumnFrom::Taken(_)) || planned.gives.iter().any(|given| given.name() == column.name()));
            assert!(
                port.schema.fields().iter().filter(|other| other.name() == column.name()).count() == 1,
                "{column} is there twice"
            );
        }
        if let declaration::Taken::Input { input, columns } = &planned.takes {
            assert!(columns.iter().all(|column| *column < inputs[*input].schema.fields().len()));
        }
    }
}

fn plan(bytes: &mut Bytes<'_>) -> Plan {
    let names = |bytes: &mut Bytes<'_>| bytes.list(4, Bytes::name);
    Plan {
        reads: bytes.list(3, |bytes| bytes.option(names)),
        ports: bytes.list(3, |bytes| Port {
            name: bytes.name(),
            takes: match bytes.choice(3) {
                0 => Takes::Nothing,
                1 => Takes::Input(Taken { input: bytes.choice(4) as u32, columns: bytes.option(names) }),
                _ => Takes::Key,
            },
            gives: bytes.list(4, |bytes| FieldResult {
                name: bytes.name(),
                data_type: wit_type(bytes),
                nullable: bytes.one() % 2 == 1,
            }),
        }),
        states: bytes.list(3, |bytes| StateNeed {
            name: bytes.name(),
            kind: [
                StateKind::ValueState,
                StateKind::ListState,
                StateKind::MapState,
                StateKind::BroadcastState,
                StateKind::TaskState,
            ][bytes.choice(5)],
            version: bytes.one().into(),
            width: bytes.option(|bytes| u32::from(bytes.one()) << bytes.choice(26)),
            expires: bytes.option(time_domain),
        }),
        wants: wants(bytes),
    }
}

fn wants(bytes: &mut Bytes<'_>) -> Wants {
    let all = [Wants::KEY_COLUMNS, Wants::END, Wants::EVENT_TIMERS, Wants::PROCESSING_TIMERS];
    let chosen = bytes.one();
    let of = |(place, wanted): (usize, Wants)| if chosen >> place & 1 == 1 { wanted } else { Wants::empty() };
    all.into_iter().enumerate().map(of).fold(Wants::empty(), |wants, wanted| wants | wanted)
}

fn time_domain(bytes: &mut Bytes<'_>) -> TimeDomain {
    if bytes.choice(2) == 0 { TimeDomain::EventTime } else { TimeDomain::ProcessingTime }
}

fn wit_type(bytes: &mut Bytes<'_>) -> WitType {
    match bytes.choice(12) {
        0 => WitType::Boolean,
        1 => WitType::Int32,
        2 => WitType::Uint64,
        3 => WitType::Float32,
        4 => WitType::Float64,
        5 => WitType::Date32,
        6 => WitType::Timestamp,
        7 => WitType::Utf8,
        8 => WitType::Binary,
        9 => WitType::Decimal128(DecimalType { precision: bytes.one(), scale: bytes.one().cast_signed() }),
        _ => WitType::Int64,
    }
}
