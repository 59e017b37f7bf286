//! Keeps shoppers' baskets, and says what they order.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use wasmill_sdk::{
    Context, Error, EventTime, ExpiringList, ExpiringMap, Open, Operator, Process, Record, ReducingState, Result, Timestamp,
};

/// What a shopper does: with an item, puts so many of it into the basket, or takes some out again; without one, orders what is in it.
#[derive(Record)]
pub struct Step<'a> {
    at: Timestamp,
    item: Option<&'a str>,
    quantity: i64,
}

/// An order, behind the columns of the key.
#[derive(Record, Debug, PartialEq)]
pub struct Order {
    /// Which of those of the shopper's that are remembered it is, counted from 1.
    number: i64,
    /// The items in the order of their names, each with how many: `bread 1, tea 2`.
    items: String,
    /// How many things that is.
    things: i64,
    /// How many were in the shopper's largest order so far.
    largest: i64,
    /// How many were in the last three before, separated by commas.
    before: String,
}

/// What a job writes under `settings`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// An item that nobody has touched for so many seconds leaves the basket.
    keep_seconds: u32,
    /// An order is remembered for so many seconds: a day, if nothing is said.
    #[serde(default = "a_day")]
    recall_seconds: u32,
}

fn a_day() -> u32 {
    86_400
}

/// The operator.
#[derive(Operator)]
#[operator(keep = "key")]
pub struct Baskets {
    basket: ExpiringMap<String, i64, EventTime>,
    orders: ExpiringList<i64, EventTime>,
    largest: ReducingState<i64>,
}

impl Process for Baskets {
    type Input<'a> = Step<'a>;
    type Output = Order;
    type Settings = Settings;

    fn check(settings: &Settings) -> Result<()> {
        let all = [("keep-seconds", settings.keep_seconds), ("recall-seconds", settings.recall_seconds)];
        match all.iter().find(|(_, seconds)| *seconds == 0) {
            Some((name, _)) => Err(Error::fail(format!("settings: {name}: expected 1 or more"))),
            None => Ok(()),
        }
    }

    fn open(settings: Settings, _: &mut Open) -> Result<Self> {
        let basket = ExpiringMap::new(Duration::from_secs(settings.keep_seconds.into()));
        let orders = ExpiringList::new(Duration::from_secs(settings.recall_seconds.into()));
        Ok(Self { basket, orders, largest: ReducingState::new(i64::max) })
    }

    fn prefetch(&mut self, step: &Step<'_>) {
        if let Some(item) = step.item {
            self.basket.prefetch(item);
        }
    }

    fn process(&mut self, step: Step<'_>, cx: &mut Context<Self>) -> Result<()> {
        let Some(item) = step.item else {
            self.order(step.at, cx);
            return Ok(());
        };
        let quantity = self.basket.get(item, step.at).unwrap_or(0) + step.quantity;
        if quantity > 0 {
            self.basket.set(item, quantity, step.at);
        } else {
            self.basket.remove(item);
        }
        if quantity < 0 {
            cx.reject("more is taken out than was in the basket");
        }
        Ok(())
    }
}

impl Baskets {
    fn order(&mut self, at: Timestamp, cx: &mut Context<Self>) {
        let (mut items, mut things) = (String::new(), 0);
        for (item, quantity) in self.basket.iter(at) {
            let between = if items.is_empty() { "" } else { ", " };
            // Writing to a string can't fail.
            let _ = write!(items, "{between}{item} {quantity}");
            things += quantity;
        }
        if things == 0 {
            cx.reject("an order of an empty basket");
            return;
        }
        let orders: Vec<i64> = self.orders.iter(at).collect();
        let before: Vec<String> = orders[orders.len().saturating_sub(3)..].iter().map(i64::to_string).collect();
        let largest = self.largest.add(things);
        cx.emit(Order { number: orders.len() as i64 + 1, items, things, largest, before: before.join(",") });
        self.orders.push(things, at);
        self.basket.clear();
    }
}

wasmill_sdk::export!(Baskets);
