//! Counts the rows of each key: for every row, the key and how many rows it has had so far.

#[cfg(test)]
mod tests;

use wasmill_sdk::{Context, NoSettings, Open, Operator, Process, Record, Result, ValueState};

/// What comes out for a row, beside its key.
#[derive(Record)]
pub struct Counted {
    /// Rows of this key so far, this one included.
    pub count: i64,
}

/// The operator.
#[derive(Operator)]
#[operator(keep = "key")]
pub struct KeyedCount {
    count: ValueState<i64>,
}

impl Process for KeyedCount {
    // No column is read: that there is a row, and which key it has, is all that matters.
    type Input<'a> = ();
    type Output = Counted;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { count: ValueState::new() })
    }

    fn process(&mut self, _: (), cx: &mut Context<Self>) -> Result<()> {
        let count = self.count.get().unwrap_or(0) + 1;
        self.count.set(count);
        cx.emit(Counted { count });
        Ok(())
    }
}

wasmill_sdk::export!(KeyedCount);
