//! Standard output, as memory that the tests look at, and closed and full ones.

use std::slice::from_ref;

use super::*;
use crate::conformance::{Promise, SinkUnderTest, check_sink, schema};
use crate::json::JsonOut;
use arrow_array::Int64Array;

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn sink(output: impl Write + Send + 'static, visibility: Visibility) -> StdoutSink {
    StdoutSink::of(Box::new(output), &schema(), JsonOut::default().into(), visibility).expect("a sink")
}

fn rows() -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(vec![1, 2]))]).expect("columns of the schema")
}

#[tokio::test]
async fn standard_output_keeps_the_contract_at_once_and_by_epoch() {
    for (visibility, promise) in [(Visibility::AtOnce, Promise::ExactlyOnce), (Visibility::ByEpoch, Promise::AtLeastOnce)] {
        let memory = Memory::default();
        let under_test = SinkUnderTest {
            open: &|| Box::new(sink(memory.clone(), visibility)),
            visible: &|| {
                String::from_utf8(memory.0.lock().expect("no panic").clone()).expect("UTF-8").lines().map(str::to_owned).collect()
            },
            reset: &|| memory.0.lock().expect("no panic").clear(),
            visibility,
            promise,
        };
        check_sink(&under_test).await;
    }
}

#[tokio::test]
async fn an_output_that_was_closed_is_told_with_what_to_do() {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let mut sink = sink(writer, Visibility::AtOnce);
    sink.write(&rows()).await.expect("it is buffered");
    let error = sink.flush().await.expect_err("nobody reads");
    assert_eq!(
        (error.code, error.message.as_str()),
        ("stdout-closed", "standard output was closed by the program that reads it")
    );
    assert_eq!(error.hint.as_deref(), Some("let that program read to the end, or write to a file"));
}

#[tokio::test]
async fn an_output_to_a_full_disk_is_told() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let mut sink = sink(full, Visibility::ByEpoch);
    sink.recover(None).await.expect("a fresh start");
    sink.write(&rows()).await.expect("it is buffered");
    let prepared = sink.prepare(Epoch(1)).await.expect("a preparation");
    let error = sink.commit(&prepared).await.expect_err("a full disk");
    assert_eq!(error.code, "disk-full");
    assert!(error.message.starts_with("standard output can't be written: No space left on device"), "{}", error.message);
}

#[tokio::test]
async fn a_checkpoint_holds_the_rows_that_may_not_have_been_written() {
    let memory = Memory::default();
    let mut first = sink(memory.clone(), Visibility::ByEpoch);
    first.recover(None).await.expect("a fresh start");
    first.write(&rows()).await.expect("a write");
    let prepared = first.prepare(Epoch(1)).await.expect("a preparation");
    drop(first);
    sink(memory.clone(), Visibility::ByEpoch).recover(Some(from_ref(&prepared))).await.expect("a recovery");
    assert_eq!(memory.0.lock().expect("no panic").as_slice(), b"{\"n\":1}\n{\"n\":2}\n");
}
