//! The texts that events share: channels with their addresses, names, and what rows are filled up with.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::{ArrayRef, StringViewArray, UInt16Array};
use arrow_buffer::Buffer;
use arrow_select::take::take;

use super::super::mix::mix;
use super::draws::Draws;

const FIRST_NAMES: [&str; 11] = ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const CHANNELS: u64 = 10_000;
/// What the addresses and the padding are drawn from: the same in every job.
const CHANNEL_SALT: u64 = 0x6368_616e_6e65_6c73;
const PADDING_SALT: u64 = 0x7061_6464_696e_6773;
const PADDING: u64 = 1 << 20;

/// Texts that are made once; rows have views of them.
#[derive(Debug)]
pub(super) struct Texts {
    /// The hot channels, and behind them the others.
    channels: StringViewArray,
    /// Their addresses.
    addresses: StringViewArray,
    /// Random letters; `extra` is a piece of them.
    padding: Buffer,
}

impl Texts {
    pub(super) fn new() -> Self {
        let (mut channels, mut addresses) = (StringViewBuilder::new(), StringViewBuilder::new());
        for channel in 0..HOT_CHANNELS.len() as u64 + CHANNELS {
            let other = channel.checked_sub(HOT_CHANNELS.len() as u64);
            let mut draws = Draws::from(mix(CHANNEL_SALT ^ channel));
            let mut address = address(&mut draws);
            match other {
                None => channels.append_value(HOT_CHANNELS[channel as usize]),
                Some(other) => {
                    channels.append_value(format!("channel-{other}"));
                    if draws.below(10) > 0 {
                        // As the original has it, which leaves the smallest number negative.
                        let reversed = (other as u32).reverse_bits() as i32;
                        write!(address, "&channel_id={}", reversed.wrapping_abs()).unwrap_or_default();
                    }
                }
            }
            addresses.append_value(address);
        }
        let padding: Vec<u8> = (0..PADDING).map(|place| b'a' + (mix(PADDING_SALT ^ place) % 26) as u8).collect();
        Self { channels: channels.finish(), addresses: addresses.finish(), padding: Buffer::from_vec(padding) }
    }

    /// A channel by its number.
    pub(super) fn channel(draws: &mut Draws) -> u16 {
        let channel = if draws.below(2) > 0 {
            draws.below(HOT_CHANNELS.len() as u64)
        } else {
            HOT_CHANNELS.len() as u64 + draws.below(CHANNELS)
        };
        channel as u16
    }

    /// The names and the addresses of channels by their numbers.
    pub(super) fn channels(&self, numbers: Vec<u16>) -> [ArrayRef; 2] {
        let numbers = UInt16Array::from(numbers);
        #[expect(clippy::expect_used, reason = "numbers are drawn below the number of channels")]
        [&self.channels, &self.addresses].map(|texts| take(texts, &numbers, None).expect("a channel's number"))
    }

    /// A column of paddings, empty.
    pub(super) fn paddings(&self, rows: usize) -> Paddings {
        let mut column = StringViewBuilder::with_capacity(rows);
        let block = column.append_block(self.padding.clone());
        Paddings { column, block }
    }
}

/// The column `extra`: what fills a row up to about the size that its kind has.
pub(super) struct Paddings {
    column: StringViewBuilder,
    block: u32,
}

impl Paddings {
    /// The padding of a row that has `size` bytes and is to have about `target`.
    pub(super) fn fill(&mut self, size: usize, target: usize, draws: &mut Draws) {
        let Some(width) = target.checked_sub(size).filter(|width| *width > 0) else {
            self.column.append_value("");
            return;
        };
        let width = width as u64;
        let delta = (width as f64 * 0.2).round() as u64;
        let length = width - delta + if delta > 0 { draws.below(2 * delta) } else { 0 };
        let offset = draws.below(PADDING - length);
        #[expect(clippy::expect_used, reason = "a piece within the padding, which is letters")]
        self.column.try_append_view(self.block, offset as u32, length as u32).expect("a piece of the padding");
    }

    pub(super) fn finish(mut self) -> ArrayRef {
        Arc::new(self.column.finish())
    }
}

fn address(draws: &mut Draws) -> String {
    let mut address = "https://www.nexmark.com/".to_owned();
    for _ in 0..3 {
        draws.text(5, '_', &mut address);
        address.push('/');
    }
    address + "item.htm?query=1"
}

fn one_of(texts: &'static [&'static str], draws: &mut Draws) -> &'static str {
    texts[draws.below(texts.len() as u64) as usize]
}

pub(super) fn name(draws: &mut Draws, out: &mut String) {
    *out += one_of(&FIRST_NAMES, draws);
    out.push(' ');
    *out += one_of(&LAST_NAMES, draws);
}

pub(super) fn email(draws: &mut Draws, out: &mut String) {
    draws.text(7, ' ', out);
    out.push('@');
    draws.text(5, ' ', out);
    *out += ".com";
}

pub(super) fn credit_card(draws: &mut Draws, out: &mut String) {
    for group in 0..4 {
        let gap = if group == 0 { "" } else { " " };
        write!(out, "{gap}{:04}", draws.below(10_000)).unwrap_or_default();
    }
}

pub(super) fn city(draws: &mut Draws) -> &'static str {
    one_of(&CITIES, draws)
}

pub(super) fn state(draws: &mut Draws) -> &'static str {
    one_of(&STATES, draws)
}
