//! What must come out of Nexmark's queries: each computed row by row over the generator's bids, without the engine. They fail where the generator does.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use futures_util::FutureExt as _;
use wasmill_connector::generator::{GeneratorConfig, GeneratorSource, NexmarkKind, Workload as Made};
use wasmill_connector::{BatchLimit, Source as _};
use wasmill_flow::TaskIndex;

use super::BenchError;
use super::answer::Answer;

/// Events a second of event time, as jobs have it unless they say otherwise.
const EVENT_RATE: f64 = 100_000.0;
/// Every so many-th auction is one of query 2.
const AUCTIONS: i64 = 123;
/// How long a window of queries 5 and 7 is, and the pause that ends a session of query 11, in milliseconds.
const WINDOW: i64 = 10_000;
/// How far windows of query 5 begin apart, in milliseconds.
const SLIDE: i64 = 2_000;
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

/// Of query 0 bids as they are.
pub fn q0(events: u64, parallelism: u32) -> Result<Answer, BenchError> {
    sum(events, parallelism, |bid| Answer { integers: bid.auction + bid.bidder + bid.price, ..kept(bid) })
}

/// Of query 1 bids with other prices.
pub fn q1(events: u64, parallelism: u32) -> Result<Answer, BenchError> {
    sum(events, parallelism, |bid| Answer {
        integers: bid.auction + bid.bidder,
        decimals: i128::from(bid.price) * RATE,
        ..kept(bid)
    })
}

/// Of query 2 auctions and prices of some bids.
pub fn q2(events: u64, parallelism: u32) -> Result<Answer, BenchError> {
    sum(events, parallelism, |bid| match bid.auction % AUCTIONS {
        0 => Answer { rows: 1, integers: bid.auction + bid.price, ..Answer::default() },
        _ => Answer::default(),
    })
}

/// Of query 5 a window's end, its auction with the most bids, the latest of those with as many, and how many.
pub fn q5(events: u64, parallelism: u32) -> Result<Answer, BenchError> {
    let mut counts: HashMap<(i64, i64), i64> = HashMap::new();
    each_bid(events, parallelism, |bid| {
        let first_end = bid.time.div_euclid(SLIDE) * SLIDE + SLIDE;
        for slide in 0..WINDOW / SLIDE {
            *counts.entry((first_end + slide * SLIDE, bid.auction)).or_insert(0) += 1;
        }
    })?;
    let mut most: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for ((end, auction), bids) in counts {
        let best = most.entry(end).or_insert((bids, auction));
        *best = (*best).max((bids, auction));
    }
    let row = |(end, (bids, auction))| Answer { rows: 1, integers: auction + bids, times: end, ..Answer::default() };
    Ok(most.into_iter().map(row).fold(Answer::default(), Answer::plus))
}

/// Of query 7 a window's bounds and its highest price; the key is 0.
pub fn q7(events: u64, parallelism: u32) -> Result<Answer, BenchError> {
    let mut highest: BTreeMap<i64, i64> = BTreeMap::new();
    each_bid(events, parallelism, |bid| {
        let price = highest.entry(bid.time.div_euclid(WINDOW) * WINDOW).or_insert(bid.price);
        *price = bid.price.max(*price);
    })?;
    let row = |(start, price)| Answer { rows: 1, integers: price, times: start + start + WINDOW, ..Answer::default() };
    Ok(highest.into_iter().map(row).fold(Answer::default(), Answer::plus))
}

/// Of query 11 a person, a session's bounds and how many bids it has.
pub fn q11(events: u64, parallelism: u32) -> Result<Answer, BenchError> {
    let mut times: HashMap<i64, Vec<i64>> = HashMap::new();
    each_bid(events, parallelism, |bid| times.entry(bid.bidder).or_default().push(bid.time))?;
    let mut answer = Answer::default();
    for (bidder, mut times) in times {
        times.sort_unstable();
        for session in times.chunk_by(|earlier, later| later - earlier < WINDOW) {
            let bounds = session.first().zip(session.last()).map_or(0, |(first, last)| first + last + WINDOW);
            let integers = bidder + i64::try_from(session.len())?;
            answer = answer.plus(Answer { rows: 1, integers, times: bounds, ..Answer::default() });
        }
    }
    Ok(answer)
}

/// Of query 12 a person and how many bids all windows of the clock have: which windows there are is another matter each time.
pub fn q12(events: u64, parallelism: u32) -> Result<Answer, BenchError> {
    let mut bids: HashMap<i64, i64> = HashMap::new();
    each_bid(events, parallelism, |bid| *bids.entry(bid.bidder).or_insert(0) += 1)?;
    let row = |(bidder, bids)| Answer { rows: 1, integers: bidder + bids, ..Answer::default() };
    Ok(bids.into_iter().map(row).fold(Answer::default(), Answer::plus))
}

/// What all bids give together.
fn sum(events: u64, parallelism: u32, of: impl Fn(&Bid<'_>) -> Answer) -> Result<Answer, BenchError> {
    let mut answer = Answer::default();
    each_bid(events, parallelism, |bid| answer = answer.plus(of(bid)))?;
    Ok(answer)
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
