//! A table of a job's parts while it runs: how fast each is, what it waits for, what it holds.

use std::time::Duration;

use crate::activity::{Look, Pace, Part};

const HEAD: Cells<&str> = ["", "rows", "rows/s", "busy", "held up", "queued", "state", "dead", "behind"];

/// A part's cells; the last is empty in all parts of a job without event time, and then not shown.
type Cells<T> = [T; 9];

/// The most characters of a name.
const NAME: usize = 24;

/// The lines of the table, none wider than `width` and not more than `height`: the last then says how many parts are left out.
/// Empty where there is no room for any.
#[must_use]
pub fn lines(before: &Look, now: &Look, width: usize, height: usize) -> Vec<String> {
    if height < 3 {
        return Vec::new();
    }
    let time = now.at.saturating_duration_since(before.at);
    let rows: Vec<Cells<String>> =
        before.parts.iter().zip(&now.parts).map(|(before, now)| cells(now, now.since(before, time))).collect();
    let fits = if rows.len() < height { rows.len() } else { height - 2 };
    let left_out = rows.len() - fits;
    let rows = &rows[..fits];
    let is_timed = rows.iter().any(|row| row.last().is_some_and(|behind| !behind.is_empty()));
    let widths: Vec<usize> = (0..HEAD.len() - usize::from(!is_timed))
        .map(|column| rows.iter().map(|row| row[column].chars().count()).chain([HEAD[column].len()]).max().unwrap_or_default())
        .collect();
    let head = HEAD.map(str::to_owned);
    let mut lines: Vec<String> = std::iter::once(&head).chain(rows).map(|row| line(row, &widths, width)).collect();
    if left_out > 0 {
        lines.push(format!("and {left_out} more").chars().take(width).collect());
    }
    lines
}

/// A job in a line, for where nothing can be redrawn.
#[must_use]
pub fn summary(before: &Look, now: &Look, since_start: Duration) -> String {
    let time = now.at.saturating_duration_since(before.at);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let rate = now.rows_in.saturating_sub(before.rows_in) as f64 / time.as_secs_f64().max(1e-9);
    let paces = before.parts.iter().zip(&now.parts).map(|(before, now)| (now.name.as_str(), now.since(before, time)));
    let busiest = paces.max_by(|(_, a), (_, b)| a.busy.total_cmp(&b.busy));
    let busiest = busiest.map_or_else(String::new, |(name, pace)| format!("; busiest: {name}, {}", share(pace.busy)));
    format!(
        "after {} s: {} rows in ({}/s), {} out, {} dead letters{busiest}",
        since_start.as_secs(),
        grouped(now.rows_in),
        whole(rate),
        grouped(now.rows_out),
        grouped(now.dead)
    )
}

fn cells(part: &Part, pace: Pace) -> Cells<String> {
    let name: String = part.name.chars().take(NAME).collect();
    let state = match part.state_bytes {
        0 => String::new(),
        bytes => format!("{} keys, {}", grouped(part.state_keys), size(bytes)),
    };
    let some = |count: u64| if count == 0 { String::new() } else { grouped(count) };
    [
        name,
        grouped(part.rows),
        whole(pace.rows),
        share(pace.busy),
        share(pace.held_up),
        some(part.queued as u64),
        state,
        some(part.dead),
        part.lag.map_or_else(String::new, time),
    ]
}

/// Cells as a line: the name to the left, figures to the right.
fn line(row: &Cells<String>, widths: &[usize], width: usize) -> String {
    let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
        0 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    cells.collect::<Vec<_>>().join("  ").chars().take(width).collect()
}

/// Seconds in the largest unit that there is one of; event time may be ahead of the clock.
fn time(seconds: f64) -> String {
    let units = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s")];
    let (unit, name) = units.into_iter().find(|(unit, _)| seconds.abs() >= *unit).unwrap_or((1.0, "s"));
    format!("{:.1} {name}", seconds / unit)
}

fn share(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people is not negative and far from 2^64"
)]
fn whole(number: f64) -> String {
    grouped(number.round() as u64)
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn look(at: Instant, rows: u64, parts: usize) -> Look {
        let part = |index: usize| Part {
            name: format!("part-{index}"),
            rows,
            busy: Duration::from_millis(rows / 10),
            tasks: 1,
            state_keys: 1_000 * index as u64,
            state_bytes: 2_048 * index as u64,
            dead: index as u64,
            ..Part::default()
        };
        Look { at, parts: (0..parts).map(part).collect(), rows_in: rows, rows_out: rows / 2, dead: 3 }
    }

    #[test]
    fn a_table_has_a_line_for_each_part_in_columns() {
        let start = Instant::now();
        let (before, now) = (look(start, 1_000, 2), look(start + Duration::from_secs(1), 2_000, 2));
        let expected = [
            "         rows  rows/s  busy  held up  queued                 state  dead",
            "part-0  2,000   1,000  10 %      0 %                                    ",
            "part-1  2,000   1,000  10 %      0 %          1,000 keys, 2.00 KiB     1",
        ];
        assert_eq!(lines(&before, &now, 200, 10), expected);
        assert!(lines(&before, &now, 20, 10).iter().all(|line| line.chars().count() == 20));
        assert_eq!(
            summary(&before, &now, Duration::from_secs(10)),
            "after 10 s: 2,000 rows in (1,000/s), 1,000 out, 3 dead letters; busiest: part-1, 10 %"
        );
    }

    #[test]
    fn how_far_event_time_is_behind_is_shown_where_there_is_any() {
        let start = Instant::now();
        let (before, mut now) = (look(start, 1_000, 2), look(start + Duration::from_secs(1), 2_000, 2));
        now.parts[1].lag = Some(12.34);
        let expected = [
            "         rows  rows/s  busy  held up  queued                 state  dead  behind",
            "part-0  2,000   1,000  10 %      0 %                                            ",
            "part-1  2,000   1,000  10 %      0 %          1,000 keys, 2.00 KiB     1  12.3 s",
        ];
        assert_eq!(lines(&before, &now, 200, 10), expected);
        assert_eq!([0.04, 90.0, -7_200.0, 172_800.0].map(time), ["0.0 s", "1.5 min", "-2.0 h", "2.0 d"]);
    }

    #[test]
    fn parts_that_do_not_fit_are_counted() {
        let start = Instant::now();
        let (before, now) = (look(start, 0, 30), look(start + Duration::from_secs(1), 10, 30));
        let table = lines(&before, &now, 80, 10);
        assert_eq!((table.len(), table.last().map(String::as_str)), (10, Some("and 22 more")));
        assert_eq!(lines(&before, &now, 80, 31).len(), 31);
        assert!(lines(&before, &now, 80, 2).is_empty());
    }

    #[test]
    fn digits_are_grouped() {
        let shown: Vec<String> = [0, 999, 1_000, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
