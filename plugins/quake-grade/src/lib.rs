//! Grades earthquakes by magnitude, and estimates how far away they are felt.

mod felt;
mod grade;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use wasmill_sdk::{Context, Error, Open, Operator, Process, Record, Result};

/// What is read of an earthquake.
#[derive(Record)]
pub struct Quake {
    mag: Option<f64>,
    depth: Option<f64>,
}

/// What is added to it.
#[derive(Record, Debug, PartialEq)]
pub struct Graded<'a> {
    grade: &'a str,
    felt_km: Option<f64>,
}

/// What a job may set.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// The smallest magnitude for which a felt radius is given.
    #[serde(default = "usually_felt")]
    felt_from: f64,
}

/// Magnitudes below are usually not felt.
fn usually_felt() -> f64 {
    2.5
}

/// The operator.
#[derive(Operator)]
#[operator(keep = "input")]
pub struct QuakeGrade {
    felt_from: f64,
}

impl Process for QuakeGrade {
    type Input<'a> = Quake;
    type Output = Graded<'static>;
    type Settings = Settings;

    fn check(settings: &Settings) -> Result<()> {
        if (-5.0..=10.0).contains(&settings.felt_from) {
            return Ok(());
        }
        Err(Error::fail("settings: felt-from: expected a magnitude from -5 to 10"))
    }

    fn open(settings: Settings, _: &mut Open) -> Result<Self> {
        Ok(Self { felt_from: settings.felt_from })
    }

    fn process(&mut self, quake: Quake, cx: &mut Context<Self>) -> Result<()> {
        let Some(mag) = quake.mag.filter(|mag| mag.is_finite()) else {
            cx.reject("mag: an earthquake without a magnitude can't be graded");
            return Ok(());
        };
        let felt_km = (mag >= self.felt_from).then(|| felt::radius_km(mag, quake.depth.unwrap_or(felt::UNKNOWN_DEPTH_KM)));
        cx.emit(Graded { grade: grade::of(mag), felt_km });
        Ok(())
    }
}

wasmill_sdk::export!(QuakeGrade);
