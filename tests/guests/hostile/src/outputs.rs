//! Outputs, origins and rejects that there aren't.

use wasmill_sdk::bindings::stream_operator::wasmill::plugin::output;
use wasmill_sdk::bindings::{Array, Origin};

use crate::Call;
use crate::columns::column;
use crate::settings::{Do, Settings};

/// Emits or rejects what can't be, if that is what is asked for.
pub(crate) fn emit(settings: &Settings, call: &Call) -> bool {
    let rows = call.rows.rows;
    let reason = settings.text.clone();
    match settings.what {
        Do::EmitRows => {
            let values = column(Array::Int64(vec![1; settings.count as usize]));
            output::emit(0, &Origin::Rows(vec![0; settings.count as usize]), &[values]);
        }
        Do::EmitEmpty => (0..settings.count).for_each(|_| output::emit(0, &Origin::Rows(Vec::new()), &[])),
        Do::UnknownPort => output::emit(1, &Origin::Batch, &[]),
        Do::RowsPastEnd => output::emit(0, &Origin::Rows(vec![0, rows]), &[]),
        Do::KeysPastEnd => output::emit(0, &Origin::Keys(vec![call.keys()]), &[]),
        Do::FreshWhereKept => output::emit(0, &Origin::Fresh(1), &[]),
        Do::RejectPastEnd => output::reject(&[rows], &[reason]),
        Do::RejectUneven => output::reject(&[0], &[]),
        Do::RejectTwice => output::reject(&[0, 0], &[reason.clone(), reason]),
        Do::RejectAll => output::reject(&(0..rows).collect::<Vec<_>>(), &vec![reason; rows as usize]),
        Do::RejectLong => output::reject(&[0], &["x".repeat(settings.count as usize)]),
        _ => return false,
    }
    true
}
