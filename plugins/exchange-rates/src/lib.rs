//! Converts amounts by rates that every task knows, and says at the end which currencies had none.

#[cfg(test)]
mod tests;

use wasmill_sdk::{BroadcastState, Context, Inputs, NoSettings, Open, Operator, Port, Process, Record, Result, TaskState};

/// An amount in a currency.
#[derive(Record)]
pub struct Amount<'a> {
    currency: &'a str,
    cents: i64,
}

/// What a thousandth of a unit of a currency is worth; none takes the rate away.
#[derive(Record)]
pub struct Rate<'a> {
    currency: &'a str,
    per_mille: Option<i64>,
}

/// What it reads.
#[derive(Inputs)]
pub enum Row<'a> {
    /// What is converted.
    Amounts(Amount<'a>),
    /// By what: all tasks know all of them.
    #[input(broadcast)]
    Rates(Rate<'a>),
}

/// An amount, converted.
#[derive(Record, Debug, PartialEq)]
pub struct Converted {
    currency: String,
    cents: i64,
    converted: i64,
}

/// How many amounts of a currency had no rate.
#[derive(Record, Debug, PartialEq)]
pub struct Missing {
    currency: String,
    amounts: i64,
}

/// The operator.
#[derive(Operator)]
pub struct ExchangeRates {
    rates: BroadcastState<String, i64>,
    /// Currencies and how many amounts of theirs had no rate; after a change of the parallelism one may be there twice.
    without: TaskState<(String, i64)>,
    missing: Port<Missing>,
}

impl Process for ExchangeRates {
    type Input<'a> = Row<'a>;
    type Output = Converted;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { rates: BroadcastState::new(), without: TaskState::new(), missing: Port::new() })
    }

    fn process(&mut self, row: Row<'_>, cx: &mut Context<Self>) -> Result<()> {
        match row {
            Row::Rates(Rate { currency, per_mille: Some(per_mille) }) if per_mille <= 0 => {
                cx.reject(format!("{currency}: a rate of {per_mille}, expected more than 0"));
            }
            Row::Rates(Rate { currency, per_mille: Some(per_mille) }) => self.rates.set(currency, per_mille),
            Row::Rates(Rate { currency, per_mille: None }) => self.rates.remove(currency),
            Row::Amounts(Amount { currency, cents }) => match self.rates.get(currency) {
                Some(rate) => cx.emit(Converted { currency: currency.to_owned(), cents, converted: cents * rate / 1_000 }),
                None => self.without.update(|without| match without.iter_mut().find(|(other, _)| other == currency) {
                    Some((_, amounts)) => *amounts += 1,
                    None => without.push((currency.to_owned(), 1)),
                }),
            },
        }
        Ok(())
    }

    fn on_end(&mut self, cx: &mut Context<Self>) -> Result<()> {
        for (currency, amounts) in self.without.get() {
            self.missing.emit(Missing { currency: currency.clone(), amounts: *amounts }, cx);
        }
        Ok(())
    }
}

wasmill_sdk::export!(ExchangeRates);
