//! The bytes of states' values.

use crate::{Date, Decimal, Timestamp};

/// A type whose values a [`ValueState`](crate::ValueState) keeps. Derive it for structs.
///
/// The bytes are part of snapshots. A type's never change; if yours must, raise the state's version.
///
/// | type | bytes |
/// |---|---|
/// | integers, floats, [`Decimal`] (16), [`Timestamp`] (8), [`Date`] (4) | little-endian |
/// | `bool` | one: 0 or 1 |
/// | `String`, `Vec<T>` | the number of bytes or items in 4, then those |
/// | `Option<T>` | 0, or 1 and the value |
/// | tuples, arrays, derived structs | their parts in order, with nothing between |
///
/// A type whose values all have the same number of bytes ([`WIDTH`](Self::WIDTH)), at most 1,024, is much cheaper than one whose
/// values don't: they stay as they came, and a record reads and writes them in place.
///
/// ```
/// use wasmill_sdk::StateValue;
///
/// #[derive(Clone, Default, Debug, PartialEq, StateValue)]
/// struct Seen {
///     count: u64,
///     last: Option<String>,
/// }
///
/// let seen = Seen { count: 2, last: Some("ak".into()) };
/// let mut bytes = Vec::new();
/// seen.write(&mut bytes);
/// assert_eq!(Seen::read(&mut bytes.as_slice()), Some(seen));
/// ```
pub trait StateValue: Sized + 'static {
    /// The number of bytes of every value, if it is always the same.
    const WIDTH: Option<u32>;

    /// Writes the value.
    fn write<S: Sink>(&self, to: &mut S);

    /// Reads a value from the beginning of `from`, and leaves what comes after it there. Nothing if the bytes aren't a value.
    fn read(from: &mut &[u8]) -> Option<Self>;
}

/// What a value's bytes are written to.
///
/// ```
/// use wasmill_sdk::StateValue;
///
/// let mut bytes = Vec::new(); // a `Sink`
/// 7_u32.write(&mut bytes);
/// assert_eq!(bytes, [7, 0, 0, 0]);
/// ```
pub trait Sink {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes in place. Panics where the place is too small.
impl Sink for &mut [u8] {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let (place, rest) = std::mem::take(self).split_at_mut(bytes.len());
        place.copy_from_slice(bytes);
        *self = rest;
    }
}

/// The width of parts together, if each has one.
#[doc(hidden)]
pub const fn sum_of_widths(parts: &[Option<u32>]) -> Option<u32> {
    let mut sum = 0;
    let mut part = 0;
    while part < parts.len() {
        match parts[part] {
            Some(width) => sum += width,
            None => return None,
        }
        part += 1;
    }
    Some(sum)
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl StateValue for $number {
            const WIDTH: Option<u32> = Some(size_of::<$number>() as u32);

            #[inline(always)]
            fn write<S: Sink>(&self, to: &mut S) {
                to.put(&self.to_le_bytes());
            }

            #[inline(always)]
            fn read(from: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )*};
}

numbers! { i8 u8 i16 u16 i32 u32 i64 u64 i128 u128 f32 f64 }

macro_rules! wrappers {
    ($([$($parameter:tt)*] $type:ty, $number:ty, $from:expr, $into:expr;)*) => {$(
        impl<$($parameter)*> StateValue for $type {
            const WIDTH: Option<u32> = <$number>::WIDTH;

            #[inline(always)]
            fn write<S: Sink>(&self, to: &mut S) {
                $into(*self).write(to);
            }

            #[inline(always)]
            fn read(from: &mut &[u8]) -> Option<Self> {
                <$number>::read(from).map($from)
            }
        }
    )*};
}

wrappers! {
    [] Timestamp, i64, Timestamp::from_millis, Timestamp::millis;
    [] Date, i32, Date::from_days, Date::days;
    [const PRECISION: u8, const SCALE: i8] Decimal<PRECISION, SCALE>, i128, Decimal::from_units, Decimal::units;
}

impl StateValue for bool {
    const WIDTH: Option<u32> = Some(1);

    #[inline(always)]
    fn write<S: Sink>(&self, to: &mut S) {
        to.put(&[u8::from(*self)]);
    }

    #[inline(always)]
    fn read(from: &mut &[u8]) -> Option<Self> {
        match u8::read(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl StateValue for String {
    const WIDTH: Option<u32> = None;

    fn write<S: Sink>(&self, to: &mut S) {
        (self.len() as u32).write(to);
        to.put(self.as_bytes());
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let len = u32::read(from)? as usize;
        let (bytes, rest) = from.split_at_checked(len)?;
        *from = rest;
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    }
}

impl<T: StateValue> StateValue for Vec<T> {
    const WIDTH: Option<u32> = None;

    fn write<S: Sink>(&self, to: &mut S) {
        (self.len() as u32).write(to);
        self.iter().for_each(|item| item.write(to));
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let len = u32::read(from)? as usize;
        // Bytes that only claim to be many items must not get the memory for them.
        let mut items = Self::with_capacity(len.min(from.len()));
        for _ in 0..len {
            items.push(T::read(from)?);
        }
        Some(items)
    }
}

impl<T: StateValue> StateValue for Option<T> {
    const WIDTH: Option<u32> = None;

    #[inline]
    fn write<S: Sink>(&self, to: &mut S) {
        self.is_some().write(to);
        if let Some(value) = self {
            value.write(to);
        }
    }

    #[inline]
    fn read(from: &mut &[u8]) -> Option<Self> {
        if bool::read(from)? { T::read(from).map(Some) } else { Some(None) }
    }
}

impl<T: StateValue, const N: usize> StateValue for [T; N] {
    const WIDTH: Option<u32> = match T::WIDTH {
        Some(width) => Some(width * N as u32),
        None => None,
    };

    #[inline]
    fn write<S: Sink>(&self, to: &mut S) {
        self.iter().for_each(|item| item.write(to));
    }

    #[inline]
    fn read(from: &mut &[u8]) -> Option<Self> {
        let items: [Option<T>; N] = std::array::from_fn(|_| T::read(from));
        if items.iter().any(Option::is_none) {
            return None;
        }
        Some(items.map(|item| item.unwrap_or_else(|| unreachable!("each was read"))))
    }
}

/// Nothing but that it is there.
impl StateValue for () {
    const WIDTH: Option<u32> = Some(0);

    fn write<S: Sink>(&self, _: &mut S) {}

    fn read(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

macro_rules! tuples {
    ($(($($part:ident $at:tt),+))*) => {$(
        impl<$($part: StateValue),+> StateValue for ($($part,)+) {
            const WIDTH: Option<u32> = sum_of_widths(&[$($part::WIDTH),+]);

            #[inline(always)]
            fn write<S: Sink>(&self, to: &mut S) {
                $(self.$at.write(to);)+
            }

            #[inline(always)]
            fn read(from: &mut &[u8]) -> Option<Self> {
                Some(($($part::read(from)?,)+))
            }
        }
    )*};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
