//! A byte string that is kept where it stands while it is short.

use std::borrow::Borrow;
use std::cmp::Ordering;

/// The longest that is kept where it stands.
const INLINE: usize = 22;

/// Bytes of any length: 24 bytes, and what is longer outside. Ordered by its bytes.
#[derive(Debug, Clone)]
pub enum ShortBytes {
    Inline {
        length: u8,
        bytes: [u8; INLINE],
    },
    Boxed(Box<[u8]>),
    /// They were appended to, and have room for more.
    Grown(Box<Vec<u8>>),
}

const _: () = assert!(size_of::<ShortBytes>() == 24);

impl ShortBytes {
    pub const EMPTY: Self = Self::Inline { length: 0, bytes: [0; INLINE] };

    /// The bytes.
    #[inline]
    pub fn get(&self) -> &[u8] {
        match self {
            Self::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Self::Boxed(bytes) => bytes,
            Self::Grown(bytes) => bytes,
        }
    }

    /// Puts others in their place.
    pub fn set(&mut self, value: &[u8]) {
        match self {
            Self::Boxed(old) if old.len() == value.len() => old.copy_from_slice(value),
            _ => *self = value.into(),
        }
    }

    /// Bytes held elsewhere.
    pub fn outside(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Boxed(bytes) => bytes.len(),
            Self::Grown(bytes) => size_of::<Vec<u8>>() + bytes.capacity(),
        }
    }

    /// Writes behind them; what it costs follows from what is written, not from what is there.
    pub fn append(&mut self, more: &[u8]) {
        if let Self::Grown(bytes) = self {
            bytes.extend_from_slice(more);
        } else if self.get().len() + more.len() > INLINE {
            let mut bytes = Vec::with_capacity((self.get().len() + more.len()).next_power_of_two());
            bytes.extend_from_slice(self.get());
            bytes.extend_from_slice(more);
            *self = Self::Grown(Box::new(bytes));
        } else {
            *self = [self.get(), more].concat().as_slice().into();
        }
    }
}

impl From<&[u8]> for ShortBytes {
    fn from(value: &[u8]) -> Self {
        if value.len() > INLINE {
            return Self::Boxed(value.into());
        }
        let mut bytes = [0; INLINE];
        bytes[..value.len()].copy_from_slice(value);
        #[expect(clippy::cast_possible_truncation, reason = "at most 22")]
        Self::Inline { length: value.len() as u8, bytes }
    }
}

impl Borrow<[u8]> for ShortBytes {
    fn borrow(&self) -> &[u8] {
        self.get()
    }
}

impl PartialEq for ShortBytes {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for ShortBytes {}

impl PartialOrd for ShortBytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ShortBytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.get().cmp(other.get())
    }
}
