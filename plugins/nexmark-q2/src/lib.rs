//! Nexmark's query 2: bids on every 123rd auction.

#[cfg(test)]
mod tests;

use wasmill_sdk::{Context, NoSettings, Open, Operator, Process, Record, Result};

/// A bid, as it comes and as it goes.
#[derive(Record, Debug, Clone, PartialEq)]
pub struct Bid {
    auction: Option<i64>,
    price: Option<i64>,
}

/// The operator.
#[derive(Operator)]
pub struct NexmarkQ2 {}

impl Process for NexmarkQ2 {
    type Input<'a> = Bid;
    type Output = Bid;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self {})
    }

    fn process(&mut self, bid: Bid, cx: &mut Context<Self>) -> Result<()> {
        if bid.auction.is_some_and(|auction| auction % 123 == 0) {
            cx.emit(bid);
        }
        Ok(())
    }
}

wasmill_sdk::export!(NexmarkQ2);
