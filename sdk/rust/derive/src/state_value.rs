//! `#[derive(StateValue)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, Result};

use crate::field;

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(&input.generics, "a state's value can't have parameters"));
    }
    let (fields, types): (Vec<_>, Vec<_>) =
        field::named(input, "a state's value")?.into_iter().map(|(name, field)| (name, &field.ty)).unzip();
    if fields.is_empty() {
        return Err(Error::new_spanned(&input.ident, "a state's value must have a field"));
    }
    let name = &input.ident;
    Ok(quote! {
        impl ::wasmill_sdk::StateValue for #name {
            const WIDTH: ::std::option::Option<u32> =
                ::wasmill_sdk::sum_of_widths(&[#(<#types as ::wasmill_sdk::StateValue>::WIDTH),*]);

            #[inline(always)]
            fn write<S: ::wasmill_sdk::Sink>(&self, to: &mut S) {
                #(::wasmill_sdk::StateValue::write(&self.#fields, to);)*
            }

            #[inline(always)]
            fn read(from: &mut &[u8]) -> ::std::option::Option<Self> {
                ::std::option::Option::Some(Self { #(#fields: ::wasmill_sdk::StateValue::read(from)?),* })
            }
        }
    })
}
