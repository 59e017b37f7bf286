//! The values of events, made into the columns of their kind.

use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::{ArrayRef, Int64Array, TimestampMillisecondArray};
use arrow_schema::{DataType, Field};
use wasmill_flow::column_type::TIMESTAMP;

use super::draws::Draws;
use super::law::{Event, NexmarkKind};
use super::texts::{self, Texts};
use super::{Made, Nexmark};

/// Draws a text and adds it.
type WriteText = fn(&mut Draws, &mut String);
/// The name and the type of a column.
type Column = (&'static str, DataType);

const PERSON: [Column; 8] = [
    ("id", DataType::Int64),
    ("name", DataType::Utf8View),
    ("emailAddress", DataType::Utf8View),
    ("creditCard", DataType::Utf8View),
    ("city", DataType::Utf8View),
    ("state", DataType::Utf8View),
    ("dateTime", TIMESTAMP),
    ("extra", DataType::Utf8View),
];
const AUCTION: [Column; 10] = [
    ("id", DataType::Int64),
    ("itemName", DataType::Utf8View),
    ("description", DataType::Utf8View),
    ("initialBid", DataType::Int64),
    ("reserve", DataType::Int64),
    ("dateTime", TIMESTAMP),
    ("expires", TIMESTAMP),
    ("seller", DataType::Int64),
    ("category", DataType::Int64),
    ("extra", DataType::Utf8View),
];
const BID: [Column; 7] = [
    ("auction", DataType::Int64),
    ("bidder", DataType::Int64),
    ("price", DataType::Int64),
    ("channel", DataType::Utf8View),
    ("url", DataType::Utf8View),
    ("dateTime", TIMESTAMP),
    ("extra", DataType::Utf8View),
];

impl NexmarkKind {
    pub(super) const ALL: [Self; 3] = [Self::Person, Self::Auction, Self::Bid];

    /// The name, as it stands before columns where all kinds are in one stream.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Auction => "auction",
            Self::Bid => "bid",
        }
    }

    pub(super) fn fields(self) -> Vec<Field> {
        let columns: &[Column] = match self {
            Self::Person => &PERSON,
            Self::Auction => &AUCTION,
            Self::Bid => &BID,
        };
        columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), false)).collect()
    }

    /// The bytes that an event has on average: 8 for a number or a time, and those of its texts.
    pub(super) fn mean_bytes(self) -> u64 {
        match self {
            Self::Person => 208,
            Self::Auction => 508,
            Self::Bid => 172,
        }
    }

    /// About the bytes that a row is filled up to.
    fn target(self) -> usize {
        match self {
            Self::Person => 200,
            Self::Auction => 500,
            Self::Bid => 100,
        }
    }
}

impl Nexmark {
    /// The columns of events of one kind, in the order of [`NexmarkKind::fields`].
    pub(super) fn columns(&self, kind: NexmarkKind, events: &[Made]) -> Vec<ArrayRef> {
        match kind {
            NexmarkKind::Person => self.people(events),
            NexmarkKind::Auction => self.auctions(events),
            NexmarkKind::Bid => self.bids(events),
        }
    }

    fn people(&self, events: &[Made]) -> Vec<ArrayRef> {
        let mut columns: [StringViewBuilder; 5] = std::array::from_fn(|_| StringViewBuilder::with_capacity(events.len()));
        let mut extra = self.texts.paddings(events.len());
        let mut text = String::new();
        for Made { event, .. } in events {
            let mut draws = self.draws(*event);
            let mut size = 8;
            let [name, email, card, city, state] = &mut columns;
            let writers: [(&mut StringViewBuilder, WriteText); 3] =
                [(name, texts::name), (email, texts::email), (card, texts::credit_card)];
            for (column, write) in writers {
                text.clear();
                write(&mut draws, &mut text);
                column.append_value(&text);
                size += text.len();
            }
            for (column, value) in [(city, texts::city(&mut draws)), (state, texts::state(&mut draws))] {
                column.append_value(value);
                size += value.len();
            }
            extra.fill(size, NexmarkKind::Person.target(), &mut draws);
        }
        let mut made: Vec<ArrayRef> = vec![ids(events)];
        made.extend(columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        made.extend([times(events), extra.finish()]);
        made
    }

    fn auctions(&self, events: &[Made]) -> Vec<ArrayRef> {
        let [mut item, mut description] = std::array::from_fn(|_| StringViewBuilder::with_capacity(events.len()));
        let [mut initial, mut reserve, mut expires, mut seller, mut category] =
            std::array::from_fn(|_| Vec::with_capacity(events.len()));
        let mut extra = self.texts.paddings(events.len());
        let mut text = String::new();
        for Made { event, place } in events {
            let mut draws = self.draws(*event);
            let mut size = 48;
            for (column, most) in [(&mut item, 20), (&mut description, 100)] {
                text.clear();
                draws.text(most, ' ', &mut text);
                column.append_value(&text);
                size += text.len();
            }
            let bid = draws.price();
            initial.push(bid);
            reserve.push(bid + draws.price());
            expires.push(self.timeline.expires(*place, &mut draws));
            seller.push(event.seller(&mut draws));
            category.push(Event::category(&mut draws));
            extra.fill(size, NexmarkKind::Auction.target(), &mut draws);
        }
        vec![
            ids(events),
            Arc::new(item.finish()),
            Arc::new(description.finish()),
            Arc::new(Int64Array::from(initial)),
            Arc::new(Int64Array::from(reserve)),
            times(events),
            Arc::new(TimestampMillisecondArray::from(expires)),
            Arc::new(Int64Array::from(seller)),
            Arc::new(Int64Array::from(category)),
            extra.finish(),
        ]
    }

    fn bids(&self, events: &[Made]) -> Vec<ArrayRef> {
        let [mut auction, mut bidder, mut price] = std::array::from_fn(|_| Vec::with_capacity(events.len()));
        let mut channels = Vec::with_capacity(events.len());
        let mut extra = self.texts.paddings(events.len());
        for Made { event, .. } in events {
            let mut draws = self.draws(*event);
            auction.push(event.auction(&mut draws));
            bidder.push(event.bidder(&mut draws));
            price.push(draws.price());
            channels.push(Texts::channel(&mut draws));
            // Channel and address don't count: a bid's padding is what its four numbers leave.
            extra.fill(32, NexmarkKind::Bid.target(), &mut draws);
        }
        let [channel, url] = self.texts.channels(channels);
        vec![
            Arc::new(Int64Array::from(auction)),
            Arc::new(Int64Array::from(bidder)),
            Arc::new(Int64Array::from(price)),
            channel,
            url,
            times(events),
            extra.finish(),
        ]
    }
}

fn ids(events: &[Made]) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(events.iter().map(|made| made.event.new_id())))
}

fn times(events: &[Made]) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter_values(events.iter().map(|made| made.event.millis)))
}
