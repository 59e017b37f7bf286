//! The events of Nexmark: people, the auctions that they open, and the bids on those.

mod columns;
mod draws;
mod law;
mod texts;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int32Array, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use wasmill_flow::TaskIndex;
use wasmill_flow::column_type::TIMESTAMP;

use super::mix::{mix, salt};
use super::share::Share;
use draws::Draws;
use law::{Event, Timeline};
use texts::Texts;

pub use law::NexmarkKind;

/// Columns that every kind has, and that the stream of all kinds has once.
const SHARED: [&str; 2] = ["dateTime", "extra"];

/// Makes the events of one task.
#[derive(Debug)]
pub(super) struct Nexmark {
    schema: SchemaRef,
    /// The only kind that is handed out; all in one stream where there is none.
    kind: Option<NexmarkKind>,
    salt: u64,
    share: Share,
    timeline: Timeline,
    texts: Texts,
}

/// An event of this task.
#[derive(Debug, Clone, Copy)]
struct Made {
    event: Event,
    /// Which of the task's events it is, from 0.
    place: u64,
}

impl Nexmark {
    pub(super) fn new(kind: Option<NexmarkKind>, rate: f64, seed: u64, task: TaskIndex, rows: Option<u64>) -> Self {
        Self {
            schema: Arc::new(Schema::new(kind.map_or_else(fields_of_all, NexmarkKind::fields))),
            kind,
            salt: salt(seed),
            share: Share::of(task, rows),
            timeline: Timeline::new(rate, task.of),
            texts: Texts::new(),
        }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The bytes that a row has on average.
    pub(super) fn row_bytes(kind: Option<NexmarkKind>) -> u64 {
        kind.map_or(193, NexmarkKind::mean_bytes)
    }

    /// How many of the task's events, from the `place`-th on, it takes to have `rows` of those that are handed out; at most `most`.
    pub(super) fn events(&self, place: u64, rows: u64, most: u64) -> u64 {
        let Some(kind) = self.kind else { return rows.min(most) };
        let (mut events, mut found) = (0, 0);
        while events < most && found < rows {
            found += u64::from(self.event(place + events).kind() == kind);
            events += 1;
        }
        events
    }

    /// Whether the task's `place`-th event is handed out.
    pub(super) fn hands_out(&self, place: u64) -> bool {
        self.kind.is_none_or(|kind| self.event(place).kind() == kind)
    }

    /// How many rows the task hands out; `None` where there is no end.
    pub(super) fn row_count(&self) -> Option<u64> {
        let (first, count) = (self.share.first, self.share.count?);
        Some(self.kind.map_or(count, |kind| kind.rows_of(first + count) - kind.rows_of(first)))
    }

    /// Those that are handed out of the task's events from the `place`-th on.
    pub(super) fn rows(&self, place: u64, count: usize) -> RecordBatch {
        let made = (place..place + count as u64).map(|place| Made { event: self.event(place), place });
        let columns = match self.kind {
            Some(kind) => self.columns(kind, &made.filter(|made| made.event.kind() == kind).collect::<Vec<_>>()),
            None => self.columns_of_all(&made.collect::<Vec<_>>()),
        };
        #[expect(clippy::expect_used, reason = "columns and fields stand side by side in `columns.rs`")]
        RecordBatch::try_new(Arc::clone(&self.schema), columns).expect("columns of the schema")
    }

    /// All kinds in one stream: the columns of the kinds that an event isn't of are null.
    fn columns_of_all(&self, events: &[Made]) -> Vec<ArrayRef> {
        // For each event its kind, and its place among those of the kind.
        let mut by_kind: [Vec<Made>; 3] = Default::default();
        let places: Vec<(usize, usize)> = events
            .iter()
            .map(|made| {
                let kind = made.event.kind() as usize;
                by_kind[kind].push(*made);
                (kind, by_kind[kind].len() - 1)
            })
            .collect();
        let made = NexmarkKind::ALL.map(|kind| self.columns(kind, &by_kind[kind as usize]));
        let kinds = Int32Array::from_iter_values(places.iter().map(|(kind, _)| *kind as i32));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(kinds)];
        columns.extend(SHARED.iter().map(|name| {
            let of_kinds: Vec<&dyn Array> = NexmarkKind::ALL
                .iter()
                .zip(&made)
                .filter_map(|(kind, made)| Some(&*made[kind.fields().iter().position(|field| field.name() == name)?]))
                .collect();
            #[expect(clippy::expect_used, reason = "every kind has the shared columns, with as many rows as were counted")]
            interleave(&of_kinds, &places).expect("a column of each kind")
        }));
        for (kind, made) in NexmarkKind::ALL.iter().zip(&made) {
            let rows: UInt32Array = places.iter().map(|(of, place)| (*of == *kind as usize).then_some(*place as u32)).collect();
            let own = kind.fields().into_iter().zip(made).filter(|(field, _)| !SHARED.contains(&field.name().as_str()));
            #[expect(clippy::expect_used, reason = "places were counted among the rows of the kind")]
            columns.extend(own.map(|(_, column)| take(column, &rows, None).expect("a row of the kind")));
        }
        columns
    }

    fn event(&self, place: u64) -> Event {
        Event::of_row(self.share.row(place), self.timeline.millis(place))
    }

    fn draws(&self, event: Event) -> Draws {
        Draws::from(mix(event.id ^ self.salt))
    }
}

/// The columns of the stream of all kinds: `event_type` (0 person, 1 auction, 2 bid), what all have, then those of each kind.
fn fields_of_all() -> Vec<Field> {
    let mut fields = vec![
        Field::new("event_type", DataType::Int32, false),
        Field::new(SHARED[0], TIMESTAMP, false),
        Field::new(SHARED[1], DataType::Utf8View, false),
    ];
    for kind in NexmarkKind::ALL {
        let own = kind.fields().into_iter().filter(|field| !SHARED.contains(&field.name().as_str()));
        fields.extend(own.map(|field| {
            let name = format!("{}_{}", kind.name(), field.name());
            field.with_name(name).with_nullable(true)
        }));
    }
    fields
}

#[cfg(test)]
mod tests;
