//! Calls with pointers, lengths and numbers of cases that the binary interface doesn't allow.
#![expect(unsafe_code, reason = "what it does can't be said in safe Rust")]

use std::ptr::{null, without_provenance};

use crate::settings::Do;

/// Beyond any memory that a guest is given.
const FAR: usize = 0xffff_0000;

#[link(wasm_import_module = "wasmill:plugin/output@0.1.0")]
unsafe extern "C" {
    fn emit(port: u32, origin: u32, rows: *const u32, count: usize, columns: *const u32, columns_count: usize);
}

#[link(wasm_import_module = "wasmill:plugin/log@0.1.0")]
unsafe extern "C" {
    fn log(level: u32, text: *const u8, len: usize);
}

/// Makes a call that can't be, if that is what is asked for.
pub(crate) fn call(what: Do) -> bool {
    // SAFETY: nothing that these calls are given is written to, and what can't be read is the host's to refuse.
    unsafe {
        match what {
            Do::ListPastMemory => emit(0, 1, without_provenance(FAR), 4, null(), 0),
            Do::ListOfAllMemory => emit(0, 1, without_provenance(4), 0x3fff_ffff, null(), 0),
            Do::ListSkewed => emit(0, 1, without_provenance(1_000_001), 1, null(), 0),
            // A column is its values (the number of the case, then two lists), then perhaps a validity.
            Do::BadCase => emit(0, 0, null(), 0, [77, 4, 0, 4, 0, 0, 4, 0].as_ptr(), 1),
            Do::BadFlag => emit(0, 0, null(), 0, [2, 8, 0, 4, 0, 9, 4, 0].as_ptr(), 1),
            Do::LogPastMemory => log(1, without_provenance(FAR), 100),
            Do::LogInvalidText => log(1, b"\xff\xfe".as_ptr(), 2),
            Do::LogBadLevel => log(99, b"hello".as_ptr(), 5),
            _ => return false,
        }
    }
    true
}
