//! The state of some key groups, out of its files, and its keys some at a time.

use wasmill_checkpoint::Bytes;
use wasmill_flow::KeyGroups;
use wasmill_flow::key::EncodedKeys;
use wasmill_state::memory::MemoryState;
use wasmill_state::snapshot::Snapshot;
use wasmill_state::{CallKeys, KeyedState, StateError, StateNeed};

/// So many keys are looked at at once.
const AT_ONCE: usize = 256;

/// What a chain of snapshots comes to; `spaced` says whether keys are in spaces, where that is known.
pub(super) fn restored(files: &[Bytes], spaced: Option<bool>) -> Result<MemoryState, StateError> {
    let chain: Vec<&[u8]> = files.iter().map(|file| &file[..]).collect();
    let mut states: Vec<StateNeed> = Vec::new();
    for file in &chain {
        for state in Snapshot::open(file)?.states() {
            if !states.iter().any(|known| (&known.name, known.version) == (&state.name, state.version)) {
                states.push(state.clone());
            }
        }
    }
    let restore = |mut state: MemoryState| {
        // All that is there: whose it would be doesn't matter.
        let all = KeyGroups::new(1).into_iter().try_for_each(|groups| state.restore(&chain, groups, 0..1, 0..1));
        all.map(|()| state)
    };
    match spaced {
        Some(true) => restore(MemoryState::in_spaces(states)),
        Some(false) => restore(MemoryState::new(states)),
        // Without spaces keys end with what their space is, and only what is said of whole spaces shows that there are some.
        None => {
            restore(MemoryState::new(states.clone())).or_else(|error| restore(MemoryState::in_spaces(states)).map_err(|_| error))
        }
    }
}

/// Keys of a state, some at a time.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Those at hand; the task's own have none.
    pub(super) call: CallKeys,
    /// The space that they are in.
    pub(super) space: i64,
    keys: EncodedKeys,
    /// All of the space, with the places of those that are to come.
    of_space: EncodedKeys,
    places: Vec<u32>,
    given: usize,
    /// Where to look for the next space.
    next: Option<i64>,
    begun: bool,
}

impl Keys {
    /// Goes on to the next; false where there are no more. With `only`, to that key in each space.
    pub(super) fn next(&mut self, state: &mut MemoryState, only: Option<&[u8]>) -> bool {
        while self.given == self.places.len() {
            let least = if self.begun { self.next } else { Some(i64::MIN) };
            let Some(space) = least.and_then(|least| state.space_from(least)) else { return false };
            (self.begun, self.space, self.next, self.given) = (true, space, space.checked_add(1), 0);
            let mut call = CallKeys::default();
            state.resolve_all(space, &mut self.of_space, &mut Vec::new(), &mut call);
            self.places = call.places;
        }
        self.keys.clear();
        self.call = CallKeys::default();
        while self.given < self.places.len() && self.call.places.len() < AT_ONCE {
            let key = self.of_space.get(self.given);
            if only.is_none_or(|only| only == key) {
                self.keys.push(key);
                self.call.places.push(self.places[self.given]);
            }
            self.given += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "as many as are looked at at once")]
        let count = self.call.places.len() as u32;
        self.call.row_key = (0..count).collect();
        self.call.first_row = (0..count).collect();
        true
    }

    /// Those with these numbers.
    pub(super) fn only(&self, numbers: &[usize]) -> EncodedKeys {
        let mut only = EncodedKeys::default();
        numbers.iter().for_each(|&number| only.push(self.keys.get(number)));
        only
    }
}
