//! `window: { session: … }`: rows of a key that follow one another with pauses shorter than the gap.
//!
//! A key most often has one session at a time. So a key's sessions have numbers, as low as can be, and a number is a space of the operator's
//! state: few spaces with many keys. When a session's first and its last row came are two aggregates more, `min` and `max` of the rows'
//! times, so that sessions which a row joins are put together as all that is known of them. Which sessions there are, and when one is to be
//! looked at, is known beside the state, and is found out from it where a task is restored.

mod known;
mod parts;

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{ArrayRef, TimestampMillisecondArray, UInt32Array};
use arrow_schema::SchemaRef;
use wasmill_flow::{Batch, Watermark};
use wasmill_state::{CallKeys, StateWrite, Values};

use super::by_clock::Ends;
use super::changes::{self, Changes};
use super::frame::{Frame, bug, state, state_of};
use super::keys::{Keys, removal};
use super::trigger::{Accumulation, ROWS, Trigger, leave};
use crate::aggregate::{Comes, Computation, Emit, RunningAggregate, Space, in_order};
use crate::contract::{Context, Declaration, Due, Firing, Operator, OperatorError, PluginCounts, Step};
use crate::definition::{DefinitionProblem, DefinitionProblems};
use crate::expression::ExpressionProblem;
use known::{Known, LookedAt};
use parts::{Chosen, Rows, Segment, one, session, sessions_of};

/// What only the aggregate sees: a row's time, and the number of its session.
const INSIDE: [&str; 2] = ["@time", "@session"];
/// The columns of what the aggregate gives behind the key's: the session's number, how many rows it has, and when its first and its last came.
const HIDDEN: usize = 4;
/// Those of the aggregates that are of the session and not of what comes out.
const BOUNDS: std::ops::Range<usize> = 1..3;

/// Aggregates by key and session. Its context has keyed state, of the states that its declaration names, whose keys are in spaces.
#[derive(Debug)]
pub struct SessionAggregate {
    trigger: Trigger,
    /// What comes out is forgotten, and the session goes on.
    discards: bool,
    /// Results are changes of those before.
    changes: Option<Changes>,
    frame: Frame,
    key_by: Vec<usize>,
    most_rows: usize,
    aggregate: RunningAggregate,
    known: Known,
    firing: Option<DueSessions>,
    call: CallKeys,
}

/// Sessions of which results come out.
#[derive(Debug)]
struct DueSessions {
    of: Chosen,
    columns: Vec<ArrayRef>,
    order: UInt32Array,
    given: usize,
    /// Those that take no more rows.
    past: Chosen,
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
        let own = |name: &str, text: &str| (name.to_owned(), Computation::Sql(text.to_owned()));
        let own = [own(ROWS, "count(*)"), own("@first", "min(\"@time\")"), own("@last", "max(\"@time\")")];
        let aggregates: Vec<_> = own.into_iter().chain(aggregates).collect();
        let names: Vec<String> = aggregates.iter().map(|(name, _)| name.clone()).collect();
        let aggregate = RunningAggregate::of(key_by, aggregates, Emit::AtEnd { most_rows }, &inner)?;
        if let Some(whole) =
            aggregate.whole().map(|number| DefinitionProblem::new(format!("aggregate.{}", names[number]), in_parts())).next()
        {
            return Err(vec![whole]);
        }
        let aggregate = aggregate.in_spaces(Space::Session, input.fields().len() + 1, &inner);
        let several = allowed_lateness > 0 || trigger.comes_before_the_end();
        // What was said of a session has its bounds, which may change too.
        let changes = trigger.retracts().then(|| Changes::new(several, key_by.len(), true, key_by.len() + 2, aggregate.output()));
        Ok(Self {
            trigger,
            discards: several && trigger.accumulation == Accumulation::Discarding,
            frame: match &changes {
                Some(changes) => Frame::new(input, inner, changes.output(), key_by.len() + 1, HIDDEN),
                None => Frame::new(input, inner, aggregate.output(), key_by.len(), HIDDEN),
            },
            changes,
            key_by: key_by.to_vec(),
            most_rows,
            aggregate,
            known: Known::new(gap, allowed_lateness, trigger),
            firing: None,
            call: CallKeys::default(),
        })
    }

    /// Two outputs, of results and of the input's rows that came too late; one state, or two where results are changes.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        self.frame.declaration(changes::declared(self.changes.as_ref(), self.aggregate.declaration()))
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
        let rows = Rows { of: Keys::of(&batch, &self.key_by), batch };
        let (mut next, mut singly, mut late) = (0, 0, Vec::new());
        while next < rows.batch.len() {
            let mut segment = self.segment(&rows, next, singly, cx.watermark);
            if !self.count(input, &rows, &segment, cx).await? {
                // Nor does one that an aggregate refuses: which sessions those behind it join is known when it is.
                self.look_again(&rows, &segment, cx)?;
                if segment.rows.len() > 1 {
                    singly = segment.end;
                    continue;
                }
            }
            next = segment.end;
            late.append(&mut segment.late);
        }
        if !late.is_empty() {
            cx.emit(1, self.frame.late(&rows.batch, late)?);
        }
        Ok(())
    }

    /// When rows come out of sessions whose results have come out or not.
    fn emits(&self, closing: bool) -> Emit {
        if closing || self.trigger.every_rows.is_some() { Emit::EachRow } else { Emit::AtEnd { most_rows: usize::MAX } }
    }

    /// With which of their rows those of sessions whose results have come out or not come out.
    fn comes(&self, closing: bool) -> Comes {
        match self.trigger.every_rows.filter(|_| !closing) {
            // Sessions that are put together may have more than so many at once.
            Some(rows) if self.discards => Comes::From(rows),
            Some(rows) => Comes::Every(rows),
            None => Comes::WithEach,
        }
    }

    /// Has rows from a number on join sessions, as many as can be counted together; before the number `singly` one alone.
    fn segment(&mut self, rows: &Rows, from: usize, singly: usize, watermark: Watermark) -> Segment {
        let mut segment = Segment { end: from, ..Segment::default() };
        let times = rows.batch.times.as_deref().unwrap_or_default();
        let mut keys = HashSet::new();
        for (row, (&time, number)) in times.iter().zip(0_u32..).enumerate().skip(from) {
            let key = rows.of.keys.get(row);
            let Some(joined) = self.known.joined(key, time, watermark) else {
                segment.late.push(number);
                segment.end = row + 1;
                continue;
            };
            let alone = row < singly || !joined.others.is_empty();
            let others = alone
                || joined.closing != segment.closing
                || segment.rows.len() == self.aggregate.most_at_once(self.emits(joined.closing));
            // Where results are forgotten, the next row of a key finds nothing of them.
            let twice = self.discards && self.emits(joined.closing) == Emit::EachRow && !keys.insert(key);
            if (others || twice) && !segment.rows.is_empty() {
                break;
            }
            self.known.note(key, &joined, watermark);
            segment.rows.push(number);
            segment.spaces.push(joined.session.space);
            (segment.others, segment.closing, segment.end) = (joined.others, joined.closing, row + 1);
            if alone {
                break;
            }
        }
        segment
    }

    /// Counts rows into their sessions; those of sessions whose result has come out give it anew. Whether all were taken: of several rows none
    /// is where an aggregate refuses one.
    async fn count(&mut self, input: usize, rows: &Rows, segment: &Segment, cx: &mut Context) -> Result<bool, OperatorError> {
        let Segment { rows: numbers, spaces, closing, .. } = segment;
        if numbers.is_empty() {
            return Ok(true);
        }
        let (emitted, dead) = (cx.emitted.len(), cx.dead.len());
        let apart = if segment.others.is_empty() { Vec::new() } else { self.put_together(rows, segment, cx).await? };
        let counted = cx.emitted.len();
        let some = if numbers.len() == rows.batch.len() { rows.batch.clone() } else { rows.batch.take(&numbers.clone().into()) };
        let times = some.times.as_deref().unwrap_or_default().to_vec();
        let some = self.frame.inside(some, vec![times, spaces.clone()])?;
        let comes = self.comes(*closing);
        self.aggregate.set_emit(self.emits(*closing));
        self.aggregate.set_comes(comes);
        let taken = if numbers.len() == 1 {
            self.aggregate.step(input, some, cx).await?;
            self.frame.outside(dead, cx)?;
            cx.dead.len() == dead
        } else {
            self.aggregate.step_whole(input, some, cx).await?
        };
        if !taken {
            cx.emitted.truncate(emitted);
            self.write(&sessions_of(rows, segment), apart, cx)?;
            return Ok(false);
        }
        if comes != Comes::WithEach {
            leave(counted, self.key_by.len() + 1, cx, comes);
        }
        self.finish(counted, cx)?;
        self.bound(emitted, cx)?;
        Ok(true)
    }

    /// Makes of what the aggregate has emitted from a place on what comes out, but for the bounds.
    fn finish(&mut self, emitted: usize, cx: &mut Context) -> Result<(), OperatorError> {
        if self.discards {
            self.discard(emitted, cx)?;
        }
        if let Some(changes) = &mut self.changes {
            let state = state_of(&mut cx.state)?;
            for emitted in &mut cx.emitted[emitted..] {
                emitted.batch = changes.of(&emitted.batch, state)?;
            }
            cx.emitted.retain(|emitted| !emitted.batch.is_empty());
        }
        Ok(())
    }

    /// Forgets what has come out, but not the sessions.
    fn discard(&mut self, emitted: usize, cx: &mut Context) -> Result<(), OperatorError> {
        let (key, state) = (self.key_by.len(), state_of(&mut cx.state)?);
        for emitted in &cx.emitted[emitted..] {
            let columns = emitted.batch.rows.columns();
            let Keys { keys, hashes } = Keys::first(&columns[..key]);
            let spaces = columns[key].as_primitive::<TimestampMillisecondType>().values();
            let mut values = Values::default();
            state.resolve_in(&keys, &hashes, spaces, &mut self.call);
            state.load(0, &self.call, &mut values);
            self.aggregate.empty(&mut values, self.call.count(), BOUNDS)?;
            let rows = self.aggregate.forget_rows(self.call.count());
            let write = StateWrite { state: 0, keys: None, values };
            state.apply(&self.call, &[write].into_iter().chain(rows).collect::<Vec<_>>());
            state.finish(&self.call);
        }
        Ok(())
    }

    /// Puts bounds and event times to what has come out from a place on.
    fn bound(&self, emitted: usize, cx: &mut Context) -> Result<(), OperatorError> {
        let key = self.key_by.len() + usize::from(self.changes.is_some());
        self.frame.bound(emitted, cx, |rows| {
            let times = |column: usize| rows.column(key + column).as_primitive::<TimestampMillisecondType>().values();
            (times(2).to_vec(), times(3).iter().map(|&last| self.known.end_of(last).saturating_sub(1)).collect())
        })
    }

    /// Puts a key's sessions together, as one that a row joins with others that are no more; what was said of those is taken back. What all had in
    /// each state.
    async fn put_together(&mut self, rows: &Rows, segment: &Segment, cx: &mut Context) -> Result<Vec<Values>, OperatorError> {
        let all = sessions_of(rows, segment);
        let apart = self.read(&all, state(cx)?.states().len(), cx)?;
        if let Some(changes) = &mut self.changes {
            let row = segment.rows.first().map_or(0, |&row| row as usize);
            let key: Vec<ArrayRef> = self.key_by.iter().map(|&column| rows.batch.rows.column(column).slice(row, 1)).collect();
            if let Some(taken_back) = changes.taken_back(&key, &segment.others, state_of(&mut cx.state)?)? {
                cx.emit(0, Batch::unkeyed(taken_back));
            }
        }
        let width = state(cx)?.states()[0].width;
        let mut values = (0..all.spaces.len()).map(|index| one(apart[0].get(index, width), width));
        let mut merged = values.next().unwrap_or_default();
        for mut other in values {
            self.aggregate.merge(&mut merged, &mut other, 1).await?;
        }
        let (others, first) =
            (all.numbered(&(1..).take(segment.others.len()).collect()), all.numbered(&UInt32Array::from(vec![0])));
        let rows = self.aggregate.rows_together(&apart);
        self.remove(&others, cx)?;
        self.write(&first, [merged].into_iter().chain(rows.map(|rows| one(Some(rows), None))).collect(), cx)?;
        Ok(apart)
    }

    /// What some sessions have in each of the first states.
    fn read(&mut self, of: &Chosen, states: usize, cx: &mut Context) -> Result<Vec<Values>, OperatorError> {
        let state = state(cx)?;
        let mut all = vec![Values::default(); states];
        state.resolve_in(&of.keys.keys, &of.keys.hashes, &of.spaces, &mut self.call);
        all.iter_mut().enumerate().for_each(|(number, values)| state.load(number, &self.call, values));
        state.finish(&self.call);
        Ok(all)
    }

    /// Has some sessions have this in the first states.
    fn write(&mut self, of: &Chosen, all: Vec<Values>, cx: &mut Context) -> Result<(), OperatorError> {
        let state = state(cx)?;
        state.resolve_in(&of.keys.keys, &of.keys.hashes, &of.spaces, &mut self.call);
        let writes = all.into_iter().enumerate().map(|(state, values)| StateWrite { state, keys: None, values });
        state.apply(&self.call, &writes.collect::<Vec<_>>());
        state.finish(&self.call);
        Ok(())
    }

    /// Has some sessions be no more.
    fn remove(&mut self, of: &Chosen, cx: &mut Context) -> Result<(), OperatorError> {
        let state = state(cx)?;
        state.resolve_in(&of.keys.keys, &of.keys.hashes, &of.spaces, &mut self.call);
        let none = removal(state.states(), of.spaces.len());
        state.apply(&self.call, &none);
        state.finish(&self.call);
        Ok(())
    }

    /// Lets some of the results come out of sessions of which some are due, and forgets what takes no more rows.
    async fn fire(&mut self, watermark: Watermark, cx: &mut Context) -> Result<Due, OperatorError> {
        let Some(mut firing) = self.firing.take() else {
            self.firing = self.due(watermark, cx.watermark)?;
            return Ok(if self.firing.is_some() { Due::More } else { Due::Done });
        };
        let left = firing.order.len() - firing.given;
        if left > 0 {
            let some = firing.order.slice(firing.given, left.min(self.most_rows.max(1)));
            let mut of = firing.of.numbered(&some);
            let mut values = Values::default();
            let state = state(cx)?;
            state.resolve_in(&of.keys.keys, &of.keys.hashes, &of.spaces, &mut self.call);
            let fitting = self.aggregate.fitting(state, self.call.places.iter().copied());
            self.call.places.truncate(fitting);
            of.spaces.truncate(fitting);
            let some = some.slice(0, fitting);
            firing.given += fitting;
            state.load(0, &self.call, &mut values);
            let rows = self.aggregate.rows_at(state, &self.call.places);
            state.finish(&self.call);
            let mut values = self.aggregate.columns_of(&mut values, some.len()).await?;
            values.extend(rows?);
            let emitted = cx.emitted.len();
            let spaces = Arc::new(TimestampMillisecondArray::from(of.spaces));
            self.aggregate.emit_rows(&firing.columns, &some, Some(spaces), values, cx)?;
            if self.discards {
                leave(emitted, self.key_by.len() + 1, cx, Comes::From(1));
            }
            self.finish(emitted, cx)?;
            self.bound(emitted, cx)?;
            self.firing = Some(firing);
            return Ok(Due::More);
        }
        self.remove(&firing.past, cx)?;
        Ok(Due::Done)
    }

    /// The sessions of which something is due since `before`, by end and key.
    fn due(&mut self, watermark: Watermark, before: Watermark) -> Result<Option<DueSessions>, OperatorError> {
        let looked_at = self.known.look(watermark, before);
        if looked_at.is_empty() {
            return Ok(None);
        }
        let (mut of, mut past, mut firsts, mut ends) = (Chosen::default(), Chosen::default(), Vec::new(), Vec::new());
        for LookedAt { key, session, comes, past: is_past } in looked_at {
            let hash = wasmill_flow::key::hash(&key);
            if comes {
                of.push(&key, hash, session.space);
                firsts.push(session.first);
                ends.push(self.known.end_of(session.last));
            }
            if is_past {
                past.push(&key, hash, session.space);
            }
        }
        let columns = self.aggregate.key_columns(&of.keys.keys)?;
        let time = |times: Vec<i64>| Arc::new(TimestampMillisecondArray::from(times)) as ArrayRef;
        let by: Vec<ArrayRef> = [time(ends)].into_iter().chain(columns.iter().cloned()).chain([time(firsts)]).collect();
        let order = in_order(&by)?;
        Ok(Some(DueSessions { of, columns, order, given: 0, past }))
    }

    /// Finds out from the state which sessions the keys of some rows have.
    fn look_again(&mut self, rows: &Rows, segment: &Segment, cx: &mut Context) -> Result<(), OperatorError> {
        for &row in &segment.rows {
            let (key, hash) = (rows.of.keys.get(row as usize), rows.of.hashes[row as usize]);
            let mut may_be = Chosen::default();
            let known = self.known.of(key).iter().map(|session| session.space);
            known.chain(segment.others.iter().copied()).for_each(|space| may_be.push(key, hash, space));
            let values = self.read(&may_be, 1, cx)?.swap_remove(0);
            let width = state(cx)?.states()[0].width;
            let session = |(index, &space)| Some(session(space, values.get(index, width)?));
            let sessions = may_be.spaces.iter().enumerate().filter_map(session).collect::<Result<_, _>>()?;
            self.known.replace(key, sessions, cx.watermark);
        }
        Ok(())
    }

    /// Finds out from the state which sessions there are.
    fn find_out(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.known.clear();
        let watermark = cx.watermark;
        let state = state(cx)?;
        let mut next = state.space_from(i64::MIN);
        while let Some(space) = next {
            let (mut of, mut values) = (Keys::default(), Values::default());
            state.resolve_all(space, &mut of.keys, &mut of.hashes, &mut self.call);
            state.load(0, &self.call, &mut values);
            state.finish(&self.call);
            for index in 0..of.hashes.len() {
                let Some(value) = values.get(index, state.states()[0].width) else { continue };
                self.known.add(of.keys.get(index), session(space, value)?, watermark);
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

impl Ends for SessionAggregate {
    fn next_end(&self, _: &Context) -> Option<i64> {
        self.known.next()
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
        PluginCounts { memory: counts.memory + self.known.held() as u64, ..counts }
    }
}
