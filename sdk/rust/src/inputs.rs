//! What an operator reads: a record, or, with several inputs, an enum with a record for each.

use crate::bindings::Column;
use crate::error::Result;
use crate::record::{FieldSpec, ReadRecord, Record, RecordBuilder};

/// An input of an operator.
///
/// ```
/// use wasmill_sdk::{Inputs, Record};
///
/// #[derive(Record)]
/// struct Row { n: i64 }
///
/// let row = <Row as Inputs>::INPUTS[0];
/// assert_eq!((row.name, row.fields[0].name, row.keyed), (None, "n", true));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct InputSpec {
    /// Its name, which the job gives it under `inputs`; none for an operator's only input.
    pub name: Option<&'static str>,
    /// The columns that are read.
    pub fields: &'static [FieldSpec],
    /// The operator uses its states for rows of this input, so that it must have a key.
    pub keyed: bool,
    /// Whether every task is handed all of its rows.
    pub broadcast: bool,
}

/// What an operator reads. Every record is one input; an operator with several reads an enum with a record for each, which says for
/// each row which input it is of:
///
/// ```
/// use wasmill_sdk::{Context, Inputs, NoSettings, Open, Operator, Process, Record, Result, ValueState};
///
/// #[derive(Record)]
/// struct Order { amount: i64 }
///
/// #[derive(Record)]
/// struct Payment { paid: i64 }
///
/// #[derive(Inputs)]
/// enum Entry {
///     Orders(Order),     // input `orders`: `inputs: { orders: …, payments: … }` in a job
///     Payments(Payment), // input `payments`
/// }
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Open_ { open: i64 }
///
/// #[derive(Operator)]
/// #[operator(keep = "key")]
/// struct Balance { open: ValueState<i64> } // of a key, whichever input a row of it comes by
///
/// impl Process for Balance {
///     type Input<'a> = Entry;
///     type Output = Open_;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { open: ValueState::new() })
///     }
///
///     fn process(&mut self, entry: Entry, cx: &mut Context<Self>) -> Result<()> {
///         let change = match entry {
///             Entry::Orders(order) => order.amount,
///             Entry::Payments(payment) => -payment.paid,
///         };
///         let open = *self.open.update(|open| open.unwrap_or(0) + change);
///         cx.emit(Open_ { open });
///         Ok(())
///     }
/// }
///
/// # use wasmill_sdk::harness::Harness;
/// let mut harness = Harness::<Balance, &str>::keyed(())?;
/// harness.feed_keyed([("a", Entry::Orders(Order { amount: 9 })), ("a", Entry::Payments(Payment { paid: 9 }))])?;
/// assert_eq!(harness.output(), [Open_ { open: 9 }, Open_ { open: 0 }]);
/// # Result::<()>::Ok(())
/// ```
///
/// Rows of one key that come by one input keep their order. Those of two inputs interleave as they arrive, which no operator can
/// rely on. The states of an operator with several inputs are those of the key, which must have the same types in all of them. An
/// input for which they aren't used may do without a key: `#[input(unkeyed)]` on its variant; a state that is used there all the same
/// panics. Outputs keep `"key"` or nothing.
pub trait Inputs<'a>: Sized {
    /// The inputs; only one of them has no name.
    const INPUTS: &'static [InputSpec];
    /// The columns of some rows of one input.
    type Columns;
    /// Gathers rows of each input: for the harness.
    type Gathered: Default;

    /// Readers of `rows` rows of an input, by its place in [`INPUTS`](Self::INPUTS). Fails if they aren't its columns.
    fn bind_input(input: usize, columns: &'a [Column], rows: usize) -> Result<Self::Columns>;

    /// The row `row`. Panics if there is no such row.
    fn read_row(columns: &Self::Columns, row: usize) -> Self;

    /// The input that the row is of.
    fn input(&self) -> usize;

    /// Appends the row to those of its input.
    fn gather(self, to: &mut Self::Gathered);

    /// The columns that were gathered of an input; there are none of it after that.
    fn take_gathered(input: usize, from: &mut Self::Gathered) -> Vec<Column>;
}

impl<'a, R: ReadRecord<'a>> Inputs<'a> for R {
    const INPUTS: &'static [InputSpec] = &[InputSpec { name: None, fields: R::FIELDS, keyed: true, broadcast: false }];
    type Columns = <R as ReadRecord<'a>>::Columns;
    type Gathered = <R as Record>::Builder;

    #[inline]
    fn bind_input(_: usize, columns: &'a [Column], rows: usize) -> Result<Self::Columns> {
        R::bind(columns, rows)
    }

    #[inline(always)]
    fn read_row(columns: &Self::Columns, row: usize) -> Self {
        R::read(columns, row)
    }

    fn input(&self) -> usize {
        0
    }

    fn gather(self, to: &mut Self::Gathered) {
        self.append_to(to);
    }

    fn take_gathered(_: usize, from: &mut Self::Gathered) -> Vec<Column> {
        from.take()
    }
}
