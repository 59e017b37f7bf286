//! Jobs that write to tables: exactly once under kills of the program and of the database's server, and what is wrong, said in words.

#[path = "databases/server.rs"]
mod server;

mod program;

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use program::Folder;
use server::Server;

const KILLS: usize = 12;
/// Three seconds of rows and more, so that the job isn't done before it was killed often enough.
const ROWS: u64 = 15_000;

/// A job that writes rows, and the last count of each key, to a database.
fn job(sink: &str) -> String {
    format!(
        "name: killed
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 99] }} }}, rows: {ROWS}, rate: 3000 }} }}
operators:
  counted: {{ input: rows, key-by: [key], aggregate: {{ n: count(*), sum: sum(id) }} }}
sinks:
  out: {{ input: rows, {sink}, table: rows, create: true }}
  counts: {{ input: counted, {sink}, table: counts, create: true, mode: upsert, key: [key] }}
checkpoint: {{ every: 50ms, store: ./store }}
"
    )
}

/// Numbers that look random (xorshift).
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed: u64 = match std::env::var("WASMILL_TEST_SEED") {
            Ok(seed) => seed.parse().expect("WASMILL_TEST_SEED is a number"),
            Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos().into(),
        };
        println!("seed {seed}: run again with WASMILL_TEST_SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

fn sqlite(folder: &Folder, sql: &str) -> String {
    let answer = Command::new("sqlite3")
        .args(["-cmd", ".timeout 10000"])
        .arg(folder.path("out.db"))
        .arg(sql)
        .output()
        .expect("sqlite3 runs");
    assert!(answer.status.success(), "{sql}: {}", String::from_utf8_lossy(&answer.stderr));
    String::from_utf8_lossy(&answer.stdout).trim_end().to_owned()
}

/// Kills the program again and again, lets it end, and compares what is in the tables with what must be there. `disturb` is called while it
/// runs, with the number of the kill.
fn exactly_once(folder: &Folder, asked: &mut dyn FnMut(&str) -> String, disturb: &mut dyn FnMut(usize)) {
    let mut random = Random::new();
    let (mut seen, mut resumed) = (0, 0);
    for kill in 0..KILLS {
        let mut child = folder.command(&["run", "job.yaml"]).stderr(Stdio::null()).spawn().expect("the program starts");
        sleep(Duration::from_millis(50 + random.below(350)));
        disturb(kill);
        child.kill().expect("killed, or gone");
        child.wait().expect("gone");
        let counted = asked("SELECT count(*), count(DISTINCT id) FROM rows");
        let (rows, distinct) = counted.split_once('|').expect("two numbers");
        assert_eq!(rows, distinct, "after kill {kill} rows are there twice");
        let rows: u64 = rows.parse().expect("a number");
        assert!(rows >= seen, "rows that were visible are gone");
        resumed += usize::from(rows > seen);
        seen = rows;
    }
    assert!(resumed > 2, "the job got on only {resumed} times between {KILLS} kills");
    folder.run(&["run", "job.yaml"]).says(0, &["note: going on from checkpoint "]);
    let expected = format!("{ROWS}|{ROWS}|{}", ROWS * (ROWS - 1) / 2);
    assert_eq!(asked("SELECT count(*), count(DISTINCT id), sum(id) FROM rows"), expected);
    // The counts are those of the rows beside them.
    let all = "SELECT count(*) FROM counts AS c JOIN (SELECT key, count(*) AS n, sum(id) AS sum FROM rows GROUP BY key) AS r \
               ON c.key = r.key AND c.n = r.n AND c.sum = r.sum";
    assert_eq!(asked(all), "100");
    assert_eq!(asked("SELECT count(*) FROM counts"), "100");
    // Started again, there is nothing to do.
    folder.run(&["run", "job.yaml"]).says(0, &[]);
    assert_eq!(asked("SELECT count(*) FROM rows"), ROWS.to_string());
}

#[test]
fn a_killed_job_writes_each_row_to_sqlite_once() {
    let folder = Folder::of_job(&job("connector: sqlite, path: out.db"));
    sqlite(&folder, "CREATE TABLE rows (id INTEGER NOT NULL, key INTEGER)");
    exactly_once(&folder, &mut |sql| sqlite(&folder, sql), &mut |_| ());
}

#[test]
fn a_killed_job_writes_each_row_to_postgres_once() {
    let server = Server::start();
    let folder = Folder::of_job(&job(&format!("connector: postgres, url: \"{}\"", server.url())));
    server.asked("CREATE TABLE rows (id bigint PRIMARY KEY, key bigint)");
    exactly_once(&folder, &mut |sql| server.asked(sql), &mut |_| ());
}

#[test]
fn a_job_whose_server_is_killed_too_writes_each_row_once() {
    let server = std::cell::RefCell::new(Server::start());
    let folder = Folder::of_job(&job(&format!("connector: postgres, url: \"{}\"", server.borrow().url())));
    server.borrow().asked("CREATE TABLE rows (id bigint, key bigint)");
    let mut disturb = |kill| {
        if kill % 3 == 0 {
            server.borrow_mut().kill_and_start();
            sleep(Duration::from_millis(500));
        }
    };
    exactly_once(&folder, &mut |sql| server.borrow().asked_when_ready(sql), &mut disturb);
}

#[test]
fn what_a_database_refuses_is_said_and_what_is_wrong_in_the_job_too() {
    let job = |sink: &str| {
        let source = "{ rows: { connector: generator, fields: { id: sequence }, rows: 3 } }";
        Folder::of_job(&format!("name: t\nsources: {source}\nsinks: {{ out: {{ input: rows, {sink} }} }}\n"))
    };
    let run = |sink: &str| job(sink).run(&["run", "job.yaml"]);
    run("connector: sqlite, path: out.db, table: t")
        .says(1, &["error[table-not-found]: out.db: there is no table t", "(sinks.out)"]);
    run("connector: postgres, url: \"mysql://me:secret@db/orders\", table: t")
        .says(2, &["found an address of another kind, expected postgres://USER:PASSWORD@HOST:PORT/DATABASE"]);
    run("connector: sqlite, path: out.db, table: t, mode: upsert").says(2, &["`key`, the columns that tell rows apart"]);
    run("connector: sqlite, path: out.db, table: t, mode: upsert, key: [ide]")
        .says(2, &["error[unknown-column]", "did you mean `id`"]);
    run("connector: sqlite, path: out.db, table: t, key: [id]").says(2, &["found `key` without `mode: upsert`"]);
    run("connector: sqlite, path: out.db, table: t, mode: upsert, key: [id], changes: id")
        .says(2, &["expected a column of utf8"]);
    run("connector: sqlite, path: out.db, table: t, on-refused: dead-letter").says(2, &["error[not-in-this-version]"]);
}
