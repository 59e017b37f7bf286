//! Lists: items that are appended, and read in their order.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::BinaryArray;
use crate::bindings::plan::StateKind;
use crate::error::{Error, Result};
use crate::host;
use crate::state::{StateValue, migrated};
use crate::timers::TimeDomain;

/// A list for each key: a field of the operator, as [`ValueState`](crate::ValueState) is, made with [`ListState::new`].
///
/// Appending reads nothing: what a call appends is handed over at its end, in one crossing. Reading loads lists of the call's keys some at a
/// time, up to about 1 MiB a crossing. An item may have 1 MiB, a key's list 8 MiB; a [`MapState`](crate::MapState) may be larger.
///
/// ```
/// # use wasmill_sdk::*;
/// # use wasmill_sdk::harness::Harness;
/// # #[derive(Record, Debug, PartialEq)] struct Row { n: i64 }
/// /// Sends rows three at a time, in reverse.
/// #[derive(Operator)]
/// struct Threes { waiting: ListState<i64> }
///
/// impl Process for Threes {
///     type Input<'a> = Row;
///     type Output = Row;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { waiting: ListState::new() })
///     }
///
///     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
///         self.waiting.push(row.n);
///         let waiting: Vec<i64> = self.waiting.iter().collect();
///         if waiting.len() == 3 {
///             waiting.into_iter().rev().for_each(|n| cx.emit(Row { n }));
///             self.waiting.clear();
///         }
///         Ok(())
///     }
/// }
///
/// let mut harness = Harness::<Threes, &str>::keyed(())?;
/// harness.feed_keyed((1..=4).map(|n| ("a", Row { n })))?;
/// assert_eq!(harness.output(), [3, 2, 1].map(|n| Row { n }));
/// assert_eq!(harness.list::<i64>("waiting", &"a"), [4]);
/// # Result::<()>::Ok(())
/// ```
pub struct ListState<T: StateValue> {
    name: &'static str,
    number: u32,
    key: usize,
    lists: RefCell<Vec<List>>,
    items: PhantomData<T>,
}

/// The list of a key of the call: items one after the other, each with its length in four bytes before it.
#[derive(Clone, Default)]
struct List {
    /// What the host has, once it was asked.
    stored: Option<Vec<u8>>,
    /// Nothing of what the host has counts any more.
    cleared: bool,
    added: Vec<u8>,
}

impl<T: StateValue> Default for ListState<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: StateValue> ListState<T> {
    #[doc(hidden)]
    pub const KIND: StateKind = StateKind::ListState;
    #[doc(hidden)]
    pub const WIDTH: Option<u32> = None;
    #[doc(hidden)]
    pub const EXPIRES: Option<TimeDomain> = None;

    /// A state to be put into the operator.
    pub fn new() -> Self {
        Self { name: "", number: 0, key: 0, lists: RefCell::default(), items: PhantomData }
    }

    /// Adds an item to the end.
    pub fn push(&mut self, item: T) {
        self.push_ref(&item);
    }

    pub(super) fn push_ref(&mut self, item: &T) {
        let list = &mut self.lists.get_mut()[self.key];
        let start = list.added.len();
        list.added.extend_from_slice(&[0; 4]);
        item.write(&mut list.added);
        let length = (list.added.len() - start - 4) as u32;
        list.added[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// The items, in order. Panics where an item can't be read as `T`: its type was changed, its version was not.
    pub fn iter(&self) -> impl Iterator<Item = T> + use<T> {
        self.load();
        let list = &self.lists.borrow()[self.key];
        let mut bytes = if list.cleared { Vec::new() } else { list.stored.clone().unwrap_or_default() };
        bytes.extend_from_slice(&list.added);
        let (name, mut at) = (self.name, 0);
        std::iter::from_fn(move || {
            let mut item = next_item(&bytes, &mut at)?;
            let read = T::read(&mut item).filter(|_| item.is_empty());
            Some(read.unwrap_or_else(|| panic!("{}", unreadable::<T>(name))))
        })
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.load();
        let list = &self.lists.borrow()[self.key];
        list.added.is_empty() && (list.cleared || list.stored.as_ref().is_none_or(Vec::is_empty))
    }

    /// Takes all items away.
    pub fn clear(&mut self) {
        self.lists.get_mut()[self.key] = List { cleared: true, ..List::default() };
    }

    /// The state of key `key` of the call, for operators over whole batches. Panics in its use if there is no such key.
    #[inline(always)]
    pub fn at(&mut self, key: u32) -> &mut Self {
        self.key = key as usize;
        self
    }

    /// Asks the host for the list of the key at hand, and with it for those behind it.
    fn load(&self) {
        let mut lists = self.lists.borrow_mut();
        if lists[self.key].cleared || lists[self.key].stored.is_some() {
            return;
        }
        let given = host::list_load(self.number, self.key as u32);
        for (list, ends) in lists[self.key..].iter_mut().zip(given.starts.windows(2)) {
            let stored = list.stored.get_or_insert_default();
            stored.clear();
            for item in ends[0]..ends[1] {
                let bytes = item_of(&given.items, item as usize);
                stored.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                stored.extend_from_slice(bytes);
            }
        }
    }

    #[doc(hidden)]
    pub fn number(&mut self, name: &'static str, number: u32) {
        (self.name, self.number) = (name, number);
    }

    #[doc(hidden)]
    pub fn begin(&mut self, keys: u32) {
        self.key = 0;
        let lists = self.lists.get_mut();
        lists.clear();
        lists.resize(keys as usize, List::default());
    }

    #[doc(hidden)]
    pub fn fetch(&mut self) {}

    /// Hands over what changed.
    #[doc(hidden)]
    pub fn finish(&mut self) -> Result<()> {
        let (mut cleared, mut keys) = (Vec::new(), Vec::new());
        let mut items = BinaryArray { offsets: vec![0], data: Vec::new() };
        for (key, list) in (0..).zip(self.lists.get_mut().drain(..)) {
            if list.cleared {
                cleared.push(key);
            }
            let mut at = 0;
            while let Some(item) = next_item(&list.added, &mut at) {
                keys.push(key);
                items.data.extend_from_slice(item);
                items.offsets.push(items.data.len() as u32);
            }
        }
        if !cleared.is_empty() {
            host::list_clear(self.number, &cleared);
        }
        if !keys.is_empty() {
            host::list_append(self.number, &keys, &items);
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

/// The next of items that stand one after the other.
pub(crate) fn next_item<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let (length, rest) = bytes[*at..].split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    *at += 4 + length;
    Some(&rest[..length])
}

/// One of several byte strings.
pub(crate) fn item_of(items: &BinaryArray, index: usize) -> &[u8] {
    &items.data[items.offsets[index] as usize..items.offsets[index + 1] as usize]
}

/// What is said where bytes aren't a value of their type.
pub(crate) fn unreadable<T>(state: &str) -> Error {
    Error::fail(format!(
        "state `{state}` holds a value that can't be read as {}: it was written as another type; a changed type needs a new version of the state",
        std::any::type_name::<T>()
    ))
}
