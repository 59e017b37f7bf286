//! Measures of two numbers that go together: `covar_pop`, `covar_samp`, `corr` and the `regr_` functions of SQL. Format `pair`: how many
//! pairs there were as `i64`; the means of both numbers, the sums of the squared distances from them, and the sum of the distances'
//! products, as `f64`, by Welford's method.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, Int64Array};
use arrow_buffer::BooleanBuffer;

use super::accumulator::{Accumulator, Cells, Overflow};
use super::number::Number;
use super::spread::float;

/// A measure of pairs. Of `regr_…(y, x)`, `y` is the dependent number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    CovariancePopulation,
    CovarianceSample,
    Correlation,
    Count,
    AverageX,
    AverageY,
    SumXX,
    SumYY,
    SumXY,
    Slope,
    Intercept,
    R2,
}

/// What a cell holds. `y` is the first argument, `x` the second.
struct Moments {
    count: i64,
    y: f64,
    x: f64,
    yy: f64,
    xx: f64,
    xy: f64,
}

impl Moments {
    fn read(cell: &[u8]) -> Self {
        let number = |index: usize| f64::read(&cell[index * 8..]);
        Self { count: i64::read(cell), y: number(1), x: number(2), yy: number(3), xx: number(4), xy: number(5) }
    }

    fn write(&self, cell: &mut [u8]) {
        self.count.write(cell);
        for (index, number) in [self.y, self.x, self.yy, self.xx, self.xy].into_iter().enumerate() {
            number.write(&mut cell[(index + 1) * 8..]);
        }
    }

    fn add(&mut self, y: f64, x: f64) {
        self.count += 1;
        let (from_y, from_x) = (y - self.y, x - self.x);
        self.y += from_y / float(self.count);
        self.x += from_x / float(self.count);
        self.yy += from_y * (y - self.y);
        self.xx += from_x * (x - self.x);
        self.xy += from_x * (y - self.y);
    }

    /// What [`Self::add`] does, undone.
    fn take_back(&mut self, y: f64, x: f64) {
        self.count -= 1;
        if self.count <= 0 {
            *self = Self { count: 0, y: 0.0, x: 0.0, yy: 0.0, xx: 0.0, xy: 0.0 };
            return;
        }
        let (before_y, before_x) = (self.y - (y - self.y) / float(self.count), self.x - (x - self.x) / float(self.count));
        self.yy = (self.yy - (y - before_y) * (y - self.y)).max(0.0);
        self.xx = (self.xx - (x - before_x) * (x - self.x)).max(0.0);
        self.xy -= (x - before_x) * (y - self.y);
        (self.y, self.x) = (before_y, before_x);
    }
}

impl Pair {
    /// The value; null where it isn't defined, as SQL has it.
    fn value(self, of: &Moments) -> Option<f64> {
        let seen = |value: f64| (of.count > 0).then_some(value);
        match self {
            Self::CovariancePopulation => seen(of.xy / float(of.count)),
            Self::CovarianceSample => (of.count > 1).then(|| of.xy / float(of.count - 1)),
            Self::Correlation => (of.xx > 0.0 && of.yy > 0.0).then(|| of.xy / (of.xx.sqrt() * of.yy.sqrt())),
            Self::Count => Some(float(of.count)),
            Self::AverageX => seen(of.x),
            Self::AverageY => seen(of.y),
            Self::SumXX => seen(of.xx),
            Self::SumYY => seen(of.yy),
            Self::SumXY => seen(of.xy),
            Self::Slope => (of.xx > 0.0).then(|| of.xy / of.xx),
            Self::Intercept => (of.xx > 0.0).then(|| of.y - of.xy / of.xx * of.x),
            Self::R2 if of.xx > 0.0 => Some(if of.yy > 0.0 { of.xy * of.xy / (of.xx * of.yy) } else { 1.0 }),
            Self::R2 => None,
        }
    }
}

impl Pair {
    /// Takes rows, or takes those back that are said to be.
    fn take(
        self,
        mut cells: Cells<'_>,
        keys: &[u32],
        arguments: &[ArrayRef],
        back: impl Fn(usize) -> bool,
    ) -> Result<ArrayRef, Overflow> {
        let [y, x] = [0, 1].map(|index| arguments[index].as_primitive::<Float64Type>());
        let mut after = |row: usize, key: u32, y: Option<f64>, x: Option<f64>| {
            let cell = cells.of::<48>(key);
            let mut moments = Moments::read(cell);
            if let (Some(y), Some(x)) = (y, x) {
                if back(row) {
                    moments.take_back(y, x)
                } else {
                    moments.add(y, x)
                }
                moments.write(cell);
            }
            moments
        };
        let rows = keys.iter().zip(y.iter().zip(x)).enumerate();
        let moments = rows.map(|(row, (&key, (y, x)))| after(row, key, y, x));
        Ok(match self {
            Self::Count => Arc::new(moments.map(|moments| Some(moments.count)).collect::<Int64Array>()),
            other => Arc::new(moments.map(|moments| other.value(&moments)).collect::<Float64Array>()),
        })
    }
}

impl Accumulator for Pair {
    fn width(&self) -> usize {
        48
    }

    fn format(&self) -> String {
        "pair".to_owned()
    }

    fn update(&self, cells: Cells<'_>, keys: &[u32], arguments: &[ArrayRef]) -> Result<ArrayRef, Overflow> {
        self.take(cells, keys, arguments, |_| false)
    }

    fn retracts(&self) -> bool {
        true
    }

    fn change(&self, cells: Cells<'_>, keys: &[u32], arguments: &[ArrayRef], back: &BooleanBuffer) -> Result<ArrayRef, Overflow> {
        self.take(cells, keys, arguments, |row| back.value(row))
    }

    /// As variances are merged.
    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Result<(), Overflow> {
        let (mut own, other) = (Moments::read(cell), Moments::read(other));
        if other.count > 0 {
            let all = own.count + other.count;
            let (y, x) = (other.y - own.y, other.x - own.x);
            let (part, weight) = (float(other.count) / float(all), float(own.count) * float(other.count) / float(all));
            own.count = all;
            own.y += y * part;
            own.x += x * part;
            own.yy += other.yy + y * y * weight;
            own.xx += other.xx + x * x * weight;
            own.xy += other.xy + x * y * weight;
            own.write(cell);
        }
        Ok(())
    }
}
