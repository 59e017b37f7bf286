//! Maps: entries with values, found one by one or in their order.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};

use crate::bindings::plan::StateKind;
use crate::bindings::{BinaryArray, Values};
use crate::column::bit;
use crate::error::Result;
use crate::host;
use crate::state::list::{item_of, unreadable};
use crate::state::{AsMapEntry, MapEntry, StateValue, migrated};
use crate::timers::TimeDomain;

/// How many entries are asked for at a time, where they are gone through.
const PAGE: u32 = 1_024;

/// A map for each key: a field of the operator, as [`ValueState`](crate::ValueState) is, made with [`MapState::new`].
///
/// What a call has looked up it remembers until its end, and what it changed is handed over there, in one crossing. An entry that wasn't looked up
/// before costs a crossing of its own, some 0.3 µs, unless [`Process::prefetch`](crate::Process::prefetch) has named it: then all entries of a call
/// come in one. A map may have any number of entries; they are in the order of their bytes ([`MapEntry`]).
///
/// ```
/// # use wasmill_sdk::*;
/// # use wasmill_sdk::harness::Harness;
/// #[derive(Record)]
/// struct View<'a> { page: &'a str }
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Again { views: u64 }
///
/// /// How often a visitor has seen a page.
/// #[derive(Operator)]
/// struct Views { pages: MapState<String, u64> }
///
/// impl Process for Views {
///     type Input<'a> = View<'a>;
///     type Output = Again;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { pages: MapState::new() })
///     }
///
///     fn prefetch(&mut self, view: &View<'_>) {
///         self.pages.prefetch(view.page);
///     }
///
///     fn process(&mut self, view: View<'_>, cx: &mut Context<Self>) -> Result<()> {
///         let views = self.pages.get(view.page).unwrap_or(0) + 1;
///         self.pages.set(view.page, views);
///         cx.emit(Again { views });
///         Ok(())
///     }
/// }
///
/// let mut harness = Harness::<Views, &str>::keyed(())?;
/// harness.feed_keyed([("ann", "/"), ("ann", "/docs"), ("bob", "/"), ("ann", "/")].map(|(who, page)| (who, View { page })))?;
/// assert_eq!(harness.output(), [1, 1, 1, 2].map(|views| Again { views }));
/// assert_eq!(harness.map::<String, u64>("pages", &"ann"), [("/".to_owned(), 2), ("/docs".to_owned(), 1)]);
/// # Result::<()>::Ok(())
/// ```
pub struct MapState<E: MapEntry, V: StateValue> {
    name: &'static str,
    number: u32,
    keys: u32,
    key: u32,
    /// What is known of entries of the call's keys.
    known: RefCell<BTreeMap<(u32, Vec<u8>), Known>>,
    /// Entries that will be looked up.
    wanted: Vec<(u32, Vec<u8>)>,
    types: PhantomData<(E, V)>,
}

/// An entry's value, and whether the host has it.
struct Known {
    value: Option<Vec<u8>>,
    changed: bool,
}

impl<E: MapEntry, V: StateValue> Default for MapState<E, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: MapEntry, V: StateValue> MapState<E, V> {
    #[doc(hidden)]
    pub const KIND: StateKind = StateKind::MapState;
    #[doc(hidden)]
    pub const WIDTH: Option<u32> = None;
    #[doc(hidden)]
    pub const EXPIRES: Option<TimeDomain> = None;

    /// A state to be put into the operator.
    pub fn new() -> Self {
        Self { name: "", number: 0, keys: 0, key: 0, known: RefCell::default(), wanted: Vec::new(), types: PhantomData }
    }

    /// Says that the call will look an entry up; for [`Process::prefetch`](crate::Process::prefetch).
    pub fn prefetch<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q) {
        let name = self.name_of(entry);
        self.wanted.push(name);
    }

    /// The value of an entry, or nothing if there is none. Panics where it can't be read as `V`: its type was changed, its version was not.
    pub fn get<Q: AsMapEntry<E> + ?Sized>(&self, entry: &Q) -> Option<V> {
        self.check_key();
        let name = self.name_of(entry);
        let mut known = self.known.borrow_mut();
        let held = known.entry(name).or_insert_with_key(|(key, entry)| {
            let given = host::map_get(self.number, &[*key], &one(entry));
            Known { value: values_of(&given).next().flatten().map(<[u8]>::to_vec), changed: false }
        });
        held.value.as_deref().map(|bytes| self.read(bytes))
    }

    /// Whether there is an entry.
    pub fn contains<Q: AsMapEntry<E> + ?Sized>(&self, entry: &Q) -> bool {
        self.get(entry).is_some()
    }

    /// Gives an entry this value.
    pub fn set<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q, value: V) {
        let mut bytes = Vec::new();
        value.write(&mut bytes);
        self.change(entry, Some(bytes));
    }

    /// Gives an entry the value that `change` makes of the one it has, or of none, and gives it back.
    pub fn update<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q, change: impl FnOnce(Option<V>) -> V) -> V
    where
        V: Clone,
    {
        let value = change(self.get(entry));
        self.set(entry, value.clone());
        value
    }

    /// Takes an entry away.
    pub fn remove<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q) {
        self.change(entry, None);
    }

    /// Takes all entries away.
    pub fn clear(&mut self) {
        self.check_key();
        let key = self.key;
        self.known.get_mut().retain(|(of, _), _| *of != key);
        host::map_clear(self.number, &[key]);
    }

    /// All entries and their values, in order.
    pub fn iter(&mut self) -> Entries<'_, E, V> {
        self.range(..)
    }

    /// Entries of a range and their values, in order. They come from the host some at a time.
    pub fn range(&mut self, range: impl RangeBounds<E>) -> Entries<'_, E, V> {
        self.check_key();
        self.flush();
        let bytes = |entry: &E| {
            let mut bytes = Vec::new();
            entry.write(&mut bytes);
            bytes
        };
        let start = match range.start_bound() {
            Bound::Unbounded => Vec::new(),
            Bound::Included(entry) => bytes(entry),
            Bound::Excluded(entry) => behind(bytes(entry)),
        };
        let end = match range.end_bound() {
            Bound::Unbounded => None,
            Bound::Included(entry) => Some(behind(bytes(entry))),
            Bound::Excluded(entry) => Some(bytes(entry)),
        };
        Entries { state: self, next: Some(start), end, page: VecDeque::new() }
    }

    /// The state of key `key` of the call, for operators over whole batches. Panics in its use if there is no such key.
    #[inline(always)]
    pub fn at(&mut self, key: u32) -> &mut Self {
        self.key = key;
        self
    }

    fn change<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q, value: Option<Vec<u8>>) {
        self.check_key();
        let name = self.name_of(entry);
        self.known.get_mut().insert(name, Known { value, changed: true });
    }

    fn name_of<Q: AsMapEntry<E> + ?Sized>(&self, entry: &Q) -> (u32, Vec<u8>) {
        let mut bytes = Vec::new();
        entry.write_entry(&mut bytes);
        (self.key, bytes)
    }

    fn read(&self, mut bytes: &[u8]) -> V {
        let read = V::read(&mut bytes).filter(|_| bytes.is_empty());
        read.unwrap_or_else(|| panic!("{}", unreadable::<V>(self.name)))
    }

    fn check_key(&self) {
        assert!(
            self.key < self.keys,
            "state `{}` was used where there is no key: outside of `process`, or for a row of an input without one",
            self.name
        );
    }

    #[doc(hidden)]
    pub fn number(&mut self, name: &'static str, number: u32) {
        (self.name, self.number) = (name, number);
    }

    #[doc(hidden)]
    pub fn begin(&mut self, keys: u32) {
        (self.keys, self.key) = (keys, 0);
        self.known.get_mut().clear();
        self.wanted.clear();
    }

    /// Asks the host for the entries that were named beforehand.
    #[doc(hidden)]
    pub fn fetch(&mut self) {
        if self.wanted.is_empty() {
            return;
        }
        self.wanted.sort_unstable();
        self.wanted.dedup();
        let mut entries = BinaryArray { offsets: vec![0], data: Vec::new() };
        for (_, entry) in &self.wanted {
            entries.data.extend_from_slice(entry);
            entries.offsets.push(entries.data.len() as u32);
        }
        let keys: Vec<u32> = self.wanted.iter().map(|(key, _)| *key).collect();
        let given = host::map_get(self.number, &keys, &entries);
        let known = self.wanted.drain(..).zip(values_of(&given));
        self.known
            .get_mut()
            .extend(known.map(|(name, value)| (name, Known { value: value.map(<[u8]>::to_vec), changed: false })));
    }

    /// Hands over what changed.
    fn flush(&mut self) {
        let mut keys = Vec::new();
        let mut entries = BinaryArray { offsets: vec![0], data: Vec::new() };
        let mut values = Values { present: Vec::new(), values: BinaryArray { offsets: vec![0], data: Vec::new() } };
        for ((key, entry), known) in self.known.get_mut().iter_mut().filter(|(_, known)| known.changed) {
            if keys.len() % 8 == 0 {
                values.present.push(0);
            }
            if let Some(value) = &known.value {
                values.present[keys.len() / 8] |= 1 << (keys.len() % 8);
                values.values.data.extend_from_slice(value);
            }
            values.values.offsets.push(values.values.data.len() as u32);
            entries.data.extend_from_slice(entry);
            entries.offsets.push(entries.data.len() as u32);
            keys.push(*key);
            known.changed = false;
        }
        if !keys.is_empty() {
            host::map_put(self.number, &keys, &entries, &values);
        }
    }

    #[doc(hidden)]
    pub fn finish(&mut self) -> Result<()> {
        self.flush();
        Ok(())
    }

    /// A value of an earlier version as this one has it.
    #[doc(hidden)]
    pub fn migrate<O: StateValue>(bytes: &[u8]) -> Result<Vec<u8>>
    where
        V: From<O>,
    {
        migrated::<O, V>(bytes, V::from)
    }
}

/// Entries of a [`MapState`] and their values, in order.
///
/// ```
/// # use wasmill_sdk::*;
/// # use wasmill_sdk::harness::Harness;
/// # #[derive(Record, Debug, PartialEq)] struct Row { n: i64 }
/// # #[derive(Operator)] struct It { seen: MapState<i64, ()> }
/// # impl Process for It {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self { seen: MapState::new() }) }
/// fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
///     self.seen.set(&row.n, ());
///     let below = self.seen.range(..row.n).count() as i64;
///     cx.emit(Row { n: below });
///     Ok(())
/// }
/// # }
/// let mut harness = Harness::<It, &str>::keyed(())?;
/// harness.feed_keyed([5, -3, 9].map(|n| ("a", Row { n })))?;
/// assert_eq!(harness.output(), [0, 0, 2].map(|n| Row { n }));
/// # Result::<()>::Ok(())
/// ```
pub struct Entries<'a, E: MapEntry, V: StateValue> {
    state: &'a MapState<E, V>,
    /// Where the next page starts; nothing behind the last.
    next: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
    page: VecDeque<(E, V)>,
}

impl<E: MapEntry, V: StateValue> Iterator for Entries<'_, E, V> {
    type Item = (E, V);

    fn next(&mut self) -> Option<(E, V)> {
        if self.page.is_empty() {
            let start = self.next.take()?;
            let given = host::map_scan(self.state.number, self.state.key, &start, PAGE);
            for index in 0..given.entries.offsets.len() - 1 {
                let mut entry = item_of(&given.entries, index);
                if self.end.as_ref().is_some_and(|end| entry >= end.as_slice()) {
                    return self.page.pop_front();
                }
                self.next = Some(behind(entry.to_vec()));
                let read = E::read(&mut entry).filter(|_| entry.is_empty());
                let entry = read.unwrap_or_else(|| panic!("{}", unreadable::<E>(self.state.name)));
                self.page.push_back((entry, self.state.read(item_of(&given.values, index))));
            }
        }
        self.page.pop_front()
    }
}

/// The bytes that come right after these.
fn behind(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.push(0);
    bytes
}

fn one(entry: &[u8]) -> BinaryArray {
    BinaryArray { offsets: vec![0, entry.len() as u32], data: entry.to_vec() }
}

fn values_of(values: &Values) -> impl Iterator<Item = Option<&[u8]>> {
    let count = values.values.offsets.len().saturating_sub(1);
    (0..count).map(|index| bit(&values.present, index).then(|| item_of(&values.values, index)))
}
