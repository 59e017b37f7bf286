//! Where a row ends.

use memchr::{memchr, memchr2};

use super::search::find;

/// What ends a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowEnd {
    /// A line end, wherever it stands.
    Line,
    /// A line end that isn't within quotes; quotes open where a field starts, behind this delimiter.
    OutsideQuotes(u8),
}

/// The byte order mark of UTF-8.
pub(crate) const MARK: [u8; 3] = *b"\xef\xbb\xbf";

/// Finds row ends in bytes that come in pieces.
#[derive(Debug, Clone)]
pub(crate) struct RowEnds {
    end: RowEnd,
    state: State,
    /// The byte before those that come next; a line end where a row starts.
    last: u8,
    /// Bytes of this row so far, counted up to a byte order mark's.
    seen: usize,
    /// Line ends within the row so far.
    lines: u64,
    /// Whether a byte order mark may stand before the row: it is the first of a file, and starts as one as far as it was seen.
    first: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    Quoted,
    /// Behind a quote within quotes: a second one stands for itself, anything else is outside.
    Closing,
}

impl RowEnds {
    /// For bytes that begin where a row does; `first` where that is the first of a file.
    pub(crate) fn new(end: RowEnd, first: bool) -> Self {
        Self { end, state: State::Plain, last: b'\n', seen: 0, lines: 0, first }
    }

    /// The kind of end that is looked for.
    pub(crate) fn end(&self) -> RowEnd {
        self.end
    }

    /// The place of the line end that ends the row, if these bytes, which follow those of the last call, have it. The row after it
    /// starts anew.
    #[inline]
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        match self.end {
            RowEnd::Line => memchr(b'\n', bytes),
            RowEnd::OutsideQuotes(delimiter) => self.find_outside(bytes, delimiter),
        }
    }

    fn find_outside(&mut self, bytes: &[u8], delimiter: u8) -> Option<usize> {
        if self.first {
            self.first = MARK[self.seen.min(MARK.len())..].iter().zip(bytes).all(|(mark, byte)| mark == byte);
        }
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Plain => {
                    let Some(found) = memchr2(b'"', b'\n', &bytes[at..]).map(|found| at + found) else { break };
                    if bytes[found] == b'\n' {
                        return Some(found);
                    }
                    if self.starts_field(bytes, found, delimiter) {
                        self.state = State::Quoted;
                    }
                    at = found + 1;
                }
                State::Quoted => {
                    let found = find(bytes, at, [b'"', b'\n']);
                    match bytes.get(found) {
                        Some(b'"') => self.state = State::Closing,
                        Some(_) => self.lines += 1,
                        None => {}
                    }
                    at = found + 1;
                }
                State::Closing if bytes[at] == b'"' => {
                    self.state = State::Quoted;
                    at += 1;
                }
                // The next field is in quotes too.
                State::Closing if bytes[at] == delimiter && bytes.get(at + 1) == Some(&b'"') => {
                    self.state = State::Quoted;
                    at += 2;
                }
                State::Closing => self.state = State::Plain,
            }
        }
        self.last = bytes.last().copied().unwrap_or(self.last);
        self.seen = self.seen.saturating_add(bytes.len()).min(4);
        None
    }

    /// Whether a field starts here: at the row's start, behind a delimiter, or behind the byte order mark of a file.
    fn starts_field(&self, bytes: &[u8], at: usize, delimiter: u8) -> bool {
        let before = if at == 0 { self.last } else { bytes[at - 1] };
        let starts_row = self.seen + at == 0;
        starts_row || before == delimiter || (self.first && self.seen + at == MARK.len())
    }

    /// Starts a row: how many line ends the one before had within it.
    pub(crate) fn start(&mut self) -> u64 {
        let lines = self.lines;
        *self = Self::new(self.end, false);
        lines
    }

    /// Starts the same row again.
    pub(crate) fn again(&mut self) {
        *self = Self::new(self.end, self.first);
    }
}

/// How many whole rows these bytes have, which begin where a row does, and how many bytes those have.
pub(crate) fn whole_rows(end: RowEnd, bytes: &[u8]) -> (u64, usize) {
    let mut ends = RowEnds::new(end, true);
    let (mut rows, mut whole) = (0, 0);
    while let Some(found) = ends.find(&bytes[whole..]) {
        ends.start();
        rows += 1;
        whole += found + 1;
    }
    (rows, whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CSV: RowEnd = RowEnd::OutsideQuotes(b',');

    fn rows(bytes: &[u8], piece: usize) -> Vec<(Vec<u8>, u64)> {
        let (mut ends, mut rows, mut row) = (RowEnds::new(CSV, true), Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            let mut rest = piece;
            while let Some(found) = ends.find(rest) {
                row.extend_from_slice(&rest[..found]);
                rows.push((std::mem::take(&mut row), ends.start()));
                rest = &rest[found + 1..];
            }
            row.extend_from_slice(rest);
        }
        rows.push((row, ends.start()));
        rows
    }

    #[test]
    fn quotes_hide_line_ends_in_whatever_pieces_bytes_come() {
        let text = b"\xef\xbb\xbf\"a\n\",1\n\"b\"\"\n\",\"\"\nc\"d,\"\n\n\"\"\"\n2\"\nplain\n\"open\n,";
        let expected: [(&[u8], u64); 6] = [
            (b"\xef\xbb\xbf\"a\n\",1", 1),
            (b"\"b\"\"\n\",\"\"", 1),
            (b"c\"d,\"\n\n\"\"\"", 2),
            (b"2\"", 0),
            (b"plain", 0),
            (b"\"open\n,", 1),
        ];
        for piece in 1..=text.len() {
            let found = rows(text, piece);
            let expected: Vec<_> = expected.iter().map(|(row, lines)| (row.to_vec(), *lines)).collect();
            assert_eq!(found, expected, "pieces of {piece}");
        }
        assert_eq!(whole_rows(CSV, text), (5, text.len() - 7));
        assert_eq!(whole_rows(RowEnd::Line, b"a\nb\nc"), (2, 4));
    }

    #[test]
    fn three_bytes_that_only_end_as_a_byte_order_mark_does_are_no_start_of_a_field() {
        // The sign of the bitcoin has 0xbf for its last byte.
        let text = "\u{20bf}\"a\nb\n".as_bytes();
        for piece in 1..=text.len() {
            let expected = [("\u{20bf}\"a".as_bytes().to_vec(), 0), (b"b".to_vec(), 0), (vec![], 0)];
            assert_eq!(rows(text, piece), expected, "pieces of {piece}");
        }
    }

    proptest! {
        #[test]
        fn rows_end_where_the_csv_crate_says_so(records in proptest::collection::vec(proptest::collection::vec("[a\",\n\r]{0,5}", 2..4), 0..8)) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for record in &records {
                writer.write_record(record).expect("memory takes text");
            }
            let text = writer.into_inner().expect("memory takes text");
            prop_assert_eq!(whole_rows(CSV, &text), (records.len() as u64, text.len()));
        }
    }
}
