//! Counts rows of a key in all kinds of state, version 2: of 64 bits, with the ids as text; what version 1 has left is migrated.

use wasmill_sdk::{Context, ListState, MapState, NoSettings, Open, Operator, Process, Record, Result, StateValue, ValueState};

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
    #[state(version = 2, migrates(1 = "u32"))]
    rows: ValueState<u64>,
    #[state(version = 2, migrates(1 = "u32"))]
    digits: MapState<u8, u64>,
    #[state(version = 3, migrates(1 = "u32"))]
    ids: ListState<Id>,
}

/// An id, as text.
#[derive(StateValue)]
pub struct Id {
    text: String,
}

impl From<u32> for Id {
    fn from(id: u32) -> Self {
        // Ids that can't be are for tests of what is said of them.
        assert!(id != 666, "no id of version 1 is {id}");
        Self { text: id.to_string() }
    }
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
        self.ids.push(Id { text: row.id.to_string() });
        let ids: Vec<String> = self.ids.iter().map(|id| id.text).collect();
        cx.emit(Tally { rows: rows as i64, of_last_digit: of_last_digit as i64, ids: ids.join(",") });
        Ok(())
    }
}

wasmill_sdk::export!(Tallies);
