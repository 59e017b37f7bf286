//! Lists, maps and reduced values of plugins against a model that goes row by row, in a test only; and what becomes of them when a plugin has another
//! version of its states.

mod program;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use program::Folder;
use serde_json::{Value, json};

/// A step of a shopper: who, at which second, which item, how many.
type Step = (i64, i64, Option<&'static str>, i64);

const ITEMS: [&str; 6] = ["bread", "cheese", "milk", "rice", "tea", "té"];

/// A number that follows from the one before (a linear congruential generator).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end) as i64
    }
}

fn steps(draws: &mut Draws, count: i64, shoppers: u64) -> Vec<Step> {
    let step = |row| {
        let item = (draws.below(6) != 0).then(|| ITEMS[draws.below(6) as usize]);
        (draws.below(shoppers), row / 3 - draws.below(10), item, draws.below(7) - 2)
    };
    (0..count).map(step).collect()
}

/// A shopper, as the model knows one: items with how many and until when they stay; the sizes of orders, and until when those are remembered.
#[derive(Default)]
struct Shopper {
    basket: BTreeMap<&'static str, (i64, i64)>,
    orders: Vec<(i64, i64)>,
    largest: i64,
}

/// For how long items stay in baskets and orders are remembered, in seconds.
#[derive(Debug, Clone, Copy)]
struct Kept {
    items: i64,
    orders: i64,
}

/// The model: the orders, as text, and how many steps are rejected.
fn model(steps: &[Step], kept: Kept) -> (Vec<String>, usize) {
    let mut shoppers: BTreeMap<i64, Shopper> = BTreeMap::new();
    let (mut told, mut rejected) = (Vec::new(), 0);
    for &(who, at, item, quantity) in steps {
        let shopper = shoppers.entry(who).or_default();
        let live = |&(_, until): &(i64, i64)| at < until;
        if let Some(item) = item {
            let before = shopper.basket.get(item).copied().filter(live);
            let now = before.map_or(0, |(held, _)| held) + quantity;
            let until = before.map_or(i64::MIN, |(_, until)| until).max(at + kept.items);
            if now > 0 {
                shopper.basket.insert(item, (now, until));
            } else {
                shopper.basket.remove(item);
            }
            rejected += usize::from(now < 0);
            continue;
        }
        let items: Vec<(&str, i64)> =
            shopper.basket.iter().filter(|(_, held)| live(held)).map(|(item, (held, _))| (*item, *held)).collect();
        let things: i64 = items.iter().map(|(_, held)| held).sum();
        if things == 0 {
            rejected += 1;
            continue;
        }
        let items: Vec<String> = items.iter().map(|(item, held)| format!("{item} {held}")).collect();
        let orders: Vec<i64> = shopper.orders.iter().filter(|(_, until)| at < *until).map(|(things, _)| *things).collect();
        let before: Vec<String> = orders.iter().rev().take(3).rev().map(i64::to_string).collect();
        shopper.orders.push((things, at + kept.orders));
        shopper.largest = shopper.largest.max(things);
        let (number, largest) = (orders.len() + 1, shopper.largest);
        told.push(format!("{who} {number} [{}] {things} {largest} [{}]", items.join(", "), before.join(",")));
        shopper.basket.clear();
    }
    told.sort();
    (told, rejected)
}

fn job(Kept { items, orders }: Kept, batch: usize) -> String {
    let plugin = program::plugin("plugins/baskets").display().to_string();
    format!(
        "name: baskets
sources:
  steps:
    connector: file
    path: steps.ndjson
    format: {{ type: json, timestamps: s }}
    schema: {{ who: int64, at: timestamp not null, item: utf8, quantity: int64 not null }}
    event-time: {{ field: at, max-out-of-orderness: 10s }}
operators: {{ orders: {{ input: steps, key-by: [who], plugin: {plugin}, settings: {{ keep-seconds: {items}, recall-seconds: {orders} }} }} }}
sinks: {{ out: {{ input: orders, connector: file, path: out.ndjson, format: json }} }}
dead-letters: {{ connector: file, path: dead.ndjson, format: json }}
batch: {{ max-rows: {batch} }}
"
    )
}

fn as_text(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |mut text, (who, at, item, quantity)| {
        let row = json!({ "who": who, "at": at, "item": item, "quantity": quantity });
        let _ = writeln!(text, "{row}");
        text
    })
}

fn rows(folder: &Folder, name: &str) -> Vec<Value> {
    folder.read(name).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn orders(folder: &Folder) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let order = |row: &Value| {
        let (items, before) = (text(&row["items"]), text(&row["before"]));
        format!("{} {} [{items}] {} {} [{before}]", row["who"], row["number"], row["things"], row["largest"])
    };
    let mut told: Vec<String> = rows(folder, "out.ndjson").iter().map(order).collect();
    told.sort();
    told
}

#[test]
fn lists_and_maps_do_not_depend_on_batches_nor_on_tasks() {
    let mut told = 0;
    for seed in 0..10 {
        let mut draws = Draws(seed);
        let shoppers = 1 + draws.below(12) as u64;
        let keep = Kept { items: 1 + draws.below(60), orders: 1 + draws.below(150) };
        let steps = steps(&mut draws, 500, shoppers);
        let (expected, rejected) = model(&steps, keep);
        told += expected.len();
        for (batch, tasks) in [(1, "1"), (7, "2"), (1_024, "1"), (1_024, "3")] {
            let folder = Folder::of_job(&job(keep, batch));
            folder.write("steps.ndjson", as_text(&steps));
            folder.run(&["run", "job.yaml", "--parallelism", tasks]).says(0, &[]);
            assert_eq!(orders(&folder), expected, "seed {seed}: {keep:?}, batches of {batch}, {tasks} tasks");
            assert_eq!(rows(&folder, "dead.ndjson").len(), rejected);
        }
    }
    assert!(told > 300, "{told} orders");
}

#[test]
fn a_job_that_is_killed_loses_nothing_of_lists_and_maps() {
    let keep = Kept { items: 50, orders: 300 };
    let steps = steps(&mut Draws(5), 60_000, 400);
    let (expected, _) = model(&steps, keep);
    assert!(expected.len() > 1_000, "{} orders", expected.len());
    let folder = Folder::of_job(&format!("{}checkpoint: {{ every: 20ms, store: ./store }}\n", job(keep, 64)));
    folder.write("steps.ndjson", as_text(&steps));
    program::kill_and_finish(&folder, &["--parallelism", "2"], &[30, 45, 60, 80, 100, 130, 160, 200]);
    assert_eq!(orders(&folder), expected);
}

/// More than are migrated at once.
const KEYS: i64 = 903;

/// A job that counts rows as version 1 of a plugin does until it is stopped, and goes on as version 2.
struct Upgrade {
    folder: Folder,
}

impl Upgrade {
    /// With these ids; a quarter of them is read by version 1.
    fn new(ids: &[i64]) -> Self {
        let folder = Folder::of_job(
            "name: tallies
sources: { rows: { connector: file, path: rows/*.ndjson, format: json, schema: { key: int64 not null, id: int64 not null }, follow: true } }
operators: { tally: { input: rows, key-by: [key], plugin: tally.wasm } }
sinks: { out: { input: tally, connector: file, path: out.ndjson, format: json } }
checkpoint: { every: 20ms, store: ./store }
",
        );
        let upgrade = Self { folder };
        upgrade.plugin("tally-1");
        let quarter = ids.len() / 4;
        upgrade.add("a.ndjson", &ids[..quarter]);
        upgrade.run_until(quarter);
        upgrade.plugin("tally-2");
        upgrade.add("b.ndjson", &ids[quarter..]);
        upgrade
    }

    fn plugin(&self, name: &str) {
        let built = program::plugin(&format!("tests/guests/{name}"));
        self.folder.write("tally.wasm", fs::read(built).expect("built"));
    }

    fn add(&self, name: &str, ids: &[i64]) {
        let row = |id: &i64| format!("{}\n", json!({ "key": id % KEYS, "id": id }));
        self.folder.write(&format!("rows/{name}"), ids.iter().map(row).collect::<String>());
    }

    /// Runs the job until so many rows are out, and stops it.
    fn run_until(&self, rows: usize) {
        let child = self.folder.command(&["run", "job.yaml", "--parallelism", "2"]).spawn().expect("the program starts");
        for _ in 0..600 {
            std::thread::sleep(std::time::Duration::from_millis(50));
            let out = self.folder.path("out.ndjson");
            if fs::read_to_string(out).is_ok_and(|text| text.lines().count() >= rows) {
                break;
            }
        }
        let stopped = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        drop(stopped);
        let ended = child.wait_with_output().expect("a child");
        assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    }
}

#[test]
fn what_a_plugin_has_stored_is_migrated_to_its_next_version() {
    let ids: Vec<i64> = (0..4_000).map(|row| row * 37 % 10_007).filter(|id| *id != 666).collect();
    let upgrade = Upgrade::new(&ids);
    upgrade.run_until(ids.len());
    let mut expected: Vec<String> = Vec::new();
    let mut of_key: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for id in &ids {
        let seen = of_key.entry(id % KEYS).or_default();
        seen.push(*id);
        let same_digit = seen.iter().filter(|other| *other % 10 == id % 10).count();
        let text: Vec<String> = seen.iter().map(i64::to_string).collect();
        expected.push(format!("{} {} {same_digit} \"{}\"", id % KEYS, seen.len(), text.join(",")));
    }
    let found = rows(&upgrade.folder, "out.ndjson");
    let mut found: Vec<String> =
        found.iter().map(|row| format!("{} {} {} {}", row["key"], row["rows"], row["of_last_digit"], row["ids"])).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_value_that_can_not_be_migrated_stops_the_job_and_loses_nothing() {
    let ids: Vec<i64> = (600..1_000).collect();
    let upgrade = Upgrade::new(&ids);
    let run = upgrade.folder.run(&["run", "job.yaml"]);
    run.says(1, &["no id of version 1 is 666", "while it migrated state `ids` from version 1 to 3"]);
    // With the plugin that wrote it the job goes on.
    upgrade.plugin("tally-1");
    upgrade.run_until(ids.len());
    assert_eq!(rows(&upgrade.folder, "out.ndjson").len(), ids.len());
}

/// A job with two inputs, one of them broadcast.
const RATES: &str = "name: rates
sources:
  amounts: { connector: file, path: amounts/*.ndjson, format: json, schema: { currency: utf8 not null, cents: int64 not null } }
  rates: { connector: file, path: rates.ndjson, format: json, schema: { currency: utf8 not null, per_mille: int64 } }
operators:
  spread: { input: amounts, key-by: [currency, cents], aggregate: { n: count(*) } }
  convert: { inputs: { amounts: spread, rates: rates }, broadcast: [rates], plugin: $PLUGIN }
sinks:
  out: { input: convert, connector: file, path: out.ndjson, format: json }
  missing: { input: convert.missing, connector: file, path: missing.ndjson, format: json }
dead-letters: { connector: file, path: dead.ndjson, format: json }
checkpoint: { every: 20ms, store: ./store }
";

fn amounts(cents: std::ops::Range<i64>) -> String {
    cents.fold(String::new(), |mut text, cents| {
        let currency = ["usd", "gbp", "sek", "chf"][cents as usize % 4];
        let _ = writeln!(text, "{}", json!({ "currency": currency, "cents": cents }));
        text
    })
}

#[test]
fn every_task_knows_what_is_broadcast_and_a_tasks_own_items_are_dealt_out_when_there_are_more_or_fewer() {
    let job = RATES.replace("$PLUGIN", &program::plugin("plugins/exchange-rates").display().to_string());
    let folder = Folder::of_job(&job);
    folder.write("rates.ndjson", "{\"currency\":\"usd\",\"per_mille\":900}\n{\"currency\":\"gbp\",\"per_mille\":1150}\n{\"currency\":\"sek\",\"per_mille\":-1}\n");
    fs::create_dir_all(folder.path("amounts")).expect("made");
    let lines = |name: &str| fs::read_to_string(folder.path(name)).map_or(0, |text| text.lines().count());
    // Rates first: which rate an amount meets follows from the order in which they come.
    folder.write("amounts/0.ndjson", "");
    folder.run(&["run", "job.yaml", "--parallelism", "3"]).says(0, &[]);
    assert_eq!(lines("dead.ndjson"), 1, "a rejected row of a broadcast input is one dead letter");
    let mut told = 0;
    for (round, tasks) in (1..).zip(["3", "2", "4", "1"]) {
        told = lines("missing.ndjson");
        folder.write(&format!("amounts/{round}.ndjson"), amounts((round - 1) * 1_000..round * 1_000));
        folder.run(&["run", "job.yaml", "--parallelism", tasks]).says(0, &[]);
    }
    assert_eq!(lines("dead.ndjson"), 1);
    let mut converted: Vec<(i64, i64)> = rows(&folder, "out.ndjson")
        .iter()
        .map(|row| (row["cents"].as_i64().expect("cents"), row["converted"].as_i64().expect("converted")))
        .collect();
    converted.sort_unstable();
    let rate = |cents: i64| if cents % 4 == 0 { 900 } else { 1_150 };
    let expected: Vec<(i64, i64)> =
        (0..4_000).filter(|cents| cents % 4 < 2).map(|cents| (cents, cents * rate(cents) / 1_000)).collect();
    assert_eq!(converted, expected);
    // What each task says at the last end is of all rows so far.
    let mut missing: BTreeMap<String, i64> = BTreeMap::new();
    for row in rows(&folder, "missing.ndjson").split_off(told) {
        let amounts = row["amounts"].as_i64().expect("a number");
        *missing.entry(row["currency"].as_str().expect("text").to_owned()).or_default() += amounts;
    }
    assert_eq!(missing, BTreeMap::from([("chf".to_owned(), 1_000), ("sek".to_owned(), 1_000)]));
}
