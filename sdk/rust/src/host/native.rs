//! The host of the harness: what an operator calls natively.

use crate::bindings::stream_operator::wasmill::plugin::log::Level;
use crate::bindings::{BinaryArray, Column, Origin, Values};

pub(crate) fn load(_state: u32) -> Values {
    Values { present: vec![], values: BinaryArray { offsets: vec![], data: vec![] } }
}
pub(crate) fn store(_state: u32, _keys: Option<&[u32]>, _values: &Values) {}
pub(crate) fn emit(_port: u32, _origin: &Origin, _columns: &[Column]) {}
pub(crate) fn reject(_rows: &[u32], _reasons: &[String]) {}
pub(crate) fn log(_level: Level, _message: &str) {}
pub(crate) fn counter(_name: &str, _add: u64) {}
pub(crate) fn gauge(_name: &str, _value: f64) {}
pub(crate) fn now() -> i64 {
    0
}
