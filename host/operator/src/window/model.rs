//! What windows mean, as slow and as plain as can be: one row after the other, over lists. Only tests compare the operator with it.

use super::{Accumulation, Trigger, Windows, wall};

/// A number that an aggregate refuses: a row with it counts nowhere.
pub const REFUSED: i64 = 77;

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

/// What windows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Even(Windows),
    Session {
        gap: i64,
        allowed_lateness: i64,
    },
    /// So many rows, at which the window ends, or goes on.
    Rows {
        rows: u64,
        ends: bool,
    },
}

/// A key's window: where it begins and ends, its rows as they came, and what was last said of it.
#[derive(Debug, Clone)]
struct Held {
    key: u8,
    start: i64,
    end: i64,
    rows: Vec<Row>,
    said: Option<String>,
}

/// The windows of all keys, with all of their rows.
pub struct Model {
    shape: Shape,
    trigger: Trigger,
    watermark: i64,
    held: Vec<Held>,
    /// Rows between windows.
    pub between: u64,
}

impl Model {
    pub fn new(shape: Shape, trigger: Trigger) -> Self {
        Self { shape, trigger, watermark: i64::MIN, held: Vec::new(), between: 0 }
    }

    fn allowed_lateness(&self) -> i64 {
        match self.shape {
            Shape::Even(windows) => windows.allowed_lateness,
            Shape::Session { allowed_lateness, .. } => allowed_lateness,
            Shape::Rows { .. } => 0,
        }
    }

    /// Whether a window that ends there takes rows.
    fn takes(&self, end: i64) -> bool {
        self.watermark < end - 1 + self.allowed_lateness()
    }

    /// The bounds of all windows that a row may be in: tried one after the other. A session's are those that it has with this row.
    fn bounds(&self, row: &Row) -> Vec<(i64, i64)> {
        let time = row.time;
        match self.shape {
            Shape::Even(Windows { size, slide, offset, zone, .. }) => {
                let wall = zone.map_or(time, |zone| wall::at(zone, time));
                let starts = (0..=size / slide + 1).map(|back| ((wall - offset).div_euclid(slide) - back) * slide + offset);
                let within = starts.filter(|start| *start <= wall && wall < *start + size);
                let bounds = |start: i64| match zone {
                    None => (start, start + size),
                    Some(zone) => (wall::first(zone, start), wall::last(zone, start + size)),
                };
                within.map(bounds).collect()
            }
            Shape::Rows { .. } => vec![(0, i64::MAX)],
            Shape::Session { gap, .. } => {
                let joined = self.held.iter().filter(|held| held.key == row.key && time < held.end && held.start < time + gap);
                let bounds = joined.map(|held| (held.start, held.end));
                vec![bounds.fold((time, time + gap), |(start, end), (first, last)| (start.min(first), end.max(last)))]
            }
        }
    }

    pub fn row(&mut self, row: &Row) -> Out {
        let mut out = Out::default();
        let bounds = self.bounds(row);
        let taking: Vec<(i64, i64)> = bounds.iter().copied().filter(|(_, end)| self.takes(*end)).collect();
        if bounds.is_empty() {
            self.between += 1;
        } else if taking.is_empty() {
            out.late.push(row.clone());
        }
        if row.value == Some(REFUSED) {
            return out;
        }
        for (start, end) in taking {
            let whole = |held: &Held| match self.shape {
                Shape::Even(_) => held.start == start,
                Shape::Session { .. } | Shape::Rows { .. } => start <= held.start && held.end <= end,
            };
            let (mut parts, others): (Vec<Held>, Vec<Held>) =
                std::mem::take(&mut self.held).into_iter().partition(|held| held.key == row.key && whole(held));
            self.held = others;
            parts.sort_by_key(|held| held.start);
            // The first goes on as the window, the others are no more.
            let said = parts.first().and_then(|first| first.said.clone());
            let no_more = parts.iter().skip(1).filter_map(|other| other.said.as_ref());
            out.results.extend(no_more.map(|said| format!("delete {said}")));
            let rows = parts.into_iter().flat_map(|held| held.rows).chain([row.clone()]).collect();
            let mut held = Held { key: row.key, start, end, rows, said };
            if self.comes_with_a_row(&held) {
                out.results.extend(self.say(&mut held));
            }
            if !held.rows.is_empty() || matches!(self.shape, Shape::Session { .. }) {
                self.held.push(held);
            }
        }
        out
    }

    fn comes_with_a_row(&self, held: &Held) -> bool {
        let counted = held.rows.len() as u64;
        match (self.shape, self.trigger.every_rows) {
            (Shape::Rows { rows, .. }, _) => counted.is_multiple_of(rows),
            _ if held.end - 1 <= self.watermark => true,
            (_, Some(every)) if self.trigger.accumulation == Accumulation::Discarding => counted >= every,
            (_, Some(every)) => counted.is_multiple_of(every),
            (_, None) => false,
        }
    }

    pub fn watermark(&mut self, watermark: i64) -> Out {
        let early = |held: &Held| {
            let times = |early, moment| (0..).take_while(|times| held.start + times * early <= moment + 1).count();
            let comes = |early| times(early, watermark).max(1) > times(early, self.watermark.max(held.start - 1)).max(1);
            watermark < held.end - 1 && self.trigger.early.is_some_and(comes)
        };
        let due = |held: &Held| (self.watermark < held.end - 1 && held.end - 1 <= watermark) || early(held);
        let (mut due, others): (Vec<Held>, Vec<Held>) = std::mem::take(&mut self.held).into_iter().partition(due);
        due.sort_by_key(|held| (held.end, held.key, held.start));
        let results = due.iter_mut().flat_map(|held| self.say(held)).collect();
        self.watermark = watermark;
        let is_left =
            |held: &Held| self.takes(held.end) && (!held.rows.is_empty() || matches!(self.shape, Shape::Session { .. }));
        self.held = others.into_iter().chain(due).filter(is_left).collect();
        Out { results, late: Vec::new() }
    }

    /// A window's result, or what it changes.
    fn say(&self, held: &mut Held) -> Vec<String> {
        let now = result(held, matches!(self.shape, Shape::Rows { .. }));
        let ends = matches!(self.shape, Shape::Rows { ends: true, .. });
        match self.trigger.accumulation {
            Accumulation::Discarding | Accumulation::Accumulating if held.rows.is_empty() => Vec::new(),
            Accumulation::Accumulating if !ends => vec![now],
            Accumulation::Accumulating | Accumulation::Discarding => {
                held.rows.clear();
                vec![now]
            }
            Accumulation::Retracting => match held.said.replace(now.clone()) {
                None => vec![format!("insert {now}")],
                Some(before) if before == now => Vec::new(),
                Some(before) => vec![format!("before {before}"), format!("after {now}")],
            },
        }
    }

    /// How many windows of keys have rows.
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

/// What rows come to; without bounds where windows have none.
fn result(Held { key, start, end, rows, .. }: &Held, unbounded: bool) -> String {
    let numbers: Vec<i64> = rows.iter().filter_map(|row| row.value).collect();
    let or_null = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let sum = (!numbers.is_empty()).then(|| numbers.iter().sum());
    let (sum, greatest) = (or_null(sum), or_null(numbers.iter().max().copied()));
    let listed: Vec<String> = rows.iter().map(|row| or_null(row.value)).collect();
    let bounds = if unbounded { String::new() } else { format!("{start} {end} ") };
    format!("{key} {bounds}{} {sum} {greatest} [{}]", rows.len(), listed.join(", "))
}
