//! Which column a field of a line belongs to.

use std::collections::HashMap;

/// The most fields of a line whose places are remembered.
const REMEMBERED: usize = 1024;
/// The longest name that is remembered, in bytes.
const REMEMBERED_NAME: usize = 256;

/// The columns by name. Lines of one file mostly have the same fields in the same order, so each field is first compared with the one
/// that stood in its place in the line before, whether it is a column or not.
#[derive(Debug)]
pub(super) struct Layout {
    names: Vec<Box<str>>,
    columns: HashMap<Box<str>, usize>,
    last_line: Vec<(Box<str>, Option<usize>)>,
}

impl Layout {
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let names: Vec<Box<str>> = names.map(Into::into).collect();
        let columns = names.iter().cloned().enumerate().map(|(column, name)| (name, column)).collect();
        Self { names, columns, last_line: Vec::new() }
    }

    /// The name of a column.
    pub(super) fn name(&self, column: usize) -> &str {
        &self.names[column]
    }

    /// The column of the field that stands at this place of a line; `None` where there is none of that name.
    #[inline]
    pub(super) fn column(&mut self, place: usize, name: &str) -> Option<usize> {
        match self.last_line.get(place) {
            Some((known, column)) if **known == *name => *column,
            _ => self.look_up(place, name),
        }
    }

    #[cold]
    fn look_up(&mut self, place: usize, name: &str) -> Option<usize> {
        let column = self.columns.get(name).copied();
        if name.len() > REMEMBERED_NAME {
            return column;
        }
        if let Some(known) = self.last_line.get_mut(place) {
            *known = (name.into(), column);
        } else if place == self.last_line.len() && place < REMEMBERED {
            self.last_line.push((name.into(), column));
        }
        column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_wherever_it_stands() {
        let mut layout = Layout::new(["a", "b"].into_iter());
        for line in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"], ["b", "c", "a"]] {
            for (place, name) in line.into_iter().enumerate() {
                let expected = ["a", "b"].iter().position(|column| *column == name);
                assert_eq!(layout.column(place, name), expected, "{name} at {place}");
            }
        }
    }

    #[test]
    fn a_line_of_a_million_fields_is_not_remembered() {
        let mut layout = Layout::new(["a"].into_iter());
        for place in 0..1_000_000 {
            assert_eq!(layout.column(place, "x"), None);
        }
        assert_eq!(layout.last_line.len(), REMEMBERED);
        assert_eq!(layout.column(1_000_000, "a"), Some(0));
    }
}
