//! What must come out of Nexmark's queries: each computed row by row over the generator's bids, without the engine.

use std::collections::BTreeMap;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use futures_util::FutureExt as _;
use wasmill_connector::generator::{GeneratorConfig, GeneratorSource, NexmarkKind, Workload as Made};
use wasmill_connector::{BatchLimit, Source as _};
use wasmill_flow::TaskIndex;

use super::answer::Answer;
use super::{BenchError, Workload};

/// Events a second of event time, as jobs have it unless they say otherwise.
const EVENT_RATE: f64 = 100_000.0;
/// Every so many-th auction is one of query 2.
const AUCTIONS: i64 = 123;
/// How long a window of query 7 is, in milliseconds.
const WINDOW: i64 = 10_000;
/// Thousandths of a euro for a dollar, in query 1.
const RATE: i128 = 908;

/// A bid.
struct Bid<'a> {
    auction: i64,
    bidder: i64,
    price: i64,
    channel: &'a str,
    url: &'a str,
    time: i64,
    extra: &'a str,
}

/// What must come out of one of Nexmark's queries; none of another workload.
///
/// # Errors
/// Where the generator can't be read: a fault of it.
pub fn expected(workload: Workload, events: u64, parallelism: u32) -> Result<Option<Answer>, BenchError> {
    let row: fn(&Bid<'_>) -> Answer = match workload {
        Workload::NexmarkQ0 => |bid| Answer { integers: bid.auction + bid.bidder + bid.price, ..kept(bid) },
        Workload::NexmarkQ1 => {
            |bid| Answer { integers: bid.auction + bid.bidder, decimals: i128::from(bid.price) * RATE, ..kept(bid) }
        }
        Workload::NexmarkQ2 => |bid| match bid.auction % AUCTIONS {
            0 => Answer { rows: 1, integers: bid.auction + bid.price, ..Answer::default() },
            _ => Answer::default(),
        },
        Workload::NexmarkQ7 => return highest(events, parallelism).map(Some),
        Workload::MapFilter | Workload::KeyedCount | Workload::WindowCount | Workload::Latency => return Ok(None),
    };
    let mut answer = Answer::default();
    each_bid(events, parallelism, |bid| answer = answer.plus(row(bid)))?;
    Ok(Some(answer))
}

/// Of query 7 a window's bounds and its highest price; the key is 0.
fn highest(events: u64, parallelism: u32) -> Result<Answer, BenchError> {
    let mut highest: BTreeMap<i64, i64> = BTreeMap::new();
    each_bid(events, parallelism, |bid| {
        let price = highest.entry(bid.time.div_euclid(WINDOW) * WINDOW).or_insert(bid.price);
        *price = bid.price.max(*price);
    })?;
    let row = |(start, price)| Answer { rows: 1, integers: price, times: start + start + WINDOW, ..Answer::default() };
    Ok(highest.into_iter().map(row).fold(Answer::default(), Answer::plus))
}

/// Looks at the bids of all tasks.
fn each_bid(events: u64, parallelism: u32, mut look: impl FnMut(&Bid<'_>)) -> Result<(), BenchError> {
    for index in 0..parallelism {
        let mut source = GeneratorSource::new(&GeneratorConfig {
            workload: Made::Nexmark { kind: Some(NexmarkKind::Bid), event_rate: EVENT_RATE },
            rows: Some(events),
            rate: None,
            seed: 0,
            task: TaskIndex { index, of: parallelism },
            start: Instant::now(),
        })?;
        let limit = BatchLimit { rows: 1_024, bytes: 1 << 20 };
        // A generator without a rate never waits.
        while let Some(read) = source.read(limit).now_or_never().ok_or_else(|| anyhow::anyhow!("the generator waits"))?? {
            bids(&read.rows, &mut look);
        }
    }
    Ok(())
}

/// What queries keep of a bid: its time and its texts.
fn kept(bid: &Bid<'_>) -> Answer {
    Answer { rows: 1, times: bid.time, texts: (bid.channel.len() + bid.url.len() + bid.extra.len()) as u64, ..Answer::default() }
}

fn bids(rows: &RecordBatch, look: &mut impl FnMut(&Bid<'_>)) {
    let number = |name: &str| rows[name].as_primitive::<Int64Type>();
    let text = |name: &str| rows[name].as_string_view();
    let (auctions, bidders, prices) = (number("auction"), number("bidder"), number("price"));
    let (channels, urls, extras) = (text("channel"), text("url"), text("extra"));
    let times = rows["dateTime"].as_primitive::<TimestampMillisecondType>();
    for row in 0..rows.num_rows() {
        look(&Bid {
            auction: auctions.value(row),
            bidder: bidders.value(row),
            price: prices.value(row),
            channel: channels.value(row),
            url: urls.value(row),
            time: times.value(row),
            extra: extras.value(row),
        });
    }
}
