//! Derive macros of `wasmill-sdk`.

mod field;
mod inputs;
mod keep;
mod operator;
mod record;
mod state_value;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct with named fields a record: its fields are columns, by their names or `#[record(rename = "…")]`.
///
/// The struct may borrow (with one lifetime). Beside the traits, two structs are made: `NAMEColumns<'a>`, a reader for each column,
/// and `NAMEBuilder`, a builder for each; operators over whole batches use them.
#[proc_macro_derive(Record, attributes(record))]
pub fn record(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), record::derive)
}

/// Makes an enum the inputs of an operator that has several: each variant has the record of an input, whose name is the variant's in
/// kebab-case or `#[input(name = "…")]`. `#[input(unkeyed)]` says that no state is used for its rows, so that it needs no key.
///
/// The enum may borrow (with one lifetime). Beside the trait, `NAMEColumns<'a>` is made, an enum of the records' columns for operators
/// over whole batches, and `NAMEBuilder` for the harness.
#[proc_macro_derive(Inputs, attributes(input))]
pub fn inputs(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), inputs::derive)
}

/// Makes a struct an operator: its fields of type `ValueState`, `ExpiringState` and `Port` are its states and outputs, those of type `EventTimers` and
/// `ProcessingTimers` its timers, others are its author's.
///
/// `#[operator(keep = "key")]`, `"input"` or `"nothing"`, or `#[operator(keep("column", …))]` says which columns the rows of the main
/// output keep from where they come from, and `#[port(keep …, name = "…")]` says it of another output; it is `"nothing"` if it isn't
/// said. `#[state(name = "…", version = 2)]` names a state and its encoding's version.
#[proc_macro_derive(Operator, attributes(operator, state, port))]
pub fn operator(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), operator::derive)
}

/// Makes a struct a state's value: its fields' bytes in order, with nothing between.
#[proc_macro_derive(StateValue)]
pub fn state_value(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), state_value::derive)
}

fn expand(input: DeriveInput, derive: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

#[cfg(test)]
mod tests;
