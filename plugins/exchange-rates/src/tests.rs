//! The operator under the harness.

use wasmill_sdk::harness::{Harness, cases};

use super::*;

#[test]
fn every_case_gives_what_it_says() {
    cases::check::<ExchangeRates>("cases");
}

#[test]
fn rates_and_what_had_none_survive_a_restart() {
    let amount = |currency| Row::Amounts(Amount { currency, cents: 200 });
    let rate = |currency, per_mille| Row::Rates(Rate { currency, per_mille });
    let mut harness = Harness::<ExchangeRates>::new(()).expect("an open operator");
    harness.feed([rate("usd", Some(900)), amount("usd"), amount("sek"), amount("sek")]).expect("a call that succeeds");
    assert_eq!(harness.broadcast::<String, i64>("rates"), [("usd".to_owned(), 900)]);
    let converted = Converted { currency: "usd".into(), cents: 200, converted: 180 };
    assert_eq!(harness.output(), [converted]);
    harness.reopen();
    harness.feed([rate("usd", None), amount("usd")]).expect("a call that succeeds");
    let without = [("sek".to_owned(), 2), ("usd".to_owned(), 1)];
    assert_eq!(harness.task::<(String, i64)>("without"), without);
    harness.end().expect("a call that succeeds");
    let missing = |(currency, amounts)| Missing { currency, amounts };
    let told: Vec<Missing> = harness.emitted::<Missing>("missing").into_iter().map(|emitted| emitted.row).collect();
    assert_eq!(told, without.map(missing));
}

#[test]
#[should_panic(expected = "a broadcast state was changed where no row of a broadcast input is processed")]
fn rates_change_by_their_own_rows_only() {
    #[derive(Operator)]
    struct Wrong {
        rates: BroadcastState<String, i64>,
    }
    impl Process for Wrong {
        type Input<'a> = Row<'a>;
        type Output = ();
        type Settings = NoSettings;
        fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
            Ok(Self { rates: BroadcastState::new() })
        }
        fn process(&mut self, row: Row<'_>, _: &mut Context<Self>) -> Result<()> {
            if let Row::Amounts(amount) = row {
                self.rates.set(amount.currency, amount.cents);
            }
            Ok(())
        }
    }
    let mut harness = Harness::<Wrong>::new(()).expect("an open operator");
    drop(harness.feed([Row::Amounts(Amount { currency: "usd", cents: 1 })]));
}
