//! Cuts bytes into rows, with flat memory however long a row is.

use serde::{Deserialize, Serialize};

use super::ends::{RowEnd, RowEnds};
use super::{KEPT_BYTES, MOST_ROW_BYTES};

/// How much memory is kept for what comes next once a long row is done.
const KEPT_CAPACITY: usize = 1 << 20;

/// A place in a source: how many bytes and how many lines lie before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// Bytes.
    pub byte: u64,
    /// Lines.
    pub line: u64,
}

/// A row's bytes, without its end (`\n` or `\r\n`).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    Whole(&'a [u8]),
    /// A row that is longer than allowed: its first bytes, and how long it is.
    TooLong {
        kept: Vec<u8>,
        length: u64,
    },
}

/// Bytes that came and were not yet taken as rows.
#[derive(Debug)]
pub(crate) struct Frames {
    max: usize,
    ends: RowEnds,
    /// Where the first byte that wasn't taken lies.
    place: Place,
    buffer: Vec<u8>,
    /// Up to here the buffer was taken.
    taken: usize,
    /// Up to here there is no row end behind `taken`.
    searched: usize,
    /// The row at `taken` turned out too long; its bytes are thrown away as they come.
    long: Option<Long>,
    ended: bool,
}

#[derive(Debug)]
struct Long {
    kept: Vec<u8>,
    /// The bytes of it that came so far, without its line end.
    length: u64,
    last: u8,
    /// With its line end, once that has come.
    with_end: Option<u64>,
}

impl Frames {
    pub(crate) fn new(max: usize, end: RowEnd) -> Self {
        Self::at(Place::default(), max, end)
    }

    fn at(place: Place, max: usize, end: RowEnd) -> Self {
        let (max, ends) = (max.min(MOST_ROW_BYTES), RowEnds::new(end, place.byte == 0));
        Self { max, ends, place, buffer: Vec::new(), taken: 0, searched: 0, long: None, ended: false }
    }

    /// Forgets all bytes; those that come next lie at `place`.
    pub(crate) fn restart(&mut self, place: Place) {
        *self = Self::at(place, self.max, self.ends.end());
    }

    /// Where the next row starts.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The room that bytes which come next are appended to.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.buffer.drain(..self.taken);
        self.searched -= self.taken;
        self.taken = 0;
        if self.buffer.capacity() > 2 * KEPT_CAPACITY && self.buffer.len() < KEPT_CAPACITY {
            self.buffer.shrink_to(KEPT_CAPACITY);
        }
        &mut self.buffer
    }

    /// Keeps no more memory than what is left needs.
    pub(crate) fn shrink(&mut self) {
        self.room().shrink_to_fit();
    }

    /// No more bytes come: what is left is a row.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether a row is being thrown away whose end hasn't come.
    pub(crate) fn is_skipping(&self) -> bool {
        self.long.as_ref().is_some_and(|long| long.with_end.is_none())
    }

    /// How many bytes the next row has with its end, once it is all there.
    pub(crate) fn ready(&mut self) -> Option<u64> {
        if self.long.is_some() {
            return self.skip();
        }
        let found = self.ends.find(&self.buffer[self.searched..]).map(|at| self.searched + at);
        self.searched = found.unwrap_or(self.buffer.len());
        let bytes = &self.buffer[self.taken..self.searched];
        if without_return(bytes).len() > self.max && (found.is_some() || self.ended || bytes.len() > self.max + 1) {
            let kept = bytes[..bytes.len().min(KEPT_BYTES)].to_vec();
            self.long = Some(Long { kept, length: 0, last: 0, with_end: None });
            self.searched = self.taken;
            self.ends.again();
            return self.skip();
        }
        match found {
            Some(_) => Some(bytes.len() as u64 + 1),
            None if self.ended && !bytes.is_empty() => Some(bytes.len() as u64),
            None => None,
        }
    }

    /// Throws away what has come of a long row.
    fn skip(&mut self) -> Option<u64> {
        let long = self.long.as_mut()?;
        if long.with_end.is_none() {
            let rest = &self.buffer[self.taken..];
            let end = self.ends.find(rest);
            let part = &rest[..end.unwrap_or(rest.len())];
            long.length += part.len() as u64;
            long.last = part.last().copied().unwrap_or(long.last);
            self.taken += part.len() + usize::from(end.is_some());
            self.searched = self.taken;
            if end.is_some() || self.ended {
                long.with_end = Some(long.length + u64::from(end.is_some()));
                long.length -= u64::from(long.last == b'\r');
            }
        }
        long.with_end
    }

    /// Takes the next row, once it is [`Self::ready`]. `None` where it isn't.
    pub(crate) fn take(&mut self) -> Option<Frame<'_>> {
        let with_end = self.ready()?;
        self.place.byte += with_end;
        self.place.line += 1 + self.ends.start();
        if let Some(long) = self.long.take() {
            return Some(Frame::TooLong { kept: long.kept, length: long.length });
        }
        let start = self.taken;
        let line = start..self.searched;
        #[expect(clippy::cast_possible_truncation, reason = "the line lies in memory")]
        let end = start + with_end as usize;
        (self.taken, self.searched) = (end, end);
        Some(Frame::Whole(without_return(&self.buffer[line])))
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of these bytes, fed in pieces of this size.
    fn lines(bytes: &[u8], piece: usize, max: usize) -> Vec<(Vec<u8>, Option<u64>, Place)> {
        let mut lines = Frames::new(max, RowEnd::Line);
        let mut found = Vec::new();
        let mut pieces = bytes.chunks(piece);
        loop {
            loop {
                let start = lines.place();
                match lines.take() {
                    Some(Frame::Whole(line)) => found.push((line.to_vec(), None, start)),
                    Some(Frame::TooLong { kept, length }) => found.push((kept, Some(length), start)),
                    None => break,
                }
            }
            match pieces.next() {
                Some(piece) => lines.room().extend_from_slice(piece),
                None if lines.ended => return found,
                None => lines.end(),
            }
        }
    }

    #[test]
    fn lines_are_the_same_in_whatever_pieces_bytes_come() {
        let text = b"one\r\n\n  \nfour is longer\nfive\r";
        for piece in 1..=text.len() {
            let found = lines(text, piece, 100);
            let expected: [(&[u8], u64, u64); 5] =
                [(b"one", 0, 0), (b"", 5, 1), (b"  ", 6, 2), (b"four is longer", 9, 3), (b"five", 24, 4)];
            assert_eq!(found.len(), expected.len(), "pieces of {piece}");
            for ((line, long, place), (text, byte, number)) in found.into_iter().zip(expected) {
                assert_eq!((line.as_slice(), long, place), (text, None, Place { byte, line: number }), "pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_measured_and_not_kept() {
        for piece in 1..=40 {
            for (text, lengths) in [
                (&b"12345\n1234\n123456\r\n123"[..], vec![Some(5), None, Some(6), None]),
                (b"1234\r\n123456789", vec![None, Some(9)]),
                (b"1234\r", vec![None]),
                (b"12345", vec![Some(5)]),
                (b"12345\r", vec![Some(5)]),
                (b"12345678\r", vec![Some(8)]),
            ] {
                let found = lines(text, piece, 4);
                assert_eq!(found.iter().map(|line| line.1).collect::<Vec<_>>(), lengths, "pieces of {piece}");
                let bytes: usize = text.len();
                assert!(found.iter().all(|line| line.2.byte < bytes as u64));
            }
        }
    }

    #[test]
    fn a_line_of_100_mib_takes_little_memory() {
        let mut source = Frames::new(1 << 20, RowEnd::Line);
        let piece = vec![b'x'; 256 << 10];
        for _ in 0..400 {
            source.room().extend_from_slice(&piece);
            assert_eq!(source.ready(), None);
            assert!(source.buffer.capacity() <= 4 << 20, "{}", source.buffer.capacity());
        }
        assert!(source.is_skipping());
        source.room().extend_from_slice(b"\nnext\n");
        let Some(Frame::TooLong { kept, length }) = source.take() else { panic!("a line that is too long") };
        assert_eq!((kept.len(), length), (KEPT_BYTES, 100 << 20));
        assert_eq!(source.take(), Some(Frame::Whole(b"next")));
    }
}
