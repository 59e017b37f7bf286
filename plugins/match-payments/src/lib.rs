//! Matches orders with their payments: an operator with two inputs, whose rows have different columns and share a key.

#[cfg(test)]
mod tests;

use wasmill_sdk::{
    Context, Inputs, NoSettings, Open, Operator, Port, Process, Record, Result, StateValue, Timestamp, ValueState,
};

/// An order.
#[derive(Record)]
pub struct Order<'a> {
    item: &'a str,
    amount: i64,
}

/// A payment.
#[derive(Record)]
pub struct Payment {
    paid: i64,
    at: Timestamp,
}

/// What is read: rows of the inputs `orders` and `payments`.
#[derive(Inputs)]
pub enum Entry<'a> {
    /// An order.
    Orders(Order<'a>),
    /// A payment.
    Payments(Payment),
}

/// An order that was paid in full, behind the columns of the key.
#[derive(Record)]
pub struct Matched<'a> {
    item: &'a str,
    amount: i64,
    /// When it was paid.
    at: Timestamp,
}

/// An order of which another amount was paid, behind the columns of the key.
#[derive(Record)]
pub struct Unmatched<'a> {
    item: &'a str,
    amount: i64,
    paid: i64,
}

/// What waits for its other half: orders or payments, never both.
#[derive(Clone, Default, StateValue)]
pub struct Waiting {
    orders: Vec<(String, i64)>,
    payments: Vec<(i64, Timestamp)>,
}

/// The operator.
#[derive(Operator)]
#[operator(keep = "key")]
pub struct MatchPayments {
    waiting: ValueState<Waiting>,
    #[port(keep = "key")]
    unmatched: Port<Unmatched<'static>>,
}

impl Process for MatchPayments {
    type Input<'a> = Entry<'a>;
    type Output = Matched<'static>;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { waiting: ValueState::new(), unmatched: Port::new() })
    }

    fn process(&mut self, entry: Entry<'_>, cx: &mut Context<Self>) -> Result<()> {
        let mut waiting = self.waiting.get().unwrap_or_default();
        match entry {
            Entry::Orders(order) if waiting.payments.is_empty() => waiting.orders.push((order.item.to_owned(), order.amount)),
            Entry::Orders(order) => {
                let (paid, at) = waiting.payments.remove(0);
                self.pair(&order, &Payment { paid, at }, cx);
            }
            Entry::Payments(payment) if waiting.orders.is_empty() => waiting.payments.push((payment.paid, payment.at)),
            Entry::Payments(payment) => {
                let (item, amount) = waiting.orders.remove(0);
                self.pair(&Order { item: &item, amount }, &payment, cx);
            }
        }
        if waiting.orders.is_empty() && waiting.payments.is_empty() {
            self.waiting.clear();
        } else {
            self.waiting.set(waiting);
        }
        Ok(())
    }
}

impl MatchPayments {
    fn pair(&mut self, order: &Order<'_>, payment: &Payment, cx: &mut Context<Self>) {
        let (item, amount, paid) = (order.item, order.amount, payment.paid);
        if amount == paid {
            cx.emit(Matched { item, amount, at: payment.at });
        } else {
            self.unmatched.emit(Unmatched { item, amount, paid }, cx);
        }
    }
}

wasmill_sdk::export!(MatchPayments);
