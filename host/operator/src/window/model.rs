//! What windows mean, as slow and as plain as can be: one row after the other, over lists. Only tests compare the operator with it.

use std::collections::{BTreeMap, BTreeSet};

use super::Windows;

/// A row: its event time, its key, and a number or none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub time: i64,
    pub key: u8,
    pub value: Option<i64>,
}

/// What has come out of a thing that happened, as text.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Out {
    /// Results: key, bounds, count, sum, greatest number, all numbers.
    pub results: Vec<String>,
    /// Rows that came too late.
    pub late: Vec<Row>,
}

/// The windows of all keys, with all of their rows.
pub struct Model {
    windows: Windows,
    watermark: i64,
    /// By start and key.
    held: BTreeMap<(i64, u8), Vec<Row>>,
}

impl Model {
    pub fn new(windows: Windows) -> Self {
        Self { windows, watermark: i64::MIN, held: BTreeMap::new() }
    }

    fn last(&self, start: i64) -> i64 {
        start + self.windows.size - 1
    }

    /// The starts of all windows that a time is in: tried one after the other.
    fn starts(&self, time: i64) -> Vec<i64> {
        let Windows { size, slide, offset, .. } = self.windows;
        (time - size - slide..=time).filter(|start| (start - offset) % slide == 0 && *start + size > time).collect()
    }

    fn result(&self, start: i64, key: u8) -> String {
        result(key, start, start + self.windows.size, &self.held[&(start, key)])
    }

    pub fn row(&mut self, row: &Row) -> Out {
        let mut out = Out::default();
        let starts = self.starts(row.time);
        let taking = |start: &i64| self.watermark < self.last(*start) + self.windows.allowed_lateness;
        let taking: Vec<i64> = starts.iter().copied().filter(taking).collect();
        if taking.is_empty() && !starts.is_empty() {
            out.late.push(row.clone());
        }
        for start in taking {
            self.held.entry((start, row.key)).or_default().push(row.clone());
            if self.last(start) <= self.watermark {
                out.results.push(self.result(start, row.key));
            }
        }
        out
    }

    pub fn watermark(&mut self, watermark: i64) -> Out {
        let due = |start: i64| self.watermark < self.last(start) && self.last(start) <= watermark;
        let results = self.held.keys().filter(|(start, _)| due(*start)).map(|(start, key)| self.result(*start, *key)).collect();
        self.watermark = watermark;
        let (size, lateness) = (self.windows.size, self.windows.allowed_lateness);
        self.held.retain(|(start, _), _| watermark < start + size - 1 + lateness);
        Out { results, late: Vec::new() }
    }

    /// How many keys and windows have rows.
    pub fn held(&self) -> BTreeSet<(i64, u8)> {
        self.held.keys().copied().collect()
    }
}

/// What rows come to.
pub fn result(key: u8, start: i64, end: i64, rows: &[Row]) -> String {
    let numbers: Vec<i64> = rows.iter().filter_map(|row| row.value).collect();
    let or_null = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let sum = (!numbers.is_empty()).then(|| numbers.iter().sum());
    let (sum, greatest) = (or_null(sum), or_null(numbers.iter().max().copied()));
    let listed: Vec<String> = rows.iter().map(|row| or_null(row.value)).collect();
    format!("{key} {start} {end} {} {sum} {greatest} [{}]", rows.len(), listed.join(", "))
}
