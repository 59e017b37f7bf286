//! The values of one state for some keys, laid out as they cross the sandbox.

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
                    return Err(format!("`offsets` has {} items, expected none: the state has a fixed width", self.offsets.len()));
                }
                if self.data.len() != keys * width as usize {
                    return Err(format!("`data` has {} bytes, expected {keys} values of {width} bytes", self.data.len()));
                }
            }
            None => {
                if self.offsets.len() != keys + 1 || self.offsets[0] != 0 {
                    return Err(format!("`offsets` has {} items, expected {} that start with 0", self.offsets.len(), keys + 1));
                }
                if let Some(at) = self.offsets.windows(2).position(|pair| pair[1] < pair[0]) {
                    return Err(format!("`offsets` falls from {} to {} at item {}", self.offsets[at], self.offsets[at + 1], at + 1));
                }
                if self.offsets[keys] as usize != self.data.len() {
                    return Err(format!("`offsets` ends with {}, but `data` has {} bytes", self.offsets[keys], self.data.len()));
                }
                if let Some(pair) = self.offsets.windows(2).find(|pair| (pair[1] - pair[0]) as usize > longest) {
                    return Err(format!("a value has {} bytes, at most {longest} are allowed", pair[1] - pair[0]));
                }
            }
        }
        Ok(())
    }
}
