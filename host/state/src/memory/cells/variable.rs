//! Values of any length, short ones in their cell.

use super::short_bytes::ShortBytes;

/// A value for each slot; the empty one for a slot without.
#[derive(Debug, Default)]
pub struct VariableCells {
    cells: Vec<ShortBytes>,
    outside: usize,
}

impl VariableCells {
    /// Makes room for `slots` values.
    pub fn grow(&mut self, slots: usize) {
        self.cells.resize(slots.max(self.cells.len()), ShortBytes::EMPTY);
    }

    /// Makes room for so many more values.
    pub fn reserve(&mut self, slots: usize) {
        self.cells.reserve(slots);
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
        self.cells[place as usize].get()
    }

    /// Writes one value.
    pub fn put(&mut self, place: u32, value: &[u8]) {
        let cell = &mut self.cells[place as usize];
        self.outside -= cell.outside();
        cell.set(value);
        self.outside += cell.outside();
    }

    /// Writes behind a value; what it costs follows from what is written, not from what is there.
    pub fn append(&mut self, place: u32, more: &[u8]) {
        let cell = &mut self.cells[place as usize];
        self.outside -= cell.outside();
        cell.append(more);
        self.outside += cell.outside();
    }

    /// Forgets a slot's value.
    pub fn clear(&mut self, place: u32) {
        self.put(place, &[]);
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.cells.len() * size_of::<ShortBytes>() + self.outside
    }

    /// The bytes that so many more values may take in passing.
    pub fn growth(&self, slots: usize) -> usize {
        if self.cells.len() + slots > self.cells.capacity() { self.cells.len() * size_of::<ShortBytes>() } else { 0 }
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
            assert_eq!(cells.outside, if length > 22 { length } else { 0 });
        }
        let (mut offsets, mut data) = (Vec::new(), Vec::new());
        cells.put(0, b"abc");
        cells.load(&[1, 0, 0], &mut offsets, &mut data);
        assert_eq!((offsets, data), (vec![0, 0, 3, 6], b"abcabc".to_vec()));
        cells.clear(0);
        assert_eq!(cells.get(0), b"");
    }
}
