//! An output: rows emitted, gathered into columns and sent once a call.

use crate::bindings::Origin;
use crate::context::Context;
use crate::host;
use crate::process_batch::ProcessBatch;
use crate::record::{Record, RecordBuilder};

/// What a call of an operator is made for.
///
/// ```
/// use wasmill_sdk::CallOf;
///
/// assert_eq!(CallOf::Rows(3).len(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CallOf {
    /// So many rows of an input.
    Rows(u32),
    /// So many timers, one of each key.
    Timers(u32),
    /// The end of bounded input.
    #[default]
    End,
}

impl CallOf {
    /// How many rows or timers there are.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Rows(count) | Self::Timers(count) => count as usize,
            Self::End => 0,
        }
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Rows that are gathered before they are sent, unless the batch itself has more.
const MOST_GATHERED: usize = 8_192;

/// An output beside the main one: a field of the operator. Its name is the field's in kebab-case, or `#[port(name = "…")]`; its rows
/// keep nothing of where they come from unless `#[port(keep = …)]` says so.
///
/// In [`Process::open`](crate::Process::open) it is made with [`Port::new`].
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// #[derive(Operator)]
/// struct Split { small: Port<Row> }
///
/// impl Process for Split {
///     // …
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self { small: Port::new() }) }
///     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
///         if row.n < 10 { self.small.emit(row, cx) } else { cx.emit(row) }
///         Ok(())
///     }
/// }
///
/// let mut harness = harness::Harness::<Split>::new(())?;
/// harness.feed([Row { n: 1 }, Row { n: 20 }])?;
/// assert_eq!(harness.output_of::<Row>("small")[0].n, 1);
/// # Result::<()>::Ok(())
/// ```
pub struct Port<R: Record> {
    number: u32,
    rows: R::Builder,
    origins: Origins,
}

impl<R: Record> Default for Port<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Record> Port<R> {
    /// An output to be put into the operator.
    pub fn new() -> Self {
        Self { number: 0, rows: R::Builder::default(), origins: Origins::default() }
    }

    /// Emits a row that comes from the current one. A row whose fields borrow may be emitted where `Port<Row<'static>>` is declared.
    #[inline(always)]
    pub fn emit<P, E>(&mut self, row: E, cx: &Context<P>)
    where
        P: ProcessBatch,
        E: Record<Builder = R::Builder>,
    {
        self.emit_from(row, cx.row());
    }

    /// Emits a row that comes from row `from` of the batch.
    #[inline(always)]
    pub fn emit_from<E: Record<Builder = R::Builder>>(&mut self, row: E, from: u32) {
        self.origins.note(from);
        row.append_to(&mut self.rows);
        if self.origins.count >= self.origins.most {
            self.send();
        }
    }

    /// Sends columns as they are: a row of each for each of `origin`. Rows emitted before leave before them.
    pub fn emit_columns(&mut self, origin: &Origin, columns: &mut R::Builder) {
        self.send();
        let sent = columns.take();
        host::emit(self.number, origin, &sent);
        columns.give_back(sent);
    }

    #[doc(hidden)]
    pub fn number(&mut self, number: u32) {
        self.number = number;
    }

    /// A call begins.
    #[doc(hidden)]
    pub fn begin(&mut self, of: CallOf) {
        self.rows.reserve(of.len());
        self.origins.begin(of);
    }

    #[doc(hidden)]
    pub fn finish(&mut self) {
        self.send();
    }

    #[inline(never)]
    fn send(&mut self) {
        if self.origins.count == 0 {
            return;
        }
        let columns = self.rows.take();
        let origin = self.origins.take();
        host::emit(self.number, &origin, &columns);
        self.rows.give_back(columns);
        self.origins.give_back(origin);
    }
}

/// Where the gathered rows come from.
#[derive(Default)]
struct Origins {
    /// Rows gathered.
    count: usize,
    /// Rows gathered when they are sent.
    most: usize,
    /// What the call is made for: rows come from its rows, from its timers' keys, or from nowhere.
    of: CallOf,
    /// Where each gathered row comes from; not kept while row `i` came from row `i`, as they do where each row gives one.
    rows: Vec<u32>,
    listed: bool,
    /// Rows of this call have been sent already.
    sent: bool,
}

impl Origins {
    fn begin(&mut self, of: CallOf) {
        let mut list = std::mem::take(&mut self.rows);
        list.clear();
        *self = Self { most: of.len().max(MOST_GATHERED) + 1, of, rows: list, ..Self::default() };
    }

    #[inline(always)]
    fn note(&mut self, row: u32) {
        if self.listed || self.count != row as usize {
            self.list(row);
        }
        self.count += 1;
    }

    #[inline]
    fn list(&mut self, row: u32) {
        if !self.listed {
            self.list_those_before();
        }
        self.rows.push(row);
    }

    #[cold]
    fn list_those_before(&mut self) {
        self.listed = true;
        self.rows.extend(0..self.count as u32);
    }

    fn take(&mut self) -> Origin {
        let count = std::mem::take(&mut self.count);
        if self.of == CallOf::End {
            return Origin::Fresh(count as u32);
        }
        if !self.listed {
            if self.of == CallOf::Rows(count as u32) && !self.sent {
                return Origin::Batch;
            }
            self.rows.extend(0..count as u32);
        }
        self.listed = false;
        self.sent = true;
        let rows = std::mem::take(&mut self.rows);
        if matches!(self.of, CallOf::Timers(_)) { Origin::Keys(rows) } else { Origin::Rows(rows) }
    }

    fn give_back(&mut self, origin: Origin) {
        if let Origin::Rows(mut rows) | Origin::Keys(mut rows) = origin {
            rows.clear();
            self.rows = rows;
        }
    }
}
