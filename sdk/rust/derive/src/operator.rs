//! `#[derive(Operator)]`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::parse::ParseStream;
use syn::{DeriveInput, Error, Field, GenericArgument, LitInt, LitStr, PathArguments, Result, Token, Type, parenthesized};

use crate::field;
use crate::keep::Keep;

/// The types of fields that are states.
const STATES: [&str; 10] = [
    "ValueState",
    "ListState",
    "MapState",
    "ReducingState",
    "AggregatingState",
    "ExpiringState",
    "ExpiringList",
    "ExpiringMap",
    "BroadcastState",
    "TaskState",
];

/// A field of such a type.
struct State<'a> {
    field: &'a Ident,
    ty: &'a Type,
    name: String,
    version: u32,
    /// Earlier versions, and the types that their values were written as.
    earlier: Vec<(u32, Type)>,
}

/// The fields of an operator that are not its author's own.
#[derive(Default)]
struct Parts<'a> {
    states: Vec<State<'a>>,
    ports: Vec<Port<'a>>,
    /// Fields of type `EventTimers` and `ProcessingTimers`, with their types.
    timers: Vec<(&'a Ident, &'a Type)>,
}

/// A field of type `Port`.
struct Port<'a> {
    field: &'a Ident,
    row: &'a Type,
    name: String,
    keep: Keep,
}

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "an operator can't have parameters: its struct is what the component exports",
        ));
    }
    let keep = main_keep(input)?;
    let Parts { states, ports, timers } = parts(input)?;
    let name = &input.ident;
    let keep = keep.tokens();
    let (state_fields, state_types): (Vec<_>, Vec<_>) = states.iter().map(|state| (state.field, state.ty)).unzip();
    let state_names: Vec<_> = states.iter().map(|state| &state.name).collect();
    let versions = states.iter().map(|state| state.version);
    let state_numbers = 0..states.len() as u32;
    let migrations = migrations(&states);
    let (port_fields, rows): (Vec<_>, Vec<_>) = ports.iter().map(|port| (port.field, port.row)).unzip();
    let (timer_fields, timer_types): (Vec<_>, Vec<_>) = timers.into_iter().unzip();
    let port_names = ports.iter().map(|port| &port.name);
    let keeps = ports.iter().map(|port| port.keep.tokens());
    let port_numbers = 1..=ports.len() as u32;
    Ok(quote! {
        impl ::wasmill_sdk::Operator for #name {
            const KEEP: ::wasmill_sdk::Keep = #keep;
            const STATES: &'static [::wasmill_sdk::StateSpec] = &[#(::wasmill_sdk::StateSpec {
                name: #state_names,
                kind: <#state_types>::KIND,
                version: #versions,
                width: <#state_types>::WIDTH,
                expires: <#state_types>::EXPIRES,
            }),*];
            const PORTS: &'static [::wasmill_sdk::PortSpec] = &[#(::wasmill_sdk::PortSpec {
                name: #port_names,
                keep: #keeps,
                fields: <#rows as ::wasmill_sdk::Record>::FIELDS,
            }),*];

            const TIMERS: &'static [::wasmill_sdk::TimeDomain] = &[#(<#timer_types>::DOMAIN),*];

            fn number(&mut self) {
                #(self.#state_fields.number(#state_names, #state_numbers);)*
                #(self.#port_fields.number(#port_numbers);)*
            }

            #[inline]
            fn begin(&mut self, keys: u32, of: ::wasmill_sdk::CallOf) {
                let _ = (keys, of);
                #(self.#state_fields.begin(keys);)*
                #(self.#timer_fields.begin(keys);)*
                #(self.#port_fields.begin(of);)*
            }

            #[inline(always)]
            fn at_key(&mut self, key: u32) {
                let _ = key;
                #(self.#state_fields.at(key);)*
                #(self.#timer_fields.at(key);)*
            }

            #[inline]
            fn fetch(&mut self) {
                #(self.#state_fields.fetch();)*
            }

            fn migrate(state: u32, from: u32, value: &[u8]) -> ::wasmill_sdk::Result<::std::vec::Vec<u8>> {
                let _ = value;
                match (state, from) {
                    #migrations
                    _ => ::std::result::Result::Err(::wasmill_sdk::Error::fail(::std::format!(
                        "state `{}` has values of version {from}, which this operator can't migrate: `#[state(version = …, migrates({from} = \"Type\"))]` says \
                         what they were",
                        <Self as ::wasmill_sdk::Operator>::STATES.get(state as usize).map_or("?", |state| state.name)
                    ))),
                }
            }

            #[inline]
            fn finish(&mut self) -> ::wasmill_sdk::Result<()> {
                #(self.#state_fields.finish()?;)*
                #(self.#timer_fields.finish();)*
                #(self.#port_fields.finish();)*
                ::std::result::Result::Ok(())
            }
        }
    })
}

/// A case for each earlier version of each state.
fn migrations(states: &[State<'_>]) -> TokenStream {
    let cases = (0..).zip(states).flat_map(|(number, state): (u32, _)| {
        let ty = state.ty;
        state.earlier.iter().map(move |(version, old)| quote!((#number, #version) => <#ty>::migrate::<#old>(value),))
    });
    cases.collect()
}

fn main_keep(input: &DeriveInput) -> Result<Keep> {
    let mut keep = Keep::default();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("operator")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("keep") {
                return Err(meta.error(r#"expected keep = "nothing", "key" or "input", or keep("column", …)"#));
            }
            keep = Keep::parse(&meta)?;
            Ok(())
        })?;
    }
    Ok(keep)
}

fn parts(input: &DeriveInput) -> Result<Parts<'_>> {
    let Parts { mut states, mut ports, mut timers } = Parts::default();
    for (name, field) in field::named(input, "an operator")? {
        let segment = field::last_segment(&field.ty);
        if segment.is_some_and(|segment| STATES.iter().any(|state| segment.ident == state)) {
            let state = state(name, field)?;
            if states.iter().any(|other| other.name == state.name) {
                return Err(Error::new_spanned(name, format!("two states are named `{}`", state.name)));
            }
            states.push(state);
        } else if let Some(segment) = segment.filter(|segment| segment.ident == "Port") {
            let port = port(name, field, &segment.arguments)?;
            if port.name == "out" || ports.iter().any(|other| other.name == port.name) {
                return Err(Error::new_spanned(name, format!("two outputs are named `{}` (the main one is `out`)", port.name)));
            }
            ports.push(port);
        } else if let Some(segment) =
            segment.filter(|segment| segment.ident == "EventTimers" || segment.ident == "ProcessingTimers")
        {
            let is_of_this_time =
                |(_, ty): &(&Ident, &Type)| field::last_segment(ty).is_some_and(|other| other.ident == segment.ident);
            if timers.iter().any(is_of_this_time) {
                return Err(Error::new_spanned(name, format!("an operator has one field of type `{}` at most", segment.ident)));
            }
            timers.push((name, &field.ty));
        }
    }
    Ok(Parts { states, ports, timers })
}

fn state<'a>(name: &'a Ident, field: &'a Field) -> Result<State<'a>> {
    let mut state = State { field: name, ty: &field.ty, name: field::kebab(name), version: 1, earlier: Vec::new() };
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("state")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                state.name = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("version") {
                state.version = meta.value()?.parse::<LitInt>()?.base10_parse()?;
            } else if meta.path.is_ident("migrates") {
                let content;
                parenthesized!(content in meta.input);
                let earlier = content.parse_terminated(earlier_version, Token![,])?;
                state.earlier.extend(earlier);
            } else {
                return Err(meta.error(r#"expected name = "…", version = 2 or migrates(1 = "Type")"#));
            }
            Ok(())
        })?;
    }
    if let Some((version, ty)) = state.earlier.iter().find(|(version, _)| *version >= state.version) {
        return Err(Error::new_spanned(ty, format!("version {version} is not earlier than the state's own, {}", state.version)));
    }
    field::check_name(&state.name, name)?;
    Ok(state)
}

/// `1 = "Type"`.
fn earlier_version(input: ParseStream<'_>) -> Result<(u32, Type)> {
    let version = input.parse::<LitInt>()?.base10_parse()?;
    input.parse::<Token![=]>()?;
    Ok((version, input.parse::<LitStr>()?.parse()?))
}

fn port<'a>(name: &'a Ident, field: &'a Field, arguments: &'a PathArguments) -> Result<Port<'a>> {
    let row = match arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::Type(row) => Some(row),
            _ => None,
        }),
        _ => None,
    };
    let row = row.ok_or_else(|| Error::new_spanned(&field.ty, "expected the record that is emitted: Port<Row>"))?;
    let mut port = Port { field: name, row, name: field::kebab(name), keep: Keep::default() };
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("port")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                port.name = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("keep") {
                port.keep = Keep::parse(&meta)?;
            } else {
                return Err(meta.error(r#"expected name = "…" or keep = "…""#));
            }
            Ok(())
        })?;
    }
    field::check_name(&port.name, name)?;
    Ok(port)
}
