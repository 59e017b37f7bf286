//! Counts rows of a key in all kinds of state, version 1: numbers of 32 bits.

use wasmill_sdk::{Context, ListState, MapState, NoSettings, Open, Operator, Process, Record, Result, ValueState};

/// A row.
#[derive(Record)]
pub struct Row {
    id: i64,
}

/// What there is of a row's key after it.
#[derive(Record)]
pub struct Tally {
    rows: i64,
    of_last_digit: i64,
    ids: String,
}

/// The operator.
#[derive(Operator)]
#[operator(keep = "key")]
pub struct Tallies {
    rows: ValueState<u32>,
    digits: MapState<u8, u32>,
    ids: ListState<u32>,
}

impl Process for Tallies {
    type Input<'a> = Row;
    type Output = Tally;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { rows: ValueState::new(), digits: MapState::new(), ids: ListState::new() })
    }

    fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
        let rows = *self.rows.update(|rows| rows.unwrap_or(0) + 1);
        let of_last_digit = self.digits.update(&((row.id % 10) as u8), |rows| rows.unwrap_or(0) + 1);
        self.ids.push(row.id as u32);
        let ids: Vec<String> = self.ids.iter().map(|id| id.to_string()).collect();
        cx.emit(Tally { rows: rows.into(), of_last_digit: of_last_digit.into(), ids: ids.join(",") });
        Ok(())
    }
}

wasmill_sdk::export!(Tallies);
