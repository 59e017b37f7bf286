//! The values of one state for some keys, laid out as they cross the sandbox.

use crate::items::check_offsets;

/// A value for each of some keys, in the order of those keys: the layout of `values` in `wit/data.wit`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// One bit a key, least significant first, set where the key has a value.
    pub present: Vec<u8>,
    /// The end to end layout: value `i` is `data[offsets[i]..offsets[i + 1]]`. Empty for a state with a fixed width.
    pub offsets: Vec<u32>,
    /// The values' bytes. With a fixed width, a key without a value has zeros; otherwise no bytes.
    pub data: Vec<u8>,
}

impl Values {
    /// Whether key `index` has a value.
    #[must_use]
    #[inline]
    pub fn is_present(&self, index: usize) -> bool {
        self.present[index / 8] >> (index % 8) & 1 == 1
    }

    /// The value of key `index`; `width` is the state's fixed width.
    #[must_use]
    #[inline]
    pub fn get(&self, index: usize, width: Option<u32>) -> Option<&[u8]> {
        if !self.is_present(index) {
            return None;
        }
        Some(match width {
            Some(width) => &self.data[index * width as usize..(index + 1) * width as usize],
            None => &self.data[self.offsets[index] as usize..self.offsets[index + 1] as usize],
        })
    }

    /// Adds a value, or that there is none; of a state without a fixed width. `offsets` must have had its first item, 0.
    pub fn push(&mut self, value: Option<&[u8]>) {
        let index = self.offsets.len() - 1;
        if index.is_multiple_of(8) {
            self.present.push(0);
        }
        if let Some(value) = value {
            self.present[index / 8] |= 1 << (index % 8);
            self.data.extend_from_slice(value);
        }
        #[expect(clippy::cast_possible_truncation, reason = "what is held or crosses at once is limited to far less than 4 GiB")]
        self.offsets.push(self.data.len() as u32);
    }

    /// No values of a state without a fixed width, to push to.
    #[must_use]
    pub fn end_to_end() -> Self {
        Self { present: Vec::new(), offsets: vec![0], data: Vec::new() }
    }

    /// Checks what came from outside: that there are exactly `keys` values of the state's width, offsets that never fall and end
    /// where the data does, and no value longer than `longest`.
    ///
    /// # Errors
    /// What is wrong, as a sentence that names the list.
    pub fn check(&self, keys: usize, width: Option<u32>, longest: usize) -> Result<(), String> {
        if self.present.len() != keys.div_ceil(8) {
            return Err(format!("`present` has {} bytes, expected {} for {keys} keys", self.present.len(), keys.div_ceil(8)));
        }
        match width {
            Some(width) => {
                if !self.offsets.is_empty() {
                    return Err(format!(
                        "`offsets` has {} items, expected none: the state has a fixed width",
                        self.offsets.len()
                    ));
                }
                if self.data.len() != keys * width as usize {
                    return Err(format!("`data` has {} bytes, expected {keys} values of {width} bytes", self.data.len()));
                }
            }
            None => {
                check_offsets(&self.offsets, self.data.len(), keys, longest)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(present: &[u8], data: &[u8]) -> Values {
        Values { present: present.to_vec(), offsets: Vec::new(), data: data.to_vec() }
    }

    fn variable(present: &[u8], offsets: &[u32], data: &[u8]) -> Values {
        Values { present: present.to_vec(), offsets: offsets.to_vec(), data: data.to_vec() }
    }

    #[test]
    fn a_value_is_got_by_its_key() {
        let values = fixed(&[0b101], &[1, 2, 0, 0, 5, 6]);
        assert_eq!(values.check(3, Some(2), 100), Ok(()));
        assert_eq!([0, 1, 2].map(|key| values.get(key, Some(2))), [Some(&[1, 2][..]), None, Some(&[5, 6][..])]);
        let values = variable(&[0b101], &[0, 1, 1, 1], &[9]);
        assert_eq!(values.check(3, None, 100), Ok(()));
        assert_eq!([0, 1, 2].map(|key| values.get(key, None)), [Some(&[9][..]), None, Some(&[][..])]);
    }

    #[test]
    fn what_is_laid_out_badly_is_said() {
        let said = |values: Values, width| values.check(2, width, 3).expect_err("laid out badly");
        assert_eq!(said(fixed(&[], &[0; 4]), Some(2)), "`present` has 0 bytes, expected 1 for 2 keys");
        assert_eq!(said(fixed(&[3], &[0; 5]), Some(2)), "`data` has 5 bytes, expected 2 values of 2 bytes");
        assert_eq!(
            said(variable(&[3], &[0], &[0; 4]), Some(2)),
            "`offsets` has 1 items, expected none: the state has a fixed width"
        );
        assert_eq!(said(fixed(&[3], &[]), None), "`offsets` has 0 items, expected 3 that start with 0");
        assert_eq!(said(variable(&[3], &[1, 1, 1], &[0]), None), "`offsets` has 3 items, expected 3 that start with 0");
        assert_eq!(said(variable(&[3], &[0, 2, 1], &[0]), None), "`offsets` falls from 2 to 1 at item 2");
        assert_eq!(said(variable(&[3], &[0, 1, 2], &[0; 3]), None), "`offsets` ends with 2, but `data` has 3 bytes");
        assert_eq!(said(variable(&[3], &[0, 4, 4], &[0; 4]), None), "a value has 4 bytes, at most 3 are allowed");
    }
}
