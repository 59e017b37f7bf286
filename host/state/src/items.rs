//! Items of lists and entries of maps: end to end as they cross the sandbox, and one after the other as they are stored.
//!
//! Stored, a list is its items, and a map its entries in the order of their bytes, each followed by its value; everything with its length before
//! it, in four bytes, little-endian.

/// Byte strings end to end: string `i` is `data[offsets[i]..offsets[i + 1]]`. The layout of `binary-array` in `wit/data.wit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Items {
    /// Where each starts, and the last ends: one more than there are, from 0 on.
    pub offsets: Vec<u32>,
    /// The bytes.
    pub data: Vec<u8>,
}

impl Default for Items {
    fn default() -> Self {
        Self { offsets: vec![0], data: Vec::new() }
    }
}

impl Items {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    #[must_use]
    #[inline]
    pub fn get(&self, index: usize) -> &[u8] {
        &self.data[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Adds one.
    pub fn push(&mut self, item: &[u8]) {
        self.data.extend_from_slice(item);
        #[expect(clippy::cast_possible_truncation, reason = "what is held or crosses at once is limited to far less than 4 GiB")]
        self.offsets.push(self.data.len() as u32);
    }

    /// Checks what came from outside: that there are `count` of them, offsets that never fall and end where the data does, and none longer
    /// than `longest`.
    ///
    /// # Errors
    /// What is wrong, as a sentence that names the list.
    pub fn check(&self, count: usize, longest: usize) -> Result<(), String> {
        check_offsets(&self.offsets, self.data.len(), count, longest)
    }
}

/// Checks offsets of `count` byte strings in `bytes` bytes, of which none may be longer than `longest`.
pub(crate) fn check_offsets(offsets: &[u32], bytes: usize, count: usize, longest: usize) -> Result<(), String> {
    if offsets.len() != count + 1 || offsets[0] != 0 {
        return Err(format!("`offsets` has {} items, expected {} that start with 0", offsets.len(), count + 1));
    }
    if let Some(at) = offsets.windows(2).position(|pair| pair[1] < pair[0]) {
        return Err(format!("`offsets` falls from {} to {} at item {}", offsets[at], offsets[at + 1], at + 1));
    }
    if offsets[count] as usize != bytes {
        return Err(format!("`offsets` ends with {}, but `data` has {bytes} bytes", offsets[count]));
    }
    if let Some(pair) = offsets.windows(2).find(|pair| (pair[1] - pair[0]) as usize > longest) {
        return Err(format!("a value has {} bytes, at most {longest} are allowed", pair[1] - pair[0]));
    }
    Ok(())
}

/// Appends a byte string as it is stored.
#[expect(clippy::cast_possible_truncation, reason = "items, entries and values are limited to far less than 4 GiB")]
pub(crate) fn store(item: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(&(item.len() as u32).to_le_bytes());
    into.extend_from_slice(item);
}

/// The first of byte strings as they are stored, and the rest. None where there is none, or the bytes aren't such.
pub(crate) fn split_stored(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, behind) = bytes.split_first_chunk::<4>()?;
    behind.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// The byte strings of a stored list; of a stored map entries and values in turn. None where the bytes aren't such.
#[must_use]
pub fn stored(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut items = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (item, behind) = split_stored(rest)?;
        items.push(item);
        rest = behind;
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_found_again() {
        let mut bytes = Vec::new();
        for item in [&b"abc"[..], b"", b"d"] {
            store(item, &mut bytes);
        }
        assert_eq!(stored(&bytes), Some(vec![&b"abc"[..], b"", b"d"]));
        assert_eq!(stored(&[]), Some(vec![]));
        for at in [1, 3, 5, bytes.len() - 1] {
            assert_eq!(stored(&bytes[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn what_is_laid_out_badly_is_said() {
        let mut items = Items::default();
        ["a", "", "bcd"].iter().for_each(|item| items.push(item.as_bytes()));
        assert_eq!((items.check(3, 3), items.len(), items.get(2)), (Ok(()), 3, &b"bcd"[..]));
        assert_eq!(items.check(2, 3), Err("`offsets` has 4 items, expected 3 that start with 0".to_owned()));
        assert_eq!(items.check(3, 2), Err("a value has 3 bytes, at most 2 are allowed".to_owned()));
    }
}
