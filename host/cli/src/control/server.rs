//! A running job's end of its socket.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use wasmill_runtime::{JobError, SavepointRequest};

use super::message::{Answer, Refusal, Request, is_label};
use super::{private, socket};
use crate::signals::Stop;

/// How long a caller may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest request.
const MOST_BYTES: u64 = 4 << 10;
/// The most callers at a time.
const CALLERS: usize = 16;

/// What callers reach: the job as it is, and how to stop it.
pub struct Reached {
    status: Box<dyn Fn() -> Value + Send + Sync>,
    stop: Stop,
    /// Where the job's present run takes requests for savepoints; none between two runs.
    savepoints: Mutex<Option<mpsc::UnboundedSender<SavepointRequest>>>,
    /// Callers who wait until the job has ended.
    waiting: Mutex<Vec<UnixStream>>,
    callers: AtomicUsize,
    ended: AtomicBool,
}

impl Reached {
    /// A job with what it says of itself.
    #[must_use]
    pub fn new(status: impl Fn() -> Value + Send + Sync + 'static, stop: Stop) -> Arc<Self> {
        Arc::new(Self {
            status: Box::new(status),
            stop,
            savepoints: Mutex::new(None),
            waiting: Mutex::default(),
            callers: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        })
    }

    /// A run of the job begins: where it is asked for savepoints.
    #[must_use]
    pub fn begin(&self) -> mpsc::UnboundedReceiver<SavepointRequest> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.savepoints.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    fn answer(&self, request: &Request) -> Answer {
        match request {
            Request::Status => Answer::Status((self.status)()),
            Request::Stop => {
                self.stop.ask();
                Answer::Stopping
            }
            Request::Savepoint { label } => match self.savepoint(label) {
                Ok(epoch) => Answer::Savepoint { label: label.clone(), epoch },
                Err(error) => Answer::Refused(error.into()),
            },
        }
    }

    /// Has a savepoint taken, and waits for it.
    fn savepoint(&self, label: &str) -> Result<u64, JobError> {
        if !is_label(label) {
            let wrong = format!("{label:?} is no label: expected up to 64 of a-z, 0-9, `-`, `_` and `.`, the first a letter");
            return Err(JobError::new("savepoint-label", wrong));
        }
        let gone = || JobError::new("savepoint-not-taken", "the job ended before the savepoint was complete");
        let (done, told) = oneshot::channel();
        let sender = self.savepoints.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(gone)?;
        sender.send(SavepointRequest { label: label.to_owned(), done }).map_err(|_| gone())?;
        drop(sender);
        told.blocking_recv().map_err(|_| gone())?.map(|epoch| epoch.0)
    }
}

/// A job's socket, until it is dropped.
pub struct Server {
    path: PathBuf,
    reached: Arc<Reached>,
}

impl Server {
    /// Listens for callers of a job.
    ///
    /// # Errors
    /// Why it can't be reached by its name, as a sentence. The job can run all the same.
    pub fn start(job: &str, reached: Arc<Reached>) -> Result<Self, String> {
        let path = socket(job);
        let shown = |error: &io::Error| format!("{}: {error}", path.display());
        if let Some(folder) = path.parent() {
            private(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let listener = match UnixListener::bind(&path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if UnixStream::connect(&path).is_ok() {
                    return Err(format!("{}: another process runs a job of this name", path.display()));
                }
                // Whoever made it is gone.
                fs::remove_file(&path).and_then(|()| UnixListener::bind(&path))
            }
            bound => bound,
        };
        let listener = listener.map_err(|error| shown(&error))?;
        let serving = Arc::clone(&reached);
        let serve = move || {
            for caller in listener.incoming() {
                if serving.ended.load(Relaxed) {
                    return;
                }
                match caller {
                    Ok(caller) if serving.callers.load(Relaxed) < CALLERS => hear(caller, &serving),
                    Ok(unheard) => drop(unheard),
                    Err(_) => thread::sleep(Duration::from_millis(100)),
                }
            }
        };
        thread::Builder::new().name("control".to_owned()).spawn(serve).map_err(|error| shown(&error))?;
        Ok(Self { path, reached })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.reached.ended.store(true, Relaxed);
        // It looks up with the next caller.
        let _ = UnixStream::connect(&self.path);
        let _ = fs::remove_file(&self.path);
    }
}

/// Answers a caller on a thread of its own.
fn hear(caller: UnixStream, reached: &Arc<Reached>) {
    let mine = Arc::clone(reached);
    reached.callers.fetch_add(1, Relaxed);
    let answer = move || {
        // A caller that goes away is nobody's error.
        let _ = converse(caller, &mine);
        mine.callers.fetch_sub(1, Relaxed);
    };
    if thread::Builder::new().name("control-caller".to_owned()).spawn(answer).is_err() {
        reached.callers.fetch_sub(1, Relaxed);
    }
}

fn converse(caller: UnixStream, reached: &Reached) -> io::Result<()> {
    caller.set_read_timeout(Some(PATIENCE))?;
    caller.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new((&caller).take(MOST_BYTES)).read_line(&mut line)?;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => reached.answer(&request),
        Err(error) => Answer::Refused(Refusal {
            code: "control-request".to_owned(),
            message: format!("a request that can't be read: {error}"),
            hint: Some("use the same version of wasmill as the one that runs the job".to_owned()),
        }),
    };
    let stays = answer == Answer::Stopping;
    let mut text = serde_json::to_string(&answer).unwrap_or_default();
    text.push('\n');
    (&caller).write_all(text.as_bytes())?;
    if stays {
        // Closed when the process ends: so the caller knows when the job has.
        reached.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(caller);
    }
    Ok(())
}

/// Whether a path is a socket of a job, and of which.
#[must_use]
pub fn job_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.strip_suffix(".sock")?.to_owned())
}
