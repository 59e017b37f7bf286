//! Maps: entries with values, found one by one or in their order.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::RangeBounds;

use crate::bindings::plan::StateKind;
use crate::bindings::{BinaryArray, Values};
use crate::column::bit;
use crate::error::Result;
use crate::host;
use crate::state::entries::Entries;
use crate::state::list::{item_of, unreadable};
use crate::state::{AsMapEntry, MapEntry, StateValue, migrated};
use crate::timers::TimeDomain;

/// How many entries are asked for at a time, where they are gone through.
pub(super) const PAGE: u32 = 1_024;

/// A map for each key: a field of the operator, as [`ValueState`](crate::ValueState) is, made with [`MapState::new`].
///
/// What a call has looked up it remembers until its end, and what it changed is handed over there, in one crossing. An entry that wasn't looked up
/// before costs a crossing of its own, unless [`Process::prefetch`](crate::Process::prefetch) has named it: then all entries of a call
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
        let mut behind = self.known.get_mut().split_off(&(key, Vec::new()));
        let mut others = behind.split_off(&(key + 1, Vec::new()));
        self.known.get_mut().append(&mut others);
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
        let (number, key) = (self.number, self.key);
        Entries::new(self.name, range, move |start| host::map_scan(number, key, start, PAGE))
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
        let mut wanted = std::mem::take(&mut self.wanted).into_iter();
        // The host gives the values of the first ones.
        while !wanted.as_slice().is_empty() {
            let keys: Vec<u32> = wanted.as_slice().iter().map(|(key, _)| *key).collect();
            let mut entries = BinaryArray { offsets: vec![0], data: Vec::new() };
            for (_, entry) in wanted.as_slice() {
                entries.data.extend_from_slice(entry);
                entries.offsets.push(entries.data.len() as u32);
            }
            let given = host::map_get(self.number, &keys, &entries);
            let values = values_of(&given).map(|value| Known { value: value.map(<[u8]>::to_vec), changed: false });
            self.known.get_mut().extend(values.zip(wanted.by_ref()).map(|(known, name)| (name, known)));
        }
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

pub(super) fn one(entry: &[u8]) -> BinaryArray {
    BinaryArray { offsets: vec![0, entry.len() as u32], data: entry.to_vec() }
}

pub(super) fn values_of(values: &Values) -> impl Iterator<Item = Option<&[u8]>> {
    let count = values.values.offsets.len().saturating_sub(1);
    (0..count).map(|index| bit(&values.present, index).then(|| item_of(&values.values, index)))
}
