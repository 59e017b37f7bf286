//! The energy that earthquakes radiated together: an aggregate function over their magnitudes.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use wasmill_sdk::{Aggregate, Record, Result, StateValue};

/// The one column that it is over.
#[derive(Record)]
pub struct Quake {
    mag: Option<f64>,
}

/// The energy so far.
#[derive(Default, StateValue)]
pub struct Radiated {
    quakes: u64,
    joules: f64,
}

/// What a job may set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What energy is given as.
    #[serde(default, rename = "as")]
    given_as: Unit,
}

/// What energy is given as.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Unit {
    #[default]
    Joules,
    /// The magnitude of one earthquake that radiates as much.
    Magnitude,
}

/// The function.
pub struct QuakeEnergy {
    given_as: Unit,
}

/// The common logarithm of the joules that a magnitude stands for: Gutenberg and Richter (1956).
fn log_joules(mag: f64) -> f64 {
    1.5 * mag + 4.8
}

impl Aggregate for QuakeEnergy {
    const NAME: &'static str = "quake-energy";
    type Input<'a> = Quake;
    type Accumulator = Radiated;
    type Output = Option<f64>;
    type Settings = Settings;

    fn open(settings: Settings) -> Result<Self> {
        Ok(Self { given_as: settings.given_as })
    }

    fn add(&self, radiated: &mut Radiated, quake: Quake) -> Result<()> {
        if let Some(mag) = quake.mag {
            radiated.quakes += 1;
            radiated.joules += 10_f64.powf(log_joules(mag));
        }
        Ok(())
    }

    fn merge(&self, radiated: &mut Radiated, other: Radiated) {
        radiated.quakes += other.quakes;
        radiated.joules += other.joules;
    }

    fn finish(&self, radiated: &Radiated) -> Option<f64> {
        (radiated.quakes > 0).then(|| match self.given_as {
            Unit::Joules => radiated.joules,
            Unit::Magnitude => (radiated.joules.log10() - log_joules(0.0)) / 1.5,
        })
    }
}

wasmill_sdk::export_aggregate!(QuakeEnergy);
