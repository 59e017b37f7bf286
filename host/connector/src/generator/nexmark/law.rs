//! Which event has which number, time and references: the part of Nexmark that doesn't depend on the seed.

use super::draws::Draws;

/// Events come in rounds of fifty: one person, three auctions, 46 bids.
const ROUND: u64 = 50;
const AUCTIONS: u64 = 3;
/// The first person, the first auction and the first category.
const FIRST_ID: u64 = 1000;
const FIRST_CATEGORY: u64 = 10;
const CATEGORIES: u64 = 5;
/// People and auctions that later events refer to, and how many of those may not have come yet.
const ACTIVE_PEOPLE: u64 = 1000;
const OPEN_AUCTIONS: u64 = 100;
const LEAD: u64 = 10;
/// One person and one auction of so many are the hot one.
const HOT: u64 = 100;
/// Events until an open auction has been overtaken by as many others.
const HORIZON: u64 = OPEN_AUCTIONS * ROUND / AUCTIONS;
/// The number of the first event, as the original counts.
const FIRST_EVENT: u64 = 2;
/// When the first event would be.
const FIRST_TIME: i64 = 1_700_000_000_000;

/// What an event is, in the order of the numbers that `event_type` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NexmarkKind {
    /// Somebody new: one event in fifty.
    Person,
    /// Something is put up: three in fifty.
    Auction,
    /// Somebody offers a price for it: 46 in fifty.
    Bid,
}

impl NexmarkKind {
    /// How many of the first `events` events are of this kind. With a number of rows, those are the events of all tasks.
    #[must_use]
    pub fn rows_of(self, events: u64) -> u64 {
        self.below(events.saturating_add(FIRST_EVENT)) - self.below(FIRST_EVENT)
    }

    /// The least number of events of which so many are of this kind.
    #[must_use]
    pub fn events_for(self, rows: u64) -> u64 {
        let (mut low, mut high) = (0, rows.saturating_add(1).saturating_mul(ROUND));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.rows_of(middle) < rows { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// How many events with a lower number are of this kind.
    fn below(self, id: u64) -> u64 {
        let (rounds, place) = (id / ROUND, id % ROUND);
        match self {
            Self::Person => rounds + place.min(1),
            Self::Auction => rounds * AUCTIONS + place.saturating_sub(1).min(AUCTIONS),
            Self::Bid => rounds * (ROUND - 1 - AUCTIONS) + place.saturating_sub(1 + AUCTIONS),
        }
    }
}

/// An event, before its values are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    /// Its number among all events, from 2: the original's first event is the third of a round.
    pub id: u64,
    /// Its time.
    pub millis: i64,
}

impl Event {
    /// The event of this row, from 0, at this time.
    pub(super) fn of_row(row: u64, millis: i64) -> Self {
        Self { id: row.wrapping_add(FIRST_EVENT), millis }
    }

    pub(super) fn kind(self) -> NexmarkKind {
        match self.id % ROUND {
            0 => NexmarkKind::Person,
            1..=AUCTIONS => NexmarkKind::Auction,
            _ => NexmarkKind::Bid,
        }
    }

    /// The last person before or at this event, from 0.
    fn last_person(self) -> u64 {
        self.id / ROUND
    }

    /// The last auction before or at this event, from 0. No event comes before the first auction.
    fn last_auction(self) -> u64 {
        let (round, place) = (self.id / ROUND, self.id % ROUND);
        match place {
            0 => (round * AUCTIONS).saturating_sub(1),
            1..=AUCTIONS => round * AUCTIONS + place - 1,
            _ => round * AUCTIONS + AUCTIONS - 1,
        }
    }

    /// The id of a person or auction that this event brings.
    pub(super) fn new_id(self) -> i64 {
        let place = if self.kind() == NexmarkKind::Person { self.last_person() } else { self.last_auction() };
        id(place)
    }

    pub(super) fn seller(self, draws: &mut Draws) -> i64 {
        let person = if draws.below(4) > 0 { self.last_person() / HOT * HOT } else { self.person(draws) };
        id(person)
    }

    /// Bidders are counted from 1000 further than people: the original adds the first id twice.
    pub(super) fn bidder(self, draws: &mut Draws) -> i64 {
        let person = if draws.below(4) > 0 { self.last_person() / HOT * HOT + 1 } else { self.person(draws) };
        id(person + FIRST_ID)
    }

    pub(super) fn auction(self, draws: &mut Draws) -> i64 {
        let last = self.last_auction();
        let first = last.saturating_sub(OPEN_AUCTIONS);
        id(if draws.below(2) > 0 { last / HOT * HOT } else { first + draws.below(last - first + 1 + LEAD) })
    }

    fn person(self, draws: &mut Draws) -> u64 {
        let people = self.last_person() + 1;
        let active = people.min(ACTIVE_PEOPLE);
        people - active + draws.below(active + LEAD)
    }

    pub(super) fn category(draws: &mut Draws) -> i64 {
        (FIRST_CATEGORY + draws.below(CATEGORIES)) as i64
    }
}

#[expect(clippy::cast_possible_wrap, reason = "a number of events")]
fn id(place: u64) -> i64 {
    (FIRST_ID + place) as i64
}

/// The event times of one task: each has its own timeline, from the same start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeline {
    /// Microseconds between two events of the task.
    apart: f64,
}

impl Timeline {
    /// The timeline of a task, where all `tasks` together have `rate` events a second of event time.
    pub(super) fn new(rate: f64, tasks: u32) -> Self {
        Self { apart: 1e6 / rate * f64::from(tasks) }
    }

    /// The time of the task's `place`-th event, from 0.
    #[expect(
        clippy::cast_possible_wrap,
        reason = "a conversion from a float ends at the largest number, a thousandth of which fits"
    )]
    pub(super) fn millis(self, place: u64) -> i64 {
        let passed = ((place + 1) as f64 * self.apart) as u64 / 1000;
        FIRST_TIME + passed as i64
    }

    /// When an auction expires that the task's `place`-th event brings.
    pub(super) fn expires(self, place: u64, draws: &mut Draws) -> i64 {
        let now = self.millis(place);
        let horizon = (self.millis(place + HORIZON) - now).unsigned_abs();
        #[expect(clippy::cast_possible_wrap, reason = "below 2^32")]
        let open = draws.below((2 * horizon).clamp(1, 1 << 32)) as i64;
        now + 1 + open
    }
}
