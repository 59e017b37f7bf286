//! How many bytes a compressed Arrow IPC file says that it has once it is decompressed: its reader makes room for as much.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use arrow_ipc::{Block, RecordBatch, root_as_message};
use arrow_schema::ArrowError;

/// What stands before a message's length, but in old files.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// So many bytes a batch may have whatever its file's length is,
const MOST: u64 = 1 << 30;
/// and so many times what its file has.
const MOST_TIMES: u64 = 16;

/// Checks the messages that a file's footer names.
///
/// # Errors
/// Where one claims more than is read.
pub(super) fn check_blocks<'a>(file: &File, length: u64, blocks: impl Iterator<Item = &'a Block>) -> Result<(), ArrowError> {
    for block in blocks {
        let parts = (u64::try_from(block.offset()), u64::try_from(block.metaDataLength()));
        let (Ok(start), Ok(metadata)) = parts else { continue };
        if let Some((message, size)) = message(file, start, length)? {
            check(file, length, &message, start + metadata.max(size))?;
        }
    }
    Ok(())
}

/// Checks the messages of a stream, up to where it is no stream any more: its reader says so.
///
/// # Errors
/// As [`check_blocks`].
pub(super) fn check_stream(file: &File, length: u64) -> Result<(), ArrowError> {
    let mut start = 0;
    while let Some((message, size)) = message(file, start, length)? {
        let body = check(file, length, &message, start + size)?;
        let Some(next) = (start + size).checked_add(body) else { break };
        start = next;
    }
    Ok(())
}

/// The metadata of the message that starts here, and how many bytes it has with what stands before it; `None` where there is none.
fn message(file: &File, start: u64, length: u64) -> Result<Option<(Vec<u8>, u64)>, ArrowError> {
    let Some(first) = word(file, start)? else { return Ok(None) };
    let (size, before) = if first == CONTINUATION { (word(file, start + 4)?, 8) } else { (Some(first), 4) };
    let size = size.map_or(0, |size| u64::from(u32::from_le_bytes(size)));
    if size == 0 || start + before + size > length {
        return Ok(None);
    }
    let mut metadata = vec![0; usize::try_from(size).unwrap_or(0)];
    file.read_exact_at(&mut metadata, start + before)?;
    Ok(Some((metadata, before + size)))
}

/// Checks a message whose body starts here; how long that is.
fn check(file: &File, length: u64, metadata: &[u8], body: u64) -> Result<u64, ArrowError> {
    let Ok(message) = root_as_message(metadata) else { return Ok(0) };
    let dictionary = message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    if let Some(batch) = message.header_as_record_batch().or(dictionary) {
        let (claimed, most) = (claimed(file, &batch, body)?, MOST.max(length.saturating_mul(MOST_TIMES)));
        if claimed > most {
            let message = format!(
                "one of its batches says that it has {claimed} bytes once it is decompressed, and at most {most} are read of a file \
                 of {length} bytes; write it in smaller batches"
            );
            return Err(ArrowError::IpcError(message));
        }
    }
    Ok(u64::try_from(message.bodyLength()).unwrap_or(0))
}

/// The sum of what the buffers of a batch say; 0 where it isn't compressed.
fn claimed(file: &File, batch: &RecordBatch<'_>, body: u64) -> Result<u64, ArrowError> {
    let mut sum = 0_u64;
    if batch.compression().is_none() {
        return Ok(sum);
    }
    for buffer in batch.buffers().into_iter().flatten().filter(|buffer| buffer.length() >= 8) {
        let Some(at) = u64::try_from(buffer.offset()).ok().and_then(|offset| body.checked_add(offset)) else { continue };
        let mut says = [0; 8];
        if read(file, &mut says, at)? {
            // A buffer that isn't compressed says -1.
            sum = sum.saturating_add(u64::try_from(i64::from_le_bytes(says)).unwrap_or(0));
        }
    }
    Ok(sum)
}

fn word(file: &File, at: u64) -> Result<Option<[u8; 4]>, ArrowError> {
    let mut word = [0; 4];
    Ok(read(file, &mut word, at)?.then_some(word))
}

/// Reads bytes at a place; false where the file ends before.
fn read(file: &File, bytes: &mut [u8], at: u64) -> Result<bool, ArrowError> {
    match file.read_exact_at(bytes, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.into()),
    }
}
