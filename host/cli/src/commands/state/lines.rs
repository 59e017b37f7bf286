//! A line for a key: its columns, the state's name where there are several, and the value, as rows have them in JSON.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryViewArray, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use wasmill_connector::json::{JsonIn, JsonOut, RowDecoder, RowEncoder};
use wasmill_flow::column_type;
use wasmill_flow::key::EncodedKeys;
use wasmill_operator::Space;
use wasmill_runtime::JobError;

use crate::arguments::Format;

/// Writes lines.
#[derive(Debug)]
pub(super) struct Lines {
    /// The columns of keys; none where they aren't known.
    key: Option<SchemaRef>,
    space: Option<Space>,
    format: Format,
    names_states: bool,
}

impl Lines {
    /// Of keys with these columns, in these spaces; with `names_states` each line names its state.
    ///
    /// # Errors
    /// Where the checkpoint says a type that this version doesn't know.
    pub(super) fn new(
        key: Option<&[(String, String)]>,
        space: Option<Space>,
        format: Format,
        names_states: bool,
    ) -> Result<Self, JobError> {
        let column = |(name, written): &(String, String)| column_type::parse_field(name, written);
        let schema = |key: &[(String, String)]| key.iter().map(column).collect::<Result<Vec<_>, _>>();
        let key = key.map(schema).transpose().map_err(|error| {
            JobError::new(
                "checkpoint-newer-format",
                format!("the checkpoint has a key's column of a type that isn't known: {error}"),
            )
        })?;
        Ok(Self { key: key.map(|key| Arc::new(Schema::new(key))), space, format, names_states })
    }

    /// The key that a JSON object says, encoded.
    ///
    /// # Errors
    /// `invalid-key`, where it isn't one.
    pub(super) fn encode(&self, written: &str) -> Result<Vec<u8>, JobError> {
        let refused = |what: String| JobError::new("invalid-key", format!("--key: {what}"));
        let Some(key) = self.key.as_ref().filter(|key| !key.fields().is_empty()) else {
            return Err(refused("the checkpoint doesn't say what columns its keys have".to_owned()));
        };
        let options = JsonIn { reject_unknown_fields: true, ..JsonIn::default() };
        let mut decoder = RowDecoder::new(Arc::clone(key), options).map_err(|error| refused(error.to_string()))?;
        let hint = || {
            let columns = key.fields().iter().map(|field| format!("{}: {}", field.name(), column_type::name(field.data_type())));
            format!("the key's columns are {}", columns.collect::<Vec<_>>().join(", "))
        };
        decoder.decode(written.as_bytes()).map_err(|fault| refused(fault.reason).with_hint(hint()))?;
        let mut keys = EncodedKeys::default();
        keys.encode(decoder.take_rows().columns());
        Ok(keys.get(0).to_vec())
    }

    /// Writes lines behind what is in `out`: of these keys, with a value for each.
    ///
    /// # Errors
    /// Where a value can't be written: a bug.
    pub(super) fn put(
        &self,
        keys: &EncodedKeys,
        space: i64,
        state: &str,
        values: ArrayRef,
        out: &mut Vec<u8>,
    ) -> Result<(), JobError> {
        // A key is empty where the state is the task's own: all that are here are, or none is.
        let of_task = !keys.is_empty() && keys.get(0).is_empty();
        let keys = if of_task { vec![b"{}".to_vec(); keys.len()] } else { objects(&self.columns(keys, space)?)? };
        let value = Field::new("value", values.data_type().clone(), true);
        let values = objects(&rows(vec![value], vec![values])?)?;
        for (key, value) in keys.iter().zip(&values) {
            // `{"value":` … `}`
            let value = &value[1..value.len() - 1];
            match self.format {
                Format::Json => {
                    out.extend_from_slice(&key[..key.len() - 1]);
                    let comma = if key.len() > 2 { "," } else { "" };
                    out.extend_from_slice(comma.as_bytes());
                    if self.names_states {
                        out.extend_from_slice(format!("\"state\":\"{state}\",").as_bytes());
                    }
                    out.extend_from_slice(value);
                    out.extend_from_slice(b"}\n");
                }
                Format::Text => {
                    out.extend_from_slice(key);
                    out.push(b' ');
                    if self.names_states {
                        out.extend_from_slice(format!("{state} ").as_bytes());
                    }
                    out.extend_from_slice(&value["\"value\":".len()..]);
                    out.push(b'\n');
                }
            }
        }
        Ok(())
    }

    /// Keys as rows: their columns, and what says which space they are in; where that isn't known, their bytes.
    fn columns(&self, keys: &EncodedKeys, space: i64) -> Result<RecordBatch, JobError> {
        let known = self.key.as_ref().and_then(|key| {
            let types: Vec<DataType> = key.fields().iter().map(|field| field.data_type().clone()).collect();
            Some((key.fields().iter().map(|field| field.as_ref().clone()).collect::<Vec<_>>(), keys.decode(&types)?))
        });
        let (mut fields, mut columns) = known.unwrap_or_else(|| {
            let bytes = BinaryViewArray::from_iter_values((0..keys.len()).map(|key| keys.get(key)));
            (vec![Field::new("key", DataType::BinaryView, true)], vec![Arc::new(bytes) as ArrayRef])
        });
        if let Some(kind) = self.space {
            let times = || Arc::new(TimestampMillisecondArray::from_value(space, keys.len())) as ArrayRef;
            let (name, column) = match kind {
                Space::Window => ("window_start", times()),
                Space::Slice => ("slice_start", times()),
                Space::Session => ("session", Arc::new(Int64Array::from_value(space, keys.len())) as ArrayRef),
            };
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        }
        rows(fields, columns)
    }
}

fn rows(fields: Vec<Field>, columns: Vec<ArrayRef>) -> Result<RecordBatch, JobError> {
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| bug(&error.to_string()))
}

/// Rows as JSON objects.
fn objects(rows: &RecordBatch) -> Result<Vec<Vec<u8>>, JobError> {
    let encoder = RowEncoder::new(rows.schema_ref(), JsonOut::default()).map_err(|error| bug(&error.to_string()))?;
    let mut lines = Vec::new();
    encoder.encode(rows, &mut lines);
    Ok(lines.split(|byte| *byte == b'\n').take(rows.num_rows()).map(<[u8]>::to_vec).collect())
}

fn bug(what: &str) -> JobError {
    JobError::new("internal", what)
}
