//! What surrounds a row while it is processed.

use std::cell::Cell;

use crate::Timestamp;
use crate::host;
use crate::port::{CallOf, Port};
use crate::process_batch::ProcessBatch;
use crate::record::Record;

/// The main output, rejects and what time it is, for the row being processed or the timer that fires.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// # #[derive(Operator)] struct It { seen: ValueState<i64> }
/// # impl Process for It {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self { seen: ValueState::new() }) }
/// fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
///     match row.n {
///         0 => cx.reject("n: nothing can't be divided"),
///         n => cx.emit(Row { n: 100 / n }),
///     }
///     Ok(())
/// }
/// # }
/// ```
pub struct Context<P: ProcessBatch> {
    main: Port<P::Output>,
    row: u32,
    now: Cell<Option<i64>>,
    rejected: Vec<u32>,
    reasons: Vec<String>,
}

impl<P: ProcessBatch> Context<P> {
    pub(crate) fn new() -> Self {
        Self { main: Port::new(), row: 0, now: Cell::new(None), rejected: Vec::new(), reasons: Vec::new() }
    }

    /// Emits a row on the main output that comes from the current row: it keeps of it what `#[operator(keep = …)]` says. Of a timer there
    /// is only the key to be kept.
    ///
    /// Any number may be emitted for a row. A record whose fields borrow may be emitted where `Output` is the same with `'static`.
    #[inline(always)]
    pub fn emit<E: Record<Builder = <P::Output as Record>::Builder>>(&mut self, row: E) {
        self.main.emit_from(row, self.row);
    }

    /// Sends the current input row to the job's dead letters with a reason. The rest of the batch goes on.
    ///
    /// What the row emitted or stored before stays, so reject first. A second reason is added to the first.
    #[cold]
    pub fn reject(&mut self, reason: impl Into<String>) {
        self.reject_row(self.row, reason);
    }

    /// Sends row `row` of the batch to the job's dead letters with a reason. The rest of the batch goes on.
    #[cold]
    pub fn reject_row(&mut self, row: u32, reason: impl Into<String>) {
        match self.rejected.iter().rposition(|rejected| *rejected == row) {
            Some(at) => {
                self.reasons[at].push_str("; ");
                self.reasons[at].push_str(&reason.into());
            }
            None => {
                self.rejected.push(row);
                self.reasons.push(reason.into());
            }
        }
    }

    /// How far event time has come: rows at or before this moment are late. Nothing before the first watermark; at the end of bounded
    /// input the last moment that there is.
    pub fn watermark(&self) -> Option<Timestamp> {
        let watermark = host::watermark();
        (watermark > i64::MIN).then(|| Timestamp::from_millis(watermark))
    }

    /// Processing time: the host's clock, which stands still during a call and never goes back while a job runs.
    #[inline]
    pub fn now(&self) -> Timestamp {
        let now = self.now.get().unwrap_or_else(host::now);
        self.now.set(Some(now));
        Timestamp::from_millis(now)
    }

    /// The main output, for those who send columns.
    pub fn output(&mut self) -> &mut Port<P::Output> {
        &mut self.main
    }

    /// The current row's place in the batch.
    #[inline(always)]
    pub(crate) fn row(&self) -> u32 {
        self.row
    }

    #[inline(always)]
    pub(crate) fn at_row(&mut self, row: u32) {
        self.row = row;
    }

    pub(crate) fn begin(&mut self, of: CallOf) {
        self.now.set(None);
        self.row = 0;
        self.main.begin(of);
    }

    pub(crate) fn finish(&mut self) {
        self.main.finish();
        if !self.rejected.is_empty() {
            host::reject(&self.rejected, &self.reasons);
            self.rejected.clear();
            self.reasons.clear();
        }
    }
}
