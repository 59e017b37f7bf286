//! `window: { session: … }`: rows of a key that follow one another with pauses shorter than the gap.
//!
//! A key most often has one session at a time. So a key's sessions have numbers, as low as can be, and a number is a space of the operator's
//! state: few spaces with many keys. When a session's first and its last row came are two aggregates more, `min` and `max` of the rows'
//! times, so that sessions which a row joins are put together as all that is known of them. Which sessions there are, and when one is to be
//! looked at, is known beside the state, and is found out from it where a task is restored.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{ArrayRef, TimestampMillisecondArray, UInt32Array};
use arrow_schema::SchemaRef;
use wasmill_flow::key::EncodedKeys;
use wasmill_flow::{Batch, Watermark};
use wasmill_state::{CallKeys, StateWrite, Values};

use super::by_clock::Ends;
use super::frame::{Frame, bug, state};
use super::keys::{Keys, removal};
use super::trigger::{ROWS, Trigger, every_rows};
use crate::aggregate::{Computation, Emit, RunningAggregate, in_order};
use crate::contract::{Context, Declaration, Due, Firing, Operator, OperatorError, PluginCounts, Step};
use crate::definition::{DefinitionProblem, DefinitionProblems};
use crate::expression::ExpressionProblem;

/// What only the aggregate sees: a row's time, and the number of its session.
const INSIDE: [&str; 2] = ["@time", "@session"];
/// The columns of what the aggregate gives behind the key's: the session's number, when its first row came and when its last, and how many it
/// has.
const HIDDEN: usize = 4;
/// What is known of a key beside its bytes, and of a moment at which it is to be looked at, about, in bytes.
const KNOWN: usize = 112;
const DUE: usize = 40;

/// Aggregates by key and session. Its context has keyed state, of the one state that its declaration names, whose keys are in spaces.
#[derive(Debug)]
pub struct SessionAggregate {
    gap: i64,
    /// For so long after its end a session still takes rows.
    allowed_lateness: i64,
    /// Results come out each time that a session has so many rows more.
    every_rows: Option<u64>,
    frame: Frame,
    key_by: Vec<usize>,
    most_rows: usize,
    aggregate: RunningAggregate,
    /// The sessions of each encoded key.
    known: HashMap<Arc<[u8]>, Vec<Session>>,
    /// When keys are to be looked at: when event time has come to just before that.
    due: BTreeSet<(i64, Arc<[u8]>)>,
    firing: Option<DueSessions>,
    call: CallKeys,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    space: i64,
    first: i64,
    last: i64,
}

/// Sessions that event time has reached the end of.
#[derive(Debug)]
struct DueSessions {
    of: Chosen,
    columns: Vec<ArrayRef>,
    order: UInt32Array,
    given: usize,
    /// Those that take no more rows.
    past: Chosen,
}

/// Some sessions: keys and numbers.
#[derive(Debug, Default)]
struct Chosen {
    keys: Keys,
    spaces: Vec<i64>,
}

/// What becomes of a row.
enum Joined {
    Late,
    /// It is in the session of that number, with which others are to be put together; whether that one's result has come out.
    Session {
        space: i64,
        others: Vec<i64>,
        closing: bool,
    },
}

/// Rows that are counted together.
#[derive(Debug, Default)]
struct Segment {
    rows: Vec<u32>,
    spaces: Vec<i64>,
    closing: bool,
}

impl SessionAggregate {
    /// Aggregates by name and text over rows of `input`, for each key of the columns `key_by` and each of its sessions. At most `most_rows`
    /// leave in a batch. Times are in milliseconds.
    ///
    /// # Errors
    /// Every problem, as of [`RunningAggregate::new`].
    pub fn new(
        key_by: &[usize],
        gap: i64,
        allowed_lateness: i64,
        trigger: Trigger,
        aggregates: Vec<(String, Computation)>,
        most_rows: usize,
        input: &SchemaRef,
    ) -> Result<Self, DefinitionProblems> {
        let inner = Frame::inner(input, &INSIDE);
        let bound = |name: &str, text: &str| (name.to_owned(), Computation::Sql(text.to_owned()));
        let bounds = [bound("@first", "min(\"@time\")"), bound("@last", "max(\"@time\")"), bound(ROWS, "count(*)")];
        let aggregates: Vec<_> = bounds.into_iter().chain(aggregates).collect();
        let names: Vec<String> = aggregates.iter().map(|(name, _)| name.clone()).collect();
        let aggregate = RunningAggregate::of(key_by, aggregates, Emit::AtEnd { most_rows }, &inner)?;
        if let Some(whole) =
            aggregate.whole().map(|number| DefinitionProblem::new(format!("aggregate.{}", names[number]), in_parts())).next()
        {
            return Err(vec![whole]);
        }
        let aggregate = aggregate.in_spaces(input.fields().len() + 1, &inner);
        Ok(Self {
            gap,
            allowed_lateness,
            every_rows: trigger.every_rows,
            frame: Frame::new(input, inner, aggregate.output(), key_by.len(), HIDDEN),
            key_by: key_by.to_vec(),
            most_rows,
            aggregate,
            known: HashMap::new(),
            due: BTreeSet::new(),
            firing: None,
            call: CallKeys::default(),
        })
    }

    /// Two outputs, of results and of the input's rows that came too late; one state.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        self.frame.declaration(self.aggregate.declaration().states)
    }

    /// Where a session ends.
    fn end_of(&self, last: i64) -> i64 {
        last.saturating_add(self.gap)
    }

    /// Whether a session that ends there has had its result come out when event time has come so far.
    fn is_closing(end: i64, watermark: Watermark) -> bool {
        end.saturating_sub(1) <= watermark.0
    }

    /// Whether it takes no more rows.
    fn is_past(&self, end: i64, watermark: Watermark) -> bool {
        end.saturating_sub(1).saturating_add(self.allowed_lateness) <= watermark.0
    }

    async fn step(&mut self, input: usize, batch: Batch, cx: &mut Context) -> Result<(), OperatorError> {
        let times = batch.times.clone().ok_or_else(|| bug("rows without event times came to a window"))?;
        let dead = cx.dead.len();
        let none = vec![0; times.len()];
        let batch = self.frame.inside(batch, vec![times.to_vec(), none])?;
        // A row that an expression fails on joins no sessions.
        let alive = self.aggregate.alive(batch, input, cx);
        self.frame.outside(dead, cx)?;
        let Some(batch) = alive else { return Ok(()) };
        let failed = cx.dead.len();
        let times = batch.times.clone().unwrap_or_default();
        let mut keys = EncodedKeys::default();
        keys.encode(&self.key_by.iter().map(|&column| ArrayRef::clone(batch.rows.column(column))).collect::<Vec<_>>());
        let hashes = batch.hashes.clone().unwrap_or_else(|| keys.hashes().into());
        let (mut segment, mut late) = (Segment::default(), Vec::new());
        for (row, &time) in (0_u32..).zip(times.iter()) {
            let key = keys.get(row as usize);
            let Joined::Session { space, others, closing } = self.join(key, time, cx.watermark) else {
                late.push(row);
                continue;
            };
            if !segment.rows.is_empty() && (closing != segment.closing || !others.is_empty()) {
                self.count(input, &batch, std::mem::take(&mut segment), cx).await?;
            }
            for other in others {
                self.put_together(key, hashes[row as usize], space, other, cx).await?;
            }
            segment.rows.push(row);
            segment.spaces.push(space);
            segment.closing = closing;
        }
        if !segment.rows.is_empty() {
            self.count(input, &batch, segment, cx).await?;
        }
        if cx.dead.len() > failed {
            // Sessions are what they are without rows that an aggregate couldn't take.
            self.find_out(cx)?;
        }
        if !late.is_empty() {
            cx.emit(1, self.frame.late(&batch, late)?);
        }
        Ok(())
    }

    /// Has a row join the sessions that it is within the gap of, or begin one.
    fn join(&mut self, key: &[u8], time: i64, watermark: Watermark) -> Joined {
        let known = self.known.get(key).map_or(&[][..], Vec::as_slice);
        let near = |session: &&Session| time < self.end_of(session.last) && session.first < self.end_of(time);
        let mut joined: Vec<Session> = known.iter().filter(near).copied().collect();
        joined.sort_unstable_by_key(|session| session.first);
        let Some(&oldest) = joined.first() else {
            let end = self.end_of(time);
            if self.is_past(end, watermark) {
                return Joined::Late;
            }
            let space = (0..).find(|space| known.iter().all(|session| session.space != *space)).unwrap_or(i64::MAX);
            let key: Arc<[u8]> = key.into();
            let closing = Self::is_closing(end, watermark);
            self.due.insert((if closing { end.saturating_add(self.allowed_lateness) } else { end }, Arc::clone(&key)));
            self.known.entry(key).or_default().push(Session { space, first: time, last: time });
            return Joined::Session { space, others: Vec::new(), closing };
        };
        let last = joined.iter().map(|session| session.last).fold(time, i64::max);
        let grown = Session { space: oldest.space, first: oldest.first.min(time), last };
        let end = self.end_of(last);
        let closing = Self::is_closing(end, watermark);
        if joined.len() > 1 || (!closing && Self::is_closing(self.end_of(oldest.last), watermark)) {
            self.due.insert((end, key.into()));
        }
        if let Some(known) = self.known.get_mut(key) {
            known.retain(|session| joined.iter().all(|joined| joined.space != session.space));
            known.push(grown);
        }
        Joined::Session { space: oldest.space, others: joined[1..].iter().map(|session| session.space).collect(), closing }
    }

    /// Counts rows into their sessions; those of sessions whose result has come out give it anew.
    async fn count(&mut self, input: usize, batch: &Batch, segment: Segment, cx: &mut Context) -> Result<(), OperatorError> {
        let Segment { rows, spaces, closing } = segment;
        let rows = if rows.len() == batch.len() { batch.clone() } else { batch.take(&UInt32Array::from(rows)) };
        let times = rows.times.as_deref().unwrap_or_default().to_vec();
        let rows = self.frame.inside(rows, vec![times, spaces])?;
        let (emitted, dead) = (cx.emitted.len(), cx.dead.len());
        let each = closing || self.every_rows.is_some();
        self.aggregate.set_emit(if each { Emit::EachRow } else { Emit::AtEnd { most_rows: usize::MAX } });
        // Behind when its first and its last row came.
        self.aggregate.set_every(2, self.every_rows.filter(|_| !closing));
        self.aggregate.step(input, rows, cx).await?;
        if let Some(rows) = self.every_rows.filter(|_| !closing) {
            every_rows(rows, emitted, self.key_by.len() + HIDDEN - 1, cx);
        }
        self.frame.outside(dead, cx)?;
        self.bound(emitted, cx)
    }

    fn bound(&self, emitted: usize, cx: &mut Context) -> Result<(), OperatorError> {
        let key = self.key_by.len();
        self.frame.bound(emitted, cx, |rows| {
            let times = |column: usize| rows.column(key + column).as_primitive::<TimestampMillisecondType>().values();
            (times(1).to_vec(), times(2).iter().map(|&last| self.end_of(last).saturating_sub(1)).collect())
        })
    }

    /// Puts a key's session together with a later one, which is no more.
    async fn put_together(
        &mut self,
        key: &[u8],
        hash: u64,
        space: i64,
        other: i64,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        let mut keys = EncodedKeys::default();
        keys.push(key);
        let state = state(cx)?;
        let (mut left, mut right) = (Values::default(), Values::default());
        state.resolve_in(&keys, &[hash], &[other], &mut self.call);
        state.load(0, &self.call, &mut right);
        let rows = self.aggregate.rows_to_move(state.as_ref(), &self.call);
        let none = removal(state.states(), 1);
        state.apply(&self.call, &none);
        state.finish(&self.call);
        state.resolve_in(&keys, &[hash], &[space], &mut self.call);
        state.load(0, &self.call, &mut left);
        state.finish(&self.call);
        self.aggregate.merge(&mut left, &mut right, 1).await?;
        let state = super::frame::state(cx)?;
        state.resolve_in(&keys, &[hash], &[space], &mut self.call);
        state.apply(&self.call, &[StateWrite { state: 0, keys: None, values: left }]);
        let moved = rows.map_or(Ok(()), |rows| self.aggregate.move_rows(state.as_mut(), &self.call, &rows));
        state.finish(&self.call);
        moved
    }

    /// Lets some of the results come out of sessions that event time has reached the end of, and forgets what takes no more rows.
    async fn fire(&mut self, watermark: Watermark, cx: &mut Context) -> Result<Due, OperatorError> {
        let Some(mut firing) = self.firing.take() else {
            self.firing = self.ended(watermark, cx.watermark)?;
            return Ok(if self.firing.is_some() { Due::More } else { Due::Done });
        };
        let left = firing.order.len() - firing.given;
        if left > 0 {
            let some = firing.order.slice(firing.given, left.min(self.most_rows.max(1)));
            let (of, mut spaces) = firing.of.numbered(&some);
            let mut values = Values::default();
            let state = state(cx)?;
            state.resolve_in(&of.keys, &of.hashes, &spaces, &mut self.call);
            let fitting = self.aggregate.fitting(state.as_ref(), self.call.places.iter().copied());
            self.call.places.truncate(fitting);
            spaces.truncate(fitting);
            let some = some.slice(0, fitting);
            firing.given += fitting;
            state.load(0, &self.call, &mut values);
            let rows = self.aggregate.rows_at(state.as_ref(), &self.call.places);
            state.finish(&self.call);
            let mut values = self.aggregate.columns_of(&mut values, some.len()).await?;
            values.extend(rows?);
            let emitted = cx.emitted.len();
            let spaces = Arc::new(TimestampMillisecondArray::from(spaces));
            self.aggregate.emit_rows(&firing.columns, &some, Some(spaces), values, cx)?;
            self.bound(emitted, cx)?;
            self.firing = Some(firing);
            return Ok(Due::More);
        }
        let state = state(cx)?;
        let Chosen { keys, spaces } = &firing.past;
        state.resolve_in(&keys.keys, &keys.hashes, spaces, &mut self.call);
        let none = removal(state.states(), spaces.len());
        state.apply(&self.call, &none);
        state.finish(&self.call);
        Ok(Due::Done)
    }

    /// The sessions whose end event time has reached since `before`, by end and key.
    fn ended(&mut self, watermark: Watermark, before: Watermark) -> Result<Option<DueSessions>, OperatorError> {
        let mut looked_at = BTreeSet::new();
        while self.due.first().is_some_and(|(at, _)| at.saturating_sub(1) <= watermark.0) {
            looked_at.extend(self.due.pop_first().map(|(_, key)| key));
        }
        if looked_at.is_empty() {
            return Ok(None);
        }
        let (mut of, mut past, mut firsts, mut ends) = (Chosen::default(), Chosen::default(), Vec::new(), Vec::new());
        for key in looked_at {
            let Some(mut sessions) = self.known.remove(&key) else { continue };
            let hash = wasmill_flow::key::hash(&key);
            sessions.retain(|session| {
                let end = self.end_of(session.last);
                if !Self::is_closing(end, watermark) {
                    self.due.insert((end, Arc::clone(&key)));
                    return true;
                }
                if !Self::is_closing(end, before) {
                    of.push(&key, hash, session.space);
                    firsts.push(session.first);
                    ends.push(end);
                }
                if self.is_past(end, watermark) {
                    past.push(&key, hash, session.space);
                    return false;
                }
                self.due.insert((end.saturating_add(self.allowed_lateness), Arc::clone(&key)));
                true
            });
            if !sessions.is_empty() {
                self.known.insert(key, sessions);
            }
        }
        let columns = self.aggregate.key_columns(&of.keys.keys)?;
        let time = |times: Vec<i64>| Arc::new(TimestampMillisecondArray::from(times)) as ArrayRef;
        let by: Vec<ArrayRef> = [time(ends)].into_iter().chain(columns.iter().cloned()).chain([time(firsts)]).collect();
        let order = in_order(&by)?;
        Ok(Some(DueSessions { of, columns, order, given: 0, past }))
    }

    /// Finds out from the state which sessions there are.
    fn find_out(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.known.clear();
        self.due.clear();
        let watermark = cx.watermark;
        let state = state(cx)?;
        let mut next = state.space_from(i64::MIN);
        while let Some(space) = next {
            let (mut of, mut values) = (Keys::default(), Values::default());
            state.resolve_all(space, &mut of.keys, &mut of.hashes, &mut self.call);
            state.load(0, &self.call, &mut values);
            state.finish(&self.call);
            for index in 0..of.hashes.len() {
                let value = values.get(index, state.states()[0].width);
                let (first, last) = value.and_then(bounds).ok_or_else(|| bug("a session has no bounds"))?;
                let (key, end): (Arc<[u8]>, i64) = (of.keys.get(index).into(), self.end_of(last));
                let at = if Self::is_closing(end, watermark) { end.saturating_add(self.allowed_lateness) } else { end };
                self.due.insert((at, Arc::clone(&key)));
                self.known.entry(key).or_default().push(Session { space, first, last });
            }
            next = space.checked_add(1).and_then(|least| state.space_from(least));
        }
        Ok(())
    }
}

/// Why an aggregate can't be in sessions.
fn in_parts() -> ExpressionProblem {
    let message = "sessions are put together, which this aggregate doesn't do: `distinct` with more than one argument, or a plugin that doesn't merge";
    ExpressionProblem::new("not-in-this-version", message)
}

impl Chosen {
    fn push(&mut self, key: &[u8], hash: u64, space: i64) {
        self.keys.push(key, hash);
        self.spaces.push(space);
    }

    fn numbered(&self, numbers: &UInt32Array) -> (Keys, Vec<i64>) {
        let spaces = numbers.values().iter().map(|&number| self.spaces[number as usize]).collect();
        (self.keys.numbered(numbers), spaces)
    }
}

/// When a session's first and last row came, of its value in the state: each behind a byte that says that it is there.
fn bounds(value: &[u8]) -> Option<(i64, i64)> {
    let first = i64::from_le_bytes(*value.get(1..9)?.first_chunk()?);
    let last = i64::from_le_bytes(*value.get(10..18)?.first_chunk()?);
    Some((first, last))
}

impl Ends for SessionAggregate {
    fn next_end(&self, _: &Context) -> Option<i64> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl Operator for SessionAggregate {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        Box::pin(async move { self.step(input, batch, cx).await })
    }

    fn restored(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.find_out(cx)
    }

    fn watermark<'a>(&'a mut self, watermark: Watermark, cx: &'a mut Context) -> Firing<'a> {
        Box::pin(async move { self.fire(watermark, cx).await })
    }

    fn idle(&mut self) {
        self.aggregate.idle();
    }

    fn plugin_counts(&self) -> PluginCounts {
        let counts = self.aggregate.plugin_counts();
        PluginCounts { memory: counts.memory + (self.known.len() * KNOWN + self.due.len() * DUE) as u64, ..counts }
    }
}
