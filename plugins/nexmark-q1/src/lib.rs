//! Nexmark's query 1: bids with their prices in euros, a dollar being 0.908 of them.

#[cfg(test)]
mod tests;

use wasmill_sdk::{Context, Decimal, NoSettings, Open, Operator, Process, Record, Result};

/// Thousandths of a euro for a dollar.
const RATE: i128 = 908;

/// What is read of a bid.
#[derive(Record)]
pub struct Bid {
    price: Option<i64>,
}

/// What is new in it; all else is kept.
#[derive(Record, Debug, PartialEq)]
pub struct Converted {
    price: Option<Decimal<23, 3>>,
}

/// The operator.
#[derive(Operator)]
#[operator(keep = "input")]
pub struct NexmarkQ1 {}

impl Process for NexmarkQ1 {
    type Input<'a> = Bid;
    type Output = Converted;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self {})
    }

    fn process(&mut self, bid: Bid, cx: &mut Context<Self>) -> Result<()> {
        cx.emit(Converted { price: bid.price.map(|price| Decimal::from_units(i128::from(price) * RATE)) });
        Ok(())
    }
}

wasmill_sdk::export!(NexmarkQ1);
