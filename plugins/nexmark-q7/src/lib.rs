//! Nexmark's query 7: the highest bid, as an aggregate function over prices.

#[cfg(test)]
mod tests;

use wasmill_sdk::{Aggregate, NoSettings, Record, Result, StateValue};

/// The one column that it is over.
#[derive(Record)]
pub struct Bid {
    price: Option<i64>,
}

/// The highest price so far.
#[derive(Default, StateValue)]
pub struct Highest {
    bids: u64,
    price: i64,
}

impl Highest {
    fn take(&mut self, bids: u64, price: i64) {
        self.price = if self.bids == 0 { price } else { self.price.max(price) };
        self.bids += bids;
    }
}

/// The function.
pub struct NexmarkQ7;

impl Aggregate for NexmarkQ7 {
    const NAME: &'static str = "nexmark-q7";
    type Input<'a> = Bid;
    type Accumulator = Highest;
    type Output = Option<i64>;
    type Settings = NoSettings;

    fn open(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn add(&self, highest: &mut Highest, bid: Bid) -> Result<()> {
        if let Some(price) = bid.price {
            highest.take(1, price);
        }
        Ok(())
    }

    fn merge(&self, highest: &mut Highest, other: Highest) {
        if other.bids > 0 {
            highest.take(other.bids, other.price);
        }
    }

    fn finish(&self, highest: &Highest) -> Option<i64> {
        (highest.bids > 0).then_some(highest.price)
    }
}

wasmill_sdk::export_aggregate!(NexmarkQ7);
