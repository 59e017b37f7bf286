//! Going through a map, some entries at a time.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};

use crate::bindings::stream_operator::wasmill::plugin::state::MapEntries;
use crate::state::list::{item_of, unreadable};
use crate::state::{MapEntry, StateValue};

/// Entries of a [`MapState`](crate::MapState) or [`BroadcastState`](crate::BroadcastState) and their values, in order.
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
    name: &'static str,
    /// The host's entries from one on.
    scan: Scan<'a>,
    /// Where the next page starts; nothing behind the last.
    next: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
    page: VecDeque<(E, V)>,
    /// The state can't be changed meanwhile.
    state: PhantomData<&'a mut ()>,
}

/// Gives a page of entries from one on.
type Scan<'a> = Box<dyn Fn(&[u8]) -> MapEntries + 'a>;

impl<'a, E: MapEntry, V: StateValue> Entries<'a, E, V> {
    /// Those of a range of the state of this name.
    pub(super) fn new(name: &'static str, range: impl RangeBounds<E>, scan: impl Fn(&[u8]) -> MapEntries + 'a) -> Self {
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
        Self { name, scan: Box::new(scan), next: Some(start), end, page: VecDeque::new(), state: PhantomData }
    }
}

impl<E: MapEntry, V: StateValue> Iterator for Entries<'_, E, V> {
    type Item = (E, V);

    fn next(&mut self) -> Option<(E, V)> {
        if self.page.is_empty() {
            let start = self.next.take()?;
            let given = (self.scan)(&start);
            for index in 0..given.entries.offsets.len() - 1 {
                let mut entry = item_of(&given.entries, index);
                if self.end.as_ref().is_some_and(|end| entry >= end.as_slice()) {
                    self.next = None;
                    break;
                }
                self.next = Some(behind(entry.to_vec()));
                let read = E::read(&mut entry).filter(|_| entry.is_empty());
                let entry = read.unwrap_or_else(|| panic!("{}", unreadable::<E>(self.name)));
                let mut value = item_of(&given.values, index);
                let read = V::read(&mut value).filter(|_| value.is_empty());
                self.page.push_back((entry, read.unwrap_or_else(|| panic!("{}", unreadable::<V>(self.name)))));
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
