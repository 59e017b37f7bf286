//! The fields of a row, as RFC 4180 has them.

use std::ops::Range;

use memchr::memchr_iter;

use crate::rows::find;

/// A field, by its place in its row: what stands between its quotes, or all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CsvField {
    pub place: Range<usize>,
    /// It stood in quotes.
    pub quoted: bool,
    /// It has doubled quotes, which stand for one each.
    pub escaped: bool,
}

impl CsvField {
    /// Where it starts, with its quote.
    pub(crate) fn start(&self) -> usize {
        self.place.start - usize::from(self.quoted)
    }

    /// What it says, with doubled quotes as one.
    pub(crate) fn text<'a>(&self, row: &'a str) -> std::borrow::Cow<'a, str> {
        let text = &row[self.place.clone()];
        if self.escaped { text.replace("\"\"", "\"").into() } else { text.into() }
    }
}

/// What is wrong with the quotes of a row, and where in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A quote in a field that doesn't start with one.
    Quote(usize),
    /// Something other than a delimiter behind a closing quote.
    Behind(usize),
    /// A quote that is never closed.
    Open(usize),
    /// A carriage return that ends no line, outside quotes.
    Return(usize),
}

impl Broken {
    pub(crate) fn place(self) -> usize {
        match self {
            Self::Quote(at) | Self::Behind(at) | Self::Open(at) | Self::Return(at) => at,
        }
    }
}

/// The fields of a row, which has no line end.
pub(crate) struct CsvFields<'a> {
    row: &'a [u8],
    delimiter: u8,
    /// Where the next field starts; `None` behind the last.
    at: Option<usize>,
}

impl<'a> CsvFields<'a> {
    pub(crate) fn new(row: &'a [u8], delimiter: u8) -> Self {
        Self { row, delimiter, at: Some(0) }
    }

    /// The next field, if there is one.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Result<CsvField, Broken>> {
        let start = self.at?;
        if self.row.get(start) == Some(&b'"') {
            return Some(self.quoted(start + 1));
        }
        // Most are a few bytes long: nothing is quicker than looking at each.
        let mut end = start;
        while let Some(&byte) = self.row.get(end) {
            if byte == self.delimiter {
                break;
            }
            if byte == b'"' || byte == b'\r' {
                return Some(Err(if byte == b'"' { Broken::Quote(end) } else { Broken::Return(end) }));
            }
            end += 1;
        }
        self.at = (end < self.row.len()).then_some(end + 1);
        Some(Ok(CsvField { place: start..end, quoted: false, escaped: false }))
    }

    /// The field whose opening quote stands before this place.
    fn quoted(&mut self, start: usize) -> Result<CsvField, Broken> {
        let (mut at, mut escaped) = (start, false);
        loop {
            let quote = find(self.row, at, [b'"']);
            if quote == self.row.len() {
                return Err(Broken::Open(start - 1));
            }
            match self.row.get(quote + 1) {
                Some(b'"') => (at, escaped) = (quote + 2, true),
                Some(byte) if *byte != self.delimiter => return Err(Broken::Behind(quote + 1)),
                next => {
                    self.at = next.map(|_| quote + 2);
                    return Ok(CsvField { place: start..quote, quoted: true, escaped });
                }
            }
        }
    }

    /// How many fields the whole row has, quotes aside: for messages.
    pub(crate) fn count(row: &'a [u8], delimiter: u8) -> usize {
        let mut fields = Self::new(row, delimiter);
        let mut count = 0;
        while let Some(field) = fields.next() {
            if field.is_err() {
                return memchr_iter(delimiter, row).count() + 1;
            }
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(row: &str) -> Result<Vec<(String, bool)>, Broken> {
        let mut fields = CsvFields::new(row.as_bytes(), b',');
        let mut found = Vec::new();
        while let Some(field) = fields.next() {
            let field = field?;
            found.push((field.text(row).into_owned(), field.quoted));
        }
        Ok(found)
    }

    #[test]
    fn a_field_in_quotes_is_told_from_one_without() {
        let plain = |text: &str| (text.to_owned(), false);
        let quoted = |text: &str| (text.to_owned(), true);
        assert_eq!(fields(""), Ok(vec![plain("")]));
        assert_eq!(fields(","), Ok(vec![plain(""), plain("")]));
        assert_eq!(fields("a, b ,\"\""), Ok(vec![plain("a"), plain(" b "), quoted("")]));
        assert_eq!(fields("\"a,\n\"\"b\"\"\",c"), Ok(vec![quoted("a,\n\"b\""), plain("c")]));
        assert_eq!(fields("\"\"\"\","), Ok(vec![quoted("\""), plain("")]));
    }

    #[test]
    fn broken_quotes_are_found_where_they_are() {
        assert_eq!(fields("a,b\"c\""), Err(Broken::Quote(3)));
        assert_eq!(fields("a,\"b\" ,c"), Err(Broken::Behind(5)));
        assert_eq!(fields("a,\"b,c\n\n"), Err(Broken::Open(2)));
        assert_eq!(fields("a\rb"), Err(Broken::Return(1)));
        assert_eq!(CsvFields::count(b"a,b\"c\",\"d", b','), 3);
    }

    proptest! {
        #[test]
        fn what_the_csv_crate_writes_is_read_as_it_reads_it(record in proptest::collection::vec("[a\",\n\r é]{0,6}", 2..5), always in any::<bool>()) {
            let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let mut writer = csv::WriterBuilder::new().quote_style(style).from_writer(Vec::new());
            writer.write_record(&record).expect("memory takes text");
            let text = String::from_utf8(writer.into_inner().expect("memory takes text")).expect("UTF-8");
            let found = fields(text.strip_suffix('\n').expect("a line end")).expect("good quotes");
            prop_assert_eq!(found.into_iter().map(|(text, _)| text).collect::<Vec<_>>(), record);
        }
    }
}
