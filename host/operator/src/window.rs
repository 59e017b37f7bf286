//! `key-by`, `window` and `aggregate`: aggregates of each key in windows of event time, one row out per key and window.
//!
//! A window is a space of the operator's keyed state, by its start, and what a key has in a window is what a [`RunningAggregate`] keeps of
//! it there. So rows cost what they cost a running aggregate, and a window that is past is forgotten as a whole.
//!
//! Rows of windows that are open are only counted in; when event time reaches the last moment of a window, its results come out, ascending by
//! window and key, a part at each step. Where rows may be late, they are kept for so long, and each late row gives its window's result
//! anew; results that are discarded as they come out are of the rows since the one before. Rows whose windows are all past go to the output
//! `late`.
//!
//! Windows that slide share slices, and then it is those that are spaces (`window/panes.rs`): where the aggregates can be put together of
//! parts, no lateness is allowed and nothing comes early. Otherwise a row is counted in each window that it falls into.

mod by_clock;
mod changes;
mod frame;
mod keys;
mod order;
mod panes;
mod rounds;
mod rows;
mod session;
mod trigger;
mod wall;
mod whole;
mod windows;

use arrow_array::UInt32Array;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_schema::SchemaRef;
use wasmill_flow::{Batch, Watermark};
use wasmill_state::CallKeys;

use crate::aggregate::{Comes, Computation, Emit, Results, RunningAggregate, Space};
use crate::contract::{Context, Declaration, Due, Firing, Operator, OperatorError, PluginCounts, Step};
use crate::definition::DefinitionProblems;
pub use by_clock::{ByClock, Ends};
use changes::Changes;
use frame::{Frame, bug, state, state_of};
use keys::{Keys, removal};
use order::Places;
use panes::Panes;
use rounds::Rounds;
pub use rows::RowWindows;
pub use session::SessionAggregate;
pub use trigger::{Accumulation, Trigger};
use trigger::{ROWS, leave};
pub use whole::{FiredWindows, ForeignWindow, Given, WholeWindows};
use windows::Phase;
pub use windows::Windows;

/// What a window's start is called behind the key's columns; no column of an input is.
const START: &str = "@window_start";

/// Aggregates by key and window. Its context has keyed state, of the one state that its declaration names, whose keys are in spaces.
#[derive(Debug)]
pub struct WindowedAggregate {
    windows: Windows,
    trigger: Trigger,
    /// What comes out is forgotten.
    discards: bool,
    /// Results are changes of those before.
    changes: Option<Changes>,
    frame: Frame,
    key_by: Vec<usize>,
    /// The most results that leave in a batch.
    most_rows: usize,
    aggregate: RunningAggregate,
    /// Rows that fell between two windows.
    between: u64,
    /// What is known of the window at hand, where windows share slices.
    panes: Option<Panes>,
    call: CallKeys,
    /// The window whose results are coming out.
    firing: Option<DueWindow>,
    /// Where to look for windows that are due: what starts before has been looked at in this step and those before it, for one watermark.
    next: i64,
}

/// A window whose results are coming out.
#[derive(Debug)]
struct DueWindow {
    start: i64,
    /// Nothing while they are being put together.
    results: Option<Results>,
    from: From,
}

/// Where what the keys of a window have is.
#[derive(Debug)]
enum From {
    /// At these places of the state.
    State(Vec<u32>),
    /// With the slices: of these keys.
    Slices(Keys),
}

/// Rows of a batch that are counted into windows: a row's number, the window's start, and which of all that are counted it is, row by row.
#[derive(Debug, Default)]
struct Assigned {
    rows: Vec<u32>,
    starts: Vec<i64>,
    places: Vec<i64>,
}

impl Assigned {
    fn push(&mut self, row: u32, start: i64, place: usize) {
        self.rows.push(row);
        self.starts.push(start);
        self.places.push(place.cast_signed() as i64);
    }
}

impl WindowedAggregate {
    /// Aggregates by name and text over rows of `input`, for each key of the columns `key_by` and each of the windows. At most `most_rows`
    /// leave in a batch.
    ///
    /// # Errors
    /// Every problem, as of [`RunningAggregate::new`].
    pub fn new(
        key_by: &[usize],
        windows: Windows,
        trigger: Trigger,
        mut aggregates: Vec<(String, Computation)>,
        most_rows: usize,
        input: &SchemaRef,
    ) -> Result<Self, DefinitionProblems> {
        let inner = Frame::inner(input, &[START]);
        let several = windows.allowed_lateness > 0 || trigger.comes_before_the_end();
        let discards = several && trigger.accumulation == Accumulation::Discarding;
        let counts = discards || trigger.every_rows.is_some();
        if counts {
            aggregates.insert(0, (ROWS.to_owned(), Computation::Sql("count(*)".to_owned())));
        }
        let aggregate = RunningAggregate::of(key_by, aggregates, Emit::AtEnd { most_rows }, &inner)?;
        let shares = windows.slide < windows.size && !several && aggregate.merges();
        let space = if shares { Space::Slice } else { Space::Window };
        let aggregate = aggregate.in_spaces(space, input.fields().len(), &inner);
        let hidden = 1 + usize::from(counts);
        let from = key_by.len() + hidden;
        let changes = trigger.retracts().then(|| Changes::new(several, key_by.len(), true, from, aggregate.output()));
        let panes = shares.then(|| Panes::new(aggregate.declaration().states));
        Ok(Self {
            windows,
            trigger,
            discards,
            frame: match &changes {
                Some(changes) => Frame::new(input, inner, changes.output(), key_by.len() + 1, hidden),
                None => Frame::new(input, inner, aggregate.output(), key_by.len(), hidden),
            },
            changes,
            key_by: key_by.to_vec(),
            most_rows,
            aggregate,
            between: 0,
            panes,
            call: CallKeys::default(),
            firing: None,
            next: i64::MIN,
        })
    }

    /// Two outputs, of results and of the input's rows that came too late; one state.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        self.frame.declaration(changes::declared(self.changes.as_ref(), self.aggregate.declaration()))
    }

    async fn step(&mut self, input: usize, batch: Batch, cx: &mut Context) -> Result<(), OperatorError> {
        let times = batch.times.clone().ok_or_else(|| bug("rows without event times came to a window"))?;
        let once = self.panes.is_some() || self.windows.slide == self.windows.size;
        let as_they_come = once && !(self.discards && self.trigger.every_rows.is_some());
        if let Some(spaces) = self.windows.all_open(&times, cx.watermark.0).filter(|_| as_they_come) {
            let emitted = cx.emitted.len();
            self.count(input, batch, spaces, Emit::AtEnd { most_rows: usize::MAX }, cx).await?;
            return self.finish(emitted, cx);
        }
        let (mut taken, mut late) = (Vec::new(), Vec::new());
        for (&time, row) in times.iter().zip(0_u32..) {
            let mut phases = self.windows.starts(time).map(|start| self.windows.phase(start, cx.watermark.0)).peekable();
            if phases.peek().is_none() {
                self.between += 1;
            } else if phases.any(|phase| phase != Phase::Past) {
                taken.push(row);
            } else {
                late.push(row);
            }
        }
        if !taken.is_empty() {
            self.assign(input, batch.take(&UInt32Array::from(taken)), once, cx).await?;
        }
        if !late.is_empty() {
            // Combined rows only count as late: they come where nobody reads those.
            let late = if batch.combined.is_some() { batch.take(&late.into()) } else { self.frame.late(&batch, late)? };
            cx.emit(1, late);
        }
        Ok(())
    }

    /// Counts rows that are in some window into all of theirs; `once` says that each is counted only once.
    async fn assign(&mut self, input: usize, batch: Batch, once: bool, cx: &mut Context) -> Result<(), OperatorError> {
        let alive = if once || batch.combined.is_some() { Some(batch) } else { self.alive(input, batch, cx)? };
        let Some(batch) = alive else { return Ok(()) };
        let (mut open, mut closing, mut times) = (Assigned::default(), Assigned::default(), Vec::new());
        for (&time, row) in batch.times.as_deref().unwrap_or_default().iter().zip(0_u32..) {
            for start in self.windows.starts(time) {
                match self.windows.phase(start, cx.watermark.0) {
                    Phase::Open if self.panes.is_some() => {
                        open.push(row, self.windows.slice(time), times.len());
                        times.push(time);
                        break;
                    }
                    Phase::Open => open.push(row, start, times.len()),
                    Phase::Closing => closing.push(row, start, times.len()),
                    Phase::Past => continue,
                }
                times.push(time);
            }
        }
        let emitted = cx.emitted.len();
        let comes = self.trigger.every_rows.is_some() || !closing.rows.is_empty();
        let places = comes.then(|| Places::of(Some(times), cx));
        for (Assigned { rows, starts, places }, emit) in [(open, Emit::AtEnd { most_rows: usize::MAX }), (closing, Emit::EachRow)]
        {
            if !rows.is_empty() {
                let rows = batch.take(&UInt32Array::from(rows));
                let rows = if comes { rows.at(Some(places.into())) } else { rows };
                self.count(input, rows, starts, emit, cx).await?;
            }
        }
        if let Some(places) = places {
            places.give_back(cx);
        }
        self.finish(emitted, cx)
    }

    /// The rows that no expression fails on: the others die once, and not in each of their windows. Of combined rows none does.
    fn alive(&self, input: usize, batch: Batch, cx: &mut Context) -> Result<Option<Batch>, OperatorError> {
        let dead = cx.dead.len();
        let starts = vec![0; batch.len()];
        let alive = self.aggregate.alive(self.frame.inside(batch, vec![starts])?, input, cx);
        self.frame.outside(dead, cx)?;
        Ok(alive)
    }

    /// Counts rows into the windows that start then, one for each; with [`Emit::EachRow`] each gives its window's result.
    async fn count(
        &mut self,
        input: usize,
        rows: Batch,
        starts: Vec<i64>,
        emit: Emit,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        if rows.combined.is_some() {
            if let Some(panes) = &mut self.panes {
                panes.touched(&starts, &rows, &(0..self.key_by.len()).collect::<Vec<_>>());
            }
            return self.aggregate.take_parts(&rows, Some(&starts), cx).await;
        }
        if let Some(panes) = &mut self.panes {
            panes.touched(&starts, &rows, &self.key_by);
        }
        let every = if emit == Emit::EachRow { Some(1) } else { self.trigger.every_rows };
        self.aggregate.set_emit(if every.is_some() { Emit::EachRow } else { emit });
        self.aggregate.set_comes(every.map_or(Comes::WithEach, Comes::Every));
        match every.filter(|_| self.discards) {
            None => {
                let rows = self.frame.inside(rows, vec![starts])?;
                self.count_once(input, rows, every, cx).await?;
            }
            Some(every) => {
                let state = state(cx)?;
                let mut rounds = Rounds::new(every, &rows, &self.key_by, Some(&starts), state, &mut self.call);
                let rows = self.frame.inside(rows, vec![starts])?;
                while let Some(now) = rounds.next(state_of(&mut cx.state)?, &mut self.call) {
                    let emitted = cx.emitted.len();
                    self.count_once(input, rows.take(&now), Some(every), cx).await?;
                    self.discard(emitted, cx)?;
                }
            }
        }
        Ok(())
    }

    /// Counts rows, and leaves those results that come with each so many rows of a key.
    async fn count_once(&mut self, input: usize, rows: Batch, every: Option<u64>, cx: &mut Context) -> Result<(), OperatorError> {
        let (emitted, dead) = (cx.emitted.len(), cx.dead.len());
        self.aggregate.step(input, rows, cx).await?;
        if let Some(every) = every.filter(|every| *every > 1) {
            leave(emitted, self.key_by.len() + 1, cx, Comes::Every(every));
        }
        self.frame.outside(dead, cx)
    }

    /// Forgets what keys have in windows whose results have come out.
    fn discard(&mut self, emitted: usize, cx: &mut Context) -> Result<(), OperatorError> {
        let (key, state) = (self.key_by.len(), state_of(&mut cx.state)?);
        for emitted in &cx.emitted[emitted..] {
            let columns = emitted.batch.rows.columns();
            let Keys { keys, hashes } = Keys::first(&columns[..key]);
            state.resolve_in(&keys, &hashes, columns[key].as_primitive::<TimestampMillisecondType>().values(), &mut self.call);
            let none = removal(state.states(), self.call.count());
            state.apply(&self.call, &none);
            state.finish(&self.call);
        }
        Ok(())
    }

    /// Makes results of what the aggregate has emitted since: with both bounds of their windows, and the event time of its last moment.
    fn finish(&mut self, emitted: usize, cx: &mut Context) -> Result<(), OperatorError> {
        let key = self.key_by.len() + usize::from(self.changes.is_some());
        if let Some(changes) = &mut self.changes {
            let state = state_of(&mut cx.state)?;
            for emitted in &mut cx.emitted[emitted..] {
                emitted.batch = changes.of(&emitted.batch, state)?;
            }
            cx.emitted.retain(|emitted| !emitted.batch.is_empty());
        }
        self.frame.bound(emitted, cx, |rows| {
            let starts = rows.column(key).as_primitive::<TimestampMillisecondType>().values();
            let (mut firsts, mut lasts) = (Vec::with_capacity(starts.len()), Vec::with_capacity(starts.len()));
            // Results mostly come window by window.
            let mut of: Option<(i64, i64, i64)> = None;
            for &start in starts {
                let (_, first, last) = of
                    .filter(|(known, ..)| *known == start)
                    .unwrap_or_else(|| (start, self.windows.first(start), self.windows.last(start)));
                of = Some((start, first, last));
                firsts.push(first);
                lasts.push(last);
            }
            (firsts, lasts)
        })
    }

    /// Lets some of the results come out of windows that event time has reached the end of, and forgets what takes no more rows.
    async fn fire(&mut self, watermark: Watermark, cx: &mut Context) -> Result<Due, OperatorError> {
        if let Some(firing) = self.firing.take() {
            self.firing = self.give(firing, watermark, cx).await?;
            return Ok(Due::More);
        }
        while let Some(start) = self.due_from(self.next, cx)?.filter(|&start| self.is_due(start, watermark)) {
            let first = self.windows.first(start);
            let ends = self.windows.last(start) <= watermark.0;
            let comes = if ends {
                self.windows.phase(start, cx.watermark.0) == Phase::Open
            } else {
                self.trigger.comes(first, cx.watermark.0, watermark.0)
            };
            if comes {
                if let Some(panes) = &mut self.panes {
                    let end = start.saturating_add(self.windows.size);
                    panes.begin(start, end, self.windows.boundary(start), state(cx)?);
                }
                self.firing = Some(DueWindow { start, results: None, from: From::State(Vec::new()) });
                return Ok(Due::More);
            }
            self.forget(start, watermark, cx)?;
            self.next = start.saturating_add(1);
        }
        self.next = i64::MIN;
        Ok(Due::Done)
    }

    /// Whether something may be due of a window: its end, or what comes early.
    fn is_due(&self, start: i64, watermark: Watermark) -> bool {
        let at = if self.trigger.early.is_some() { self.windows.first(start) } else { self.windows.last(start) };
        at <= watermark.0
    }

    /// The first window from a start on that has rows, and whose results haven't come out where that can be told.
    fn due_from(&self, least: i64, cx: &Context) -> Result<Option<i64>, OperatorError> {
        let state = cx.state.as_ref().ok_or_else(|| bug("a window was run without keyed state"))?;
        if self.panes.is_none() {
            return Ok(state.space_from(least));
        }
        let least = self.windows.first_from(least.max(self.windows.first_open(cx.watermark.0)));
        let slice = state.space_from(least);
        Ok(slice.map(|slice| least.max(self.windows.first_with(slice))))
    }

    /// A step towards the results of a window that is due; the window, while there are more.
    async fn give(
        &mut self,
        mut due: DueWindow,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Option<DueWindow>, OperatorError> {
        let emitted = cx.emitted.len();
        let more = if let Some(results) = &mut due.results {
            let most_rows = match &due.from {
                From::State(places) => {
                    let upcoming = results.upcoming(self.most_rows);
                    self.aggregate.fitting(state(cx)?, upcoming.values().iter().map(|&key| places[key as usize]))
                }
                From::Slices(_) => self.most_rows,
            };
            let some = results.next(most_rows);
            let values = match (&due.from, &mut self.panes) {
                (From::Slices(keys), Some(panes)) => {
                    let mut values = panes.values(&keys.numbered(&some), &mut self.aggregate).await?;
                    self.aggregate.columns_of(&mut values, some.len()).await?
                }
                (From::State(places), _) => self.aggregate.values_at(places, &some, cx).await?,
                (From::Slices(_), None) => return Err(bug("slices without panes")),
            };
            self.aggregate.emit_results(results, &some, values, cx)?;
            !results.is_empty()
        } else {
            if let Some(panes) = &mut self.panes {
                if !panes.prepare(&mut self.aggregate, state(cx)?).await? {
                    let keys = panes.keys();
                    due.results = Some(self.aggregate.results_of(due.start, &keys.keys)?);
                    due.from = From::Slices(keys);
                }
            } else {
                let (results, places) = self.aggregate.results_in(due.start, cx)?;
                (due.results, due.from) = (Some(results), From::State(places));
            }
            true
        };
        self.finish(emitted, cx)?;
        if more {
            return Ok(Some(due));
        }
        if self.discards {
            state(cx)?.forget(due.start);
        }
        self.forget(due.start, watermark, cx)?;
        self.next = due.start.saturating_add(1);
        Ok(None)
    }

    /// Forgets what is only in a window whose results have come out, and in those before it, if it takes no more rows.
    fn forget(&mut self, start: i64, watermark: Watermark, cx: &mut Context) -> Result<(), OperatorError> {
        if self.windows.phase(start, watermark.0) != Phase::Past {
            return Ok(());
        }
        let state = state(cx)?;
        let Some(panes) = &mut self.panes else {
            state.forget(start);
            return Ok(());
        };
        while let Some(slice) = state.space_from(i64::MIN).filter(|&slice| self.windows.latest_with(slice) <= start) {
            panes.leave(slice, state);
            state.forget(slice);
        }
        Ok(())
    }
}

impl Ends for WindowedAggregate {
    fn next_end(&self, cx: &Context) -> Option<i64> {
        let first = self.due_from(i64::MIN, cx).ok()??;
        let end = self.windows.last(first).saturating_add(1);
        if self.trigger.early.is_none() {
            return Some(end);
        }
        let starts = std::iter::successors(Some(first), |start| self.due_from(start.checked_add(1)?, cx).ok()?);
        // From what the clock has come to, not from now: a moment that passed while rows were counted comes at once.
        let comes = |start| self.trigger.next(self.windows.first(start), cx.watermark.0);
        starts.filter_map(comes).chain([end]).min()
    }
}

impl Operator for WindowedAggregate {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        Box::pin(async move { self.step(input, batch, cx).await })
    }

    fn watermark<'a>(&'a mut self, watermark: Watermark, cx: &'a mut Context) -> Firing<'a> {
        Box::pin(async move { self.fire(watermark, cx).await })
    }

    fn idle(&mut self) {
        self.aggregate.idle();
    }

    fn plugin_counts(&self) -> PluginCounts {
        let counts = self.aggregate.plugin_counts();
        let memory = counts.memory + self.panes.as_ref().map_or(0, Panes::held) as u64;
        PluginCounts { memory, skipped: counts.skipped + self.between, ..counts }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
