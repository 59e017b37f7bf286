//! What an operator's states hold, as the last call that succeeded left them.

use crate::harness::Harness;
use crate::host::native;
use crate::process_batch::ProcessBatch;
use crate::state::{MapEntry, StateValue};

impl<P: ProcessBatch, K: Ord + Clone> Harness<P, K> {
    /// The value of a key, as the last call that succeeded left it. Panics if there is no such state or it holds no `T`.
    pub fn state<T: StateValue>(&self, name: &str, key: &K) -> Option<T> {
        self.states[self.state_number(name)].get(key).map(|bytes| self.read(name, bytes))
    }

    /// The items of a key's list, as the last call that succeeded left it. Panics if there is no such state or it holds other items.
    pub fn list<T: StateValue>(&self, name: &str, key: &K) -> Vec<T> {
        let stored = self.states[self.state_number(name)].get(key).cloned();
        native::strings(&stored).map(|item| self.read(name, item)).collect()
    }

    /// The entries of a key's map and their values, in order, as the last call that succeeded left it. Panics as [`list`](Self::list) does.
    pub fn map<E: MapEntry, V: StateValue>(&self, name: &str, key: &K) -> Vec<(E, V)> {
        self.entries(name, &self.states[self.state_number(name)].get(key).cloned())
    }

    /// The entries of a broadcast map and their values, in order. Panics as [`list`](Self::list) does.
    pub fn broadcast<E: MapEntry, V: StateValue>(&self, name: &str) -> Vec<(E, V)> {
        self.entries(name, &self.of_task[self.state_number(name)])
    }

    /// The items of the task. Panics as [`list`](Self::list) does.
    pub fn task<T: StateValue>(&self, name: &str) -> Vec<T> {
        native::strings(&self.of_task[self.state_number(name)]).map(|item| self.read(name, item)).collect()
    }

    /// The entries of a stored map of a state.
    fn entries<E: MapEntry, V: StateValue>(&self, name: &str, stored: &Option<Vec<u8>>) -> Vec<(E, V)> {
        let read = |entry: &[u8]| {
            E::read(&mut &entry[..])
                .unwrap_or_else(|| panic!("state `{name}` has an entry that is no {}", std::any::type_name::<E>()))
        };
        native::map_of(stored).iter().map(|(entry, value)| (read(entry), self.read(name, value))).collect()
    }

    /// A value of a state.
    fn read<T: StateValue>(&self, name: &str, bytes: &[u8]) -> T {
        // The moment at which it is forgotten isn't a part of the value.
        let start = if self.plan.states[self.state_number(name)].expires.is_some() { 8 } else { 0 };
        let value = T::read(&mut &bytes[start..]);
        value.unwrap_or_else(|| panic!("state `{name}` holds {bytes:?}, which is no {}", std::any::type_name::<T>()))
    }

    /// How many keys have a value. Panics if there is no such state.
    pub fn keys(&self, state: &str) -> usize {
        self.states[self.state_number(state)].len()
    }

    fn state_number(&self, name: &str) -> usize {
        let number = self.plan.states.iter().position(|state| state.name == name);
        number.unwrap_or_else(|| panic!("there is no state `{name}`"))
    }
}
