//! Streams and windows that are drawn by chance.

use super::*;

pub(super) fn shapes() -> impl Strategy<Value = Shape> {
    let lateness = || prop_oneof![3 => Just(0), 1 => 0..20_i64];
    let even = (1..25_i64, 1..25_i64, -7..7_i64, lateness(), 0..5_u8);
    let even = (even, prop::bool::weighted(0.3)).prop_map(|((size, slide, offset, allowed_lateness, kind), zoned)| {
        let slide = match kind {
            0 => size,
            1 => 1 + slide % 3,
            2 => slide,
            _ => slide.min(size),
        };
        Shape::Even(Windows { size, slide, offset, zone: zoned.then_some(Tz::Europe__Berlin), allowed_lateness })
    });
    let session = (1..12_i64, lateness()).prop_map(|(gap, allowed_lateness)| Shape::Session { gap, allowed_lateness });
    let rows = (1..6_u64, any::<bool>()).prop_map(|(rows, ends)| Shape::Rows { rows, ends });
    prop_oneof![6 => even, 3 => session, 1 => rows]
}

pub(super) fn triggers() -> impl Strategy<Value = Trigger> {
    let accumulation = prop_oneof![3 => Just(Accumulation::Accumulating), 2 => Just(Accumulation::Discarding), 2 => Just(Accumulation::Retracting)];
    (prop::option::weighted(0.25, 1..9_i64), prop::option::weighted(0.25, 1..5_u64), accumulation)
        .prop_map(|(early, every_rows, accumulation)| Trigger { early, every_rows, accumulation })
}

/// Rows at about the time that has come, and now and then something else.
pub(super) fn events() -> impl Strategy<Value = Vec<Event>> {
    let numbers = prop_oneof![30 => -9..70_i64, 1 => Just(REFUSED)];
    let event = prop_oneof![
        30 => (-25..25_i64, 0..6_u8, prop::option::weighted(0.9, numbers)).prop_map(|(time, key, value)| Event::Row(Row { time, key, value })),
        3 => Just(Event::Cut),
        4 => (0..25_i64).prop_map(Event::Watermark),
        1 => (1..5_u32).prop_map(Event::Restored),
    ];
    let at_time = |events: Vec<Event>| {
        let mut now = 0;
        let of = |event| match event {
            Event::Row(row) => {
                now += 1;
                Event::Row(Row { time: now + row.time, ..row })
            }
            Event::Watermark(behind) => Event::Watermark(now - behind),
            other => other,
        };
        events.into_iter().map(of).collect()
    };
    vec(event, 0..120).prop_map(at_time)
}
