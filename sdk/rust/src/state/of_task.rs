//! Items of a task.

use std::cell::OnceCell;

use crate::bindings::BinaryArray;
use crate::bindings::plan::StateKind;
use crate::error::Result;
use crate::host;
use crate::state::list::{item_of, unreadable};
use crate::state::{StateValue, migrated};
use crate::timers::TimeDomain;

/// A list that is no key's but a task's: a field of the operator, made with [`TaskState::new`]. It is for what a task holds of all its rows: a buffer that
/// is emitted now and then, counts of what it has seen.
///
/// When the parallelism changes the items are dealt out anew, in order: to how many tasks, and which, an operator can't know. All of them may have 8 MiB.
///
/// ```
/// # use wasmill_sdk::*;
/// # use wasmill_sdk::harness::Harness;
/// # #[derive(Record, Debug, PartialEq)] struct Row { n: i64 }
/// /// Sends sums of three rows, whatever their keys.
/// #[derive(Operator)]
/// struct Threes { waiting: TaskState<i64> }
///
/// impl Process for Threes {
///     type Input<'a> = Row;
///     type Output = Row;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { waiting: TaskState::new() })
///     }
///
///     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
///         self.waiting.update(|waiting| {
///             waiting.push(row.n);
///             if waiting.len() == 3 {
///                 cx.emit(Row { n: waiting.drain(..).sum() });
///             }
///         });
///         Ok(())
///     }
///
///     fn on_end(&mut self, cx: &mut Context<Self>) -> Result<()> {
///         let left = self.waiting.get();
///         if !left.is_empty() {
///             cx.emit(Row { n: left.iter().sum() });
///         }
///         Ok(())
///     }
/// }
///
/// let mut harness = Harness::<Threes>::new(())?;
/// harness.feed([1, 2, 3, 4].map(|n| Row { n }))?;
/// assert_eq!(harness.task::<i64>("waiting"), [4]);
/// harness.end()?;
/// assert_eq!(harness.output(), [Row { n: 6 }, Row { n: 4 }]);
/// # Result::<()>::Ok(())
/// ```
pub struct TaskState<T: StateValue> {
    name: &'static str,
    number: u32,
    items: OnceCell<Vec<T>>,
    changed: bool,
}

impl<T: StateValue> Default for TaskState<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: StateValue> TaskState<T> {
    #[doc(hidden)]
    pub const KIND: StateKind = StateKind::TaskState;
    #[doc(hidden)]
    pub const WIDTH: Option<u32> = None;
    #[doc(hidden)]
    pub const EXPIRES: Option<TimeDomain> = None;

    /// A state to be put into the operator.
    pub fn new() -> Self {
        Self { name: "", number: 0, items: OnceCell::new(), changed: false }
    }

    /// The items, in order. Panics where one can't be read as `T`: its type was changed, its version was not.
    pub fn get(&self) -> &[T] {
        self.items.get_or_init(|| self.load())
    }

    /// Changes the items.
    pub fn update<R>(&mut self, change: impl FnOnce(&mut Vec<T>) -> R) -> R {
        if self.items.get().is_none() {
            self.items = OnceCell::from(self.load());
        }
        self.changed = true;
        change(self.items.get_mut().unwrap_or_else(|| unreachable!("they were loaded")))
    }

    fn load(&self) -> Vec<T> {
        let given = host::task_load(self.number);
        let items = (0..given.offsets.len().saturating_sub(1)).map(|index| item_of(&given, index));
        let read = |mut item: &[u8]| {
            T::read(&mut item).filter(|_| item.is_empty()).unwrap_or_else(|| panic!("{}", unreadable::<T>(self.name)))
        };
        items.map(read).collect()
    }

    #[doc(hidden)]
    pub fn number(&mut self, name: &'static str, number: u32) {
        (self.name, self.number) = (name, number);
    }

    #[doc(hidden)]
    pub fn begin(&mut self, _: u32) {
        (self.items, self.changed) = (OnceCell::new(), false);
    }

    #[doc(hidden)]
    pub fn at(&mut self, _: u32) {}

    #[doc(hidden)]
    pub fn fetch(&mut self) {}

    /// Hands over what changed.
    #[doc(hidden)]
    pub fn finish(&mut self) -> Result<()> {
        if std::mem::take(&mut self.changed) {
            let mut items = BinaryArray { offsets: vec![0], data: Vec::new() };
            for item in self.items.take().iter().flatten() {
                item.write(&mut items.data);
                items.offsets.push(items.data.len() as u32);
            }
            host::task_store(self.number, &items);
        }
        Ok(())
    }

    /// An item of an earlier version as this one has it.
    #[doc(hidden)]
    pub fn migrate<O: StateValue>(bytes: &[u8]) -> Result<Vec<u8>>
    where
        T: From<O>,
    {
        migrated::<O, T>(bytes, T::from)
    }
}
