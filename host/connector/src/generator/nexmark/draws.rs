//! Random numbers of one event, one after another.

use super::super::mix::mix;

/// The step of splitmix64's counter.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Splitmix64, started anew for each event.
#[derive(Debug, Clone)]
pub(super) struct Draws(u64);

impl Draws {
    pub(super) const fn from(start: u64) -> Self {
        Self(start)
    }

    fn next(&mut self) -> u64 {
        let drawn = mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        drawn
    }

    /// A uniform number below `count`, which is at most 2^32.
    #[inline]
    pub(super) fn below(&mut self, count: u64) -> u64 {
        ((self.next() >> 32) * count) >> 32
    }

    /// `100 * 10^(6u)`, rounded, with a uniform `u`: from 100 to 10^8, as often in each decade.
    pub(super) fn price(&mut self) -> i64 {
        const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
        let uniform = (self.next() >> 11) as f64 * UNIT;
        (10_f64.powf(uniform * 6.0) * 100.0).round() as i64
    }

    /// From 3 to `most - 1` letters, of which one in thirteen is `special`; spaces at the ends are cut off.
    pub(super) fn text(&mut self, most: u64, special: char, out: &mut String) {
        let start = out.len();
        for _ in 0..3 + self.below(most - 3) {
            let letter = match self.below(13) {
                0 => special,
                _ => char::from(b'a' + self.below(26) as u8),
            };
            if letter != ' ' || out.len() > start {
                out.push(letter);
            }
        }
        out.truncate(start + out[start..].trim_end().len());
    }
}
