//! Nexmark's query 0: bids as they are. What it costs to have rows pass through a component.

#[cfg(test)]
mod tests;

use wasmill_sdk::{Context, NoSettings, Open, Operator, Process, Record, Result};

/// What passes through the sandbox of a bid; all else of it is kept by the host.
#[derive(Record, Debug, Clone, PartialEq)]
pub struct Bid {
    auction: Option<i64>,
    bidder: Option<i64>,
    price: Option<i64>,
}

/// The operator.
#[derive(Operator)]
#[operator(keep = "input")]
pub struct NexmarkQ0 {}

impl Process for NexmarkQ0 {
    type Input<'a> = Bid;
    type Output = Bid;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self {})
    }

    fn process(&mut self, bid: Bid, cx: &mut Context<Self>) -> Result<()> {
        cx.emit(bid);
        Ok(())
    }
}

wasmill_sdk::export!(NexmarkQ0);
