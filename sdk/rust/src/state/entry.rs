//! The bytes of maps' entries, in whose order maps are.

use crate::{Date, Timestamp};

/// A type whose values are the entries of a [`MapState`](crate::MapState). The order of their bytes is the order of the values.
///
/// The bytes are part of snapshots, and never change.
///
/// | type | bytes |
/// |---|---|
/// | unsigned integers | big-endian |
/// | signed integers, [`Timestamp`] (8), [`Date`] (4) | big-endian, with the highest bit turned over |
/// | `bool` | one: 0 or 1 |
/// | `String` | its bytes, each 0 followed by 255, then two zeros |
/// | tuples | their parts in order, with nothing between |
///
/// ```
/// use wasmill_sdk::MapEntry;
///
/// let bytes = |entry: (String, i32)| {
///     let mut bytes = Vec::new();
///     entry.write(&mut bytes);
///     bytes
/// };
/// assert!(bytes(("ak".into(), -5)) < bytes(("ak".into(), 3)));
/// assert!(bytes(("ak".into(), 3)) < bytes(("aka".into(), -5)));
/// ```
pub trait MapEntry: Sized + 'static {
    /// Appends the bytes.
    fn write(&self, to: &mut Vec<u8>);

    /// Reads an entry from the beginning of `from`, and leaves what comes after it there. Nothing if the bytes aren't one.
    fn read(from: &mut &[u8]) -> Option<Self>;
}

/// What an entry can be looked up by: itself, or for a `String` a `str`.
///
/// ```
/// use wasmill_sdk::{AsMapEntry, MapEntry};
///
/// let (mut one, mut other) = (Vec::new(), Vec::new());
/// AsMapEntry::<String>::write_entry("ak", &mut one);
/// MapEntry::write(&"ak".to_owned(), &mut other);
/// assert_eq!(one, other);
/// ```
pub trait AsMapEntry<E: MapEntry> {
    /// Appends the bytes that the entry has.
    fn write_entry(&self, to: &mut Vec<u8>);
}

impl<E: MapEntry> AsMapEntry<E> for E {
    fn write_entry(&self, to: &mut Vec<u8>) {
        self.write(to);
    }
}

impl AsMapEntry<String> for str {
    fn write_entry(&self, to: &mut Vec<u8>) {
        for &byte in self.as_bytes() {
            to.push(byte);
            if byte == 0 {
                to.push(255);
            }
        }
        to.extend_from_slice(&[0, 0]);
    }
}

impl MapEntry for String {
    fn write(&self, to: &mut Vec<u8>) {
        self.as_str().write_entry(to);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let mut bytes = Vec::new();
        loop {
            let (&byte, rest) = from.split_first()?;
            *from = rest;
            if byte == 0 {
                let (&next, rest) = from.split_first()?;
                *from = rest;
                match next {
                    0 => return Self::from_utf8(bytes).ok(),
                    255 => {}
                    _ => return None,
                }
            }
            bytes.push(byte);
        }
    }
}

macro_rules! numbers {
    ($($number:ty, $highest:expr;)*) => {$(
        impl MapEntry for $number {
            fn write(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&(*self ^ $highest).to_be_bytes());
            }

            fn read(from: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(Self::from_be_bytes(*bytes) ^ $highest)
            }
        }
    )*};
}

numbers! { u8, 0; u16, 0; u32, 0; u64, 0; u128, 0; i8, Self::MIN; i16, Self::MIN; i32, Self::MIN; i64, Self::MIN; i128, Self::MIN; }

impl MapEntry for bool {
    fn write(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        match u8::read(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl MapEntry for Timestamp {
    fn write(&self, to: &mut Vec<u8>) {
        self.millis().write(to);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        i64::read(from).map(Self::from_millis)
    }
}

impl MapEntry for Date {
    fn write(&self, to: &mut Vec<u8>) {
        self.days().write(to);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        i32::read(from).map(Self::from_days)
    }
}

macro_rules! tuples {
    ($(($($part:ident $at:tt),+))*) => {$(
        impl<$($part: MapEntry),+> MapEntry for ($($part,)+) {
            fn write(&self, to: &mut Vec<u8>) {
                $(self.$at.write(to);)+
            }

            fn read(from: &mut &[u8]) -> Option<Self> {
                Some(($($part::read(from)?,)+))
            }
        }
    )*};
}

tuples! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
}
