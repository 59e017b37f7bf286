//! Values of any length, short ones in their cell.

/// The longest value that is kept in its cell.
const INLINE: usize = 22;

/// One value: 24 bytes.
#[derive(Debug, Clone)]
#[expect(clippy::box_collection, reason = "a cell is of 24 bytes, of which a `Vec` would leave none to tell it by")]
enum Cell {
    Inline {
        length: u8,
        bytes: [u8; INLINE],
    },
    Boxed(Box<[u8]>),
    /// One that was appended to, and has room for more.
    Grown(Box<Vec<u8>>),
}

const _: () = assert!(size_of::<Cell>() == 24);

const EMPTY: Cell = Cell::Inline { length: 0, bytes: [0; INLINE] };

impl Cell {
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Self::Boxed(bytes) => bytes,
            Self::Grown(bytes) => bytes,
        }
    }

    /// Bytes held outside the cell.
    fn outside(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Boxed(bytes) => bytes.len(),
            Self::Grown(bytes) => size_of::<Vec<u8>>() + bytes.capacity(),
        }
    }
}

/// A value for each slot; the empty one for a slot without.
#[derive(Debug, Default)]
pub struct VariableCells {
    cells: Vec<Cell>,
    outside: usize,
}

impl VariableCells {
    /// Makes room for `slots` values.
    pub fn grow(&mut self, slots: usize) {
        self.cells.resize(slots.max(self.cells.len()), EMPTY);
    }

    /// Appends the values of some slots, and where each ends; a first offset of 0 before them.
    pub fn load(&self, places: &[u32], offsets: &mut Vec<u32>, data: &mut Vec<u8>) {
        offsets.reserve(places.len() + 1);
        offsets.push(0);
        for &place in places {
            data.extend_from_slice(self.get(place));
            #[expect(clippy::cast_possible_truncation, reason = "the values of one batch's keys are far smaller than 4 GiB")]
            offsets.push(data.len() as u32);
        }
    }

    /// The bytes of a slot.
    #[inline]
    pub fn get(&self, place: u32) -> &[u8] {
        self.cells[place as usize].bytes()
    }

    /// Writes one value.
    pub fn put(&mut self, place: u32, value: &[u8]) {
        let cell = &mut self.cells[place as usize];
        if let Cell::Boxed(old) = cell
            && old.len() == value.len()
        {
            old.copy_from_slice(value);
            return;
        }
        self.outside -= cell.outside();
        *cell = if value.len() <= INLINE {
            let mut bytes = [0; INLINE];
            bytes[..value.len()].copy_from_slice(value);
            #[expect(clippy::cast_possible_truncation, reason = "at most 22")]
            Cell::Inline { length: value.len() as u8, bytes }
        } else {
            Cell::Boxed(value.into())
        };
        self.outside += cell.outside();
    }

    /// Writes behind a value; what it costs follows from what is written, not from what is there.
    pub fn append(&mut self, place: u32, more: &[u8]) {
        let cell = &mut self.cells[place as usize];
        self.outside -= cell.outside();
        if let Cell::Grown(bytes) = cell {
            bytes.extend_from_slice(more);
        } else if cell.bytes().len() + more.len() > INLINE {
            let mut bytes = Vec::with_capacity((cell.bytes().len() + more.len()).next_power_of_two());
            bytes.extend_from_slice(cell.bytes());
            bytes.extend_from_slice(more);
            *cell = Cell::Grown(Box::new(bytes));
        } else {
            let mut bytes = [0; INLINE];
            let length = cell.bytes().len();
            bytes[..length].copy_from_slice(cell.bytes());
            bytes[length..length + more.len()].copy_from_slice(more);
            #[expect(clippy::cast_possible_truncation, reason = "at most 22")]
            let length = (length + more.len()) as u8;
            *cell = Cell::Inline { length, bytes };
        }
        self.outside += cell.outside();
    }

    /// Forgets a slot's value.
    pub fn clear(&mut self, place: u32) {
        self.put(place, &[]);
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.cells.len() * size_of::<Cell>() + self.outside
    }

    /// The bytes that so many more values may take in passing.
    pub fn growth(&self, slots: usize) -> usize {
        if self.cells.len() + slots > self.cells.capacity() { self.cells.len() * size_of::<Cell>() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_grows_by_what_is_appended() {
        let mut cells = VariableCells::default();
        cells.grow(2);
        let mut expected = Vec::new();
        for length in [0, 3, 19, 1, 100, 7] {
            let more = vec![length as u8; length];
            cells.append(1, &more);
            expected.extend(more);
            assert_eq!(cells.get(1), expected);
        }
        assert!(cells.outside >= expected.len());
        cells.put(1, &[9; 40]);
        cells.append(1, &[8]);
        assert_eq!(cells.get(1), [vec![9; 40], vec![8]].concat());
        cells.clear(1);
        assert_eq!((cells.get(1), cells.outside), (&[][..], 0));
    }

    #[test]
    fn values_of_every_length_replace_each_other() {
        let mut cells = VariableCells::default();
        cells.grow(2);
        for length in [0, 22, 23, 23, 5, 100, 24, 0] {
            let value = vec![length as u8; length];
            cells.put(1, &value);
            assert_eq!(cells.get(1), value);
            assert_eq!(cells.outside, if length > INLINE { length } else { 0 });
        }
        let (mut offsets, mut data) = (Vec::new(), Vec::new());
        cells.put(0, b"abc");
        cells.load(&[1, 0, 0], &mut offsets, &mut data);
        assert_eq!((offsets, data), (vec![0, 0, 3, 6], b"abcabc".to_vec()));
        cells.clear(0);
        assert_eq!(cells.get(0), b"");
    }
}
