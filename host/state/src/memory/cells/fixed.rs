//! Values of one width, end to end.

/// A value of `width` bytes for each slot, end to end; zeros for a slot without one, so that loading needs no look at which are there.
#[derive(Debug)]
pub struct FixedCells {
    width: usize,
    data: Vec<u8>,
}

impl FixedCells {
    /// No cells, of values of `width` bytes, which may be 0.
    pub fn new(width: usize) -> Self {
        Self { width, data: Vec::new() }
    }

    /// The width of a value, in bytes.
    #[expect(clippy::cast_possible_truncation, reason = "it came from a u32")]
    pub fn width(&self) -> u32 {
        self.width as u32
    }

    /// Makes room for `slots` values.
    pub fn grow(&mut self, slots: usize) {
        self.data.resize((slots * self.width).max(self.data.len()), 0);
    }

    /// Makes room for so many more values.
    pub fn reserve(&mut self, slots: usize) {
        self.data.reserve(slots * self.width);
    }

    /// Appends the values of some slots.
    pub fn load(&self, places: &[u32], into: &mut Vec<u8>) {
        match self.width {
            0 => {}
            1 => gather::<1>(&self.data, places, into),
            4 => gather::<4>(&self.data, places, into),
            8 => gather::<8>(&self.data, places, into),
            16 => gather::<16>(&self.data, places, into),
            24 => gather::<24>(&self.data, places, into),
            _ => places.iter().for_each(|&place| into.extend_from_slice(self.get(place))),
        }
    }

    /// Writes value `i` of `data` to slot `places[i]`.
    pub fn store(&mut self, places: &[u32], data: &[u8]) {
        match self.width {
            0 => {}
            1 => scatter::<1>(&mut self.data, places, data),
            4 => scatter::<4>(&mut self.data, places, data),
            8 => scatter::<8>(&mut self.data, places, data),
            16 => scatter::<16>(&mut self.data, places, data),
            24 => scatter::<24>(&mut self.data, places, data),
            width => places.iter().zip(data.chunks_exact(width)).for_each(|(&place, value)| self.put(place, value)),
        }
    }

    /// The bytes of a slot.
    pub fn get(&self, place: u32) -> &[u8] {
        let start = place as usize * self.width;
        &self.data[start..start + self.width]
    }

    /// Writes one value.
    pub fn put(&mut self, place: u32, value: &[u8]) {
        let start = place as usize * self.width;
        self.data[start..start + self.width].copy_from_slice(value);
    }

    /// Makes a slot's bytes zeros.
    pub fn clear(&mut self, place: u32) {
        let start = place as usize * self.width;
        self.data[start..start + self.width].fill(0);
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.data.len()
    }

    /// The bytes that so many more values may take in passing.
    pub fn growth(&self, slots: usize) -> usize {
        if self.data.len() + slots * self.width > self.data.capacity() { self.data.len() } else { 0 }
    }
}

/// One load and one store a value: the width is known when this is compiled.
fn gather<const WIDTH: usize>(data: &[u8], places: &[u32], into: &mut Vec<u8>) {
    let (cells, _) = data.as_chunks::<WIDTH>();
    let start = into.len();
    into.resize(start + places.len() * WIDTH, 0);
    let (out, _) = into[start..].as_chunks_mut::<WIDTH>();
    for (out, &place) in out.iter_mut().zip(places) {
        *out = cells[place as usize];
    }
}

/// The way back.
fn scatter<const WIDTH: usize>(data: &mut [u8], places: &[u32], values: &[u8]) {
    let (cells, _) = data.as_chunks_mut::<WIDTH>();
    let (values, _) = values.as_chunks::<WIDTH>();
    for (value, &place) in values.iter().zip(places) {
        cells[place as usize] = *value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_stores_loads_and_clears_alike() {
        for width in [0, 1, 2, 3, 4, 8, 9, 16, 24, 40] {
            let mut cells = FixedCells::new(width);
            cells.grow(10);
            let values: Vec<u8> = (0..3 * width).map(|at| at as u8 + 1).collect();
            cells.store(&[7, 2, 9], &values);
            let mut loaded = vec![0xee];
            cells.load(&[9, 7, 0], &mut loaded);
            let expected: Vec<u8> = [&[0xee][..], &values[2 * width..], &values[..width], &vec![0; width]].concat();
            assert_eq!(loaded, expected, "width {width}");
            cells.clear(7);
            assert_eq!(cells.get(7), vec![0; width]);
            assert_eq!(cells.get(2), &values[width..2 * width]);
        }
    }
}
