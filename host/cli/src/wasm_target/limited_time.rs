//! Runs a program that may hang, for a limited time.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs a program to its end; what it wrote to standard output.
///
/// # Errors
/// Where it can't be started, fails (with the last line that it wrote to standard error), or takes longer, and then it is killed.
pub fn run(command: &mut Command, limit: Duration) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| format!("{name} can't be run: {error}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let out = thread::spawn(move || read(out));
    let err = thread::spawn(move || read(err));
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(PAUSE),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{name} was not done after {} s", limit.as_secs()));
            }
            Err(error) => return Err(format!("{name} can't be waited for: {error}")),
        }
    };
    if status.success() {
        return Ok(out.join().unwrap_or_default());
    }
    let said = err.join().unwrap_or_default();
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it says nothing");
    Err(format!("{name} ended with {status}: {last}"))
}

fn read(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is still what the program said.
    let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: u64) -> Result<String, String> {
        run(Command::new("sh").args(["-c", script]), Duration::from_millis(limit))
    }

    #[test]
    fn a_program_gives_what_it_prints_or_why_it_failed() {
        assert_eq!(shell("echo a", 10_000), Ok("a\n".to_owned()));
        assert_eq!(shell("echo why >&2; echo >&2; exit 3", 10_000), Err("sh ended with exit status: 3: why".to_owned()));
        assert_eq!(shell("exec sleep 60", 1), Err("sh was not done after 0 s".to_owned()));
        let missing = run(&mut Command::new("no-such-program"), Duration::from_secs(1)).expect_err("not there");
        assert!(missing.starts_with("no-such-program can't be run: "), "{missing}");
    }
}
