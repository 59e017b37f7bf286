//! What keys' values in a state come to, for who knows only the state's form: read out of a checkpoint, without the job.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryViewArray, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use datafusion_common::ScalarValue;
use wasmill_flow::column_type;
use wasmill_state::{StateNeed, Values};

use super::call::Aggregate;
use super::collected::Collected;
use super::encoding;
use super::form::{ComputationForm, SAID, StateForm};
use super::layout::{Accumulators, Layout, STATE};

/// The most bytes of an accumulator of a plugin.
const MOST_HELD: usize = 1 << 20;

/// Reads values of an operator's states.
#[derive(Debug)]
pub struct StateReader {
    layout: Layout,
    need: StateNeed,
    accumulators: Accumulators,
    /// The aggregates' names and types.
    columns: Vec<Field>,
    collected: Option<Collected>,
    said: Option<usize>,
}

impl StateReader {
    /// Of states of this form.
    ///
    /// # Errors
    /// What of it can't be understood, as a sentence: another version may have written it.
    pub fn new(form: &StateForm) -> Result<Self, String> {
        let field = |(name, written): &(String, String)| column_type::parse_field(name, written);
        let fields = form.input.iter().map(field).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        let input = Schema::new(fields);
        let columns = form.rows.iter().flatten().chain(form.aggregates.iter().flat_map(|(_, computed)| match computed {
            ComputationForm::Plugin { of, .. } => of.as_slice(),
            ComputationForm::Sql(_) => &[],
        }));
        if let Some(column) = columns.copied().find(|&column| column >= input.fields().len()) {
            return Err(format!("it names column {column} of {}", input.fields().len()));
        }
        let aggregate = |(name, computed): &(String, ComputationForm)| {
            if let ComputationForm::Plugin { width: Some(width), .. } = computed
                && !(1..=MOST_HELD).contains(width)
            {
                return Err(format!("aggregate `{name}`: accumulators of {width} bytes, expected 1 to {MOST_HELD}"));
            }
            let parsed = match computed {
                ComputationForm::Sql(text) => Aggregate::parse(text, &input),
                ComputationForm::Plugin { format, of, width } => {
                    let held = Field::new(name, DataType::BinaryView, true);
                    Aggregate::foreign(format.clone(), width.map(|width| vec![0; width]), &held, of, &input)
                }
            };
            parsed.map_err(|problem| format!("aggregate `{name}`: {problem}"))
        };
        let aggregates = form.aggregates.iter().map(aggregate).collect::<Result<Vec<_>, _>>()?;
        let layout = Layout::new(&aggregates, form.retracts);
        Ok(Self {
            need: layout.need(),
            layout,
            accumulators: Accumulators::default(),
            columns: form.aggregates.iter().zip(&aggregates).map(|((name, _), aggregate)| aggregate.field(name)).collect(),
            collected: form.rows.as_ref().map(|rows| Collected::new(rows.clone(), &input)),
            said: form.said,
        })
    }

    /// What values of a state come to, one for each of so many keys, all of which have one: of aggregates an object of their values, accumulators
    /// of plugins as they are; of rows a list of them. Nothing where the state isn't one that is known here, or the bytes aren't such values.
    pub fn read(&mut self, state: &StateNeed, values: &mut Values, keys: u32) -> Option<ArrayRef> {
        let is = |need: &StateNeed| (&state.name, state.version, state.width) == (&need.name, need.version, need.width);
        if state.name == STATE && is(&self.need) {
            self.accumulated(values, keys)
        } else if state.name == SAID && state.version == self.need.version {
            self.said(values, keys)
        } else {
            let collected = self.collected.as_ref().filter(|collected| is(&collected.need()))?;
            collected.lists_of(values, keys as usize)?.into_lists()
        }
    }

    fn accumulated(&mut self, values: &mut Values, keys: u32) -> Option<ArrayRef> {
        self.layout.decode(values, keys as usize, &mut self.accumulators)?;
        let Accumulators { foreign, given, .. } = &mut self.accumulators;
        given.clear();
        for held in foreign {
            given.push(Arc::new(BinaryViewArray::from_iter_values((0..held.len()).map(|key| held.get(key)))));
        }
        object(&self.columns, self.layout.values(&mut self.accumulators, keys).ok()?)
    }

    fn said(&self, values: &Values, keys: u32) -> Option<ArrayRef> {
        let columns = self.columns.get(self.said?..)?;
        let mut said: Vec<Vec<ScalarValue>> = vec![Vec::with_capacity(keys as usize); columns.len()];
        for key in 0..keys as usize {
            let mut rest = values.get(key, None)?;
            for (said, column) in said.iter_mut().zip(columns) {
                said.push(encoding::decode(column.data_type(), &mut rest)?);
            }
            if !rest.is_empty() {
                return None;
            }
        }
        object(columns, said.into_iter().map(|said| ScalarValue::iter_to_array(said).ok()).collect::<Option<_>>()?)
    }
}

/// Columns as one of objects.
fn object(names: &[Field], columns: Vec<ArrayRef>) -> Option<ArrayRef> {
    let field = |(name, column): (&Field, &ArrayRef)| Field::new(name.name(), column.data_type().clone(), true);
    let fields: Fields = names.iter().zip(&columns).map(field).collect();
    Some(Arc::new(StructArray::try_new(fields, columns, None).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> StateForm {
        StateForm {
            input: vec![("id".to_owned(), "int64 not null".to_owned())],
            aggregates: vec![("n".to_owned(), ComputationForm::Sql("max(id)".to_owned()))],
            ..StateForm::default()
        }
    }

    #[test]
    fn a_form_that_is_not_understood_is_said() {
        let refused = |change: fn(&mut StateForm)| {
            let mut form = form();
            change(&mut form);
            StateReader::new(&form).expect_err("it isn't understood")
        };
        assert_eq!(refused(|form| form.input[0].1 = "int".to_owned()), "unknown type `int`");
        assert_eq!(refused(|form| form.rows = Some(vec![0, 1])), "it names column 1 of 1");
        let plugin =
            |width| ("p".to_owned(), ComputationForm::Plugin { format: "p".to_owned(), of: vec![0], width: Some(width) });
        let mut wide = form();
        for width in [0, MOST_HELD + 1] {
            wide.aggregates[0] = plugin(width);
            let said = StateReader::new(&wide).expect_err("no width");
            assert_eq!(said, format!("aggregate `p`: accumulators of {width} bytes, expected 1 to {MOST_HELD}"));
        }
        let said = refused(|form| form.aggregates[0].1 = ComputationForm::Sql("max(of)".to_owned()));
        assert!(said.starts_with("aggregate `n`: "), "{said}");
    }

    #[test]
    fn bytes_that_are_no_values_of_the_form_are_nothing() {
        let mut reader = StateReader::new(&form()).expect("understood");
        let need = reader.need.clone();
        let mut read = |need: &StateNeed, data: &[u8]| {
            let mut values = Values { present: vec![1], offsets: Vec::new(), data: data.to_vec() };
            reader.read(need, &mut values, 1).is_some()
        };
        assert!(read(&need, &[1, 7, 0, 0, 0, 0, 0, 0, 0]));
        assert!(!read(&need, &[1, 7, 0]), "too short");
        assert!(!read(&StateNeed { version: need.version + 1, ..need.clone() }, &[1, 7, 0, 0, 0, 0, 0, 0, 0]), "another version");
        assert!(!read(&StateNeed { name: "rows".to_owned(), ..need.clone() }, &[]), "no rows are kept");
        assert!(!read(&StateNeed { name: SAID.to_owned(), ..need }, &[]), "nothing was said");
    }
}
