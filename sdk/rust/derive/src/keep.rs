//! `keep = "…"` and `keep("column", …)`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{Error, LitStr, Result, Token};

/// What output rows keep.
#[derive(Default)]
pub(crate) enum Keep {
    #[default]
    Nothing,
    Key,
    Input,
    Columns(Vec<LitStr>),
}

impl Keep {
    /// Reads what follows the word `keep`.
    pub(crate) fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        if meta.input.peek(syn::token::Paren) {
            let columns;
            syn::parenthesized!(columns in meta.input);
            let columns = Punctuated::<LitStr, Token![,]>::parse_terminated(&columns)?;
            return Ok(Self::Columns(columns.into_iter().collect()));
        }
        let what: LitStr = meta.value()?.parse()?;
        match what.value().as_str() {
            "nothing" => Ok(Self::Nothing),
            "key" => Ok(Self::Key),
            "input" => Ok(Self::Input),
            _ => Err(Error::new_spanned(what, r#"expected "nothing", "key" or "input", or columns: keep("column", …)"#)),
        }
    }

    /// The value in the SDK's terms.
    pub(crate) fn tokens(&self) -> TokenStream {
        match self {
            Self::Nothing => quote!(::wasmill_sdk::Keep::Nothing),
            Self::Key => quote!(::wasmill_sdk::Keep::Key),
            Self::Input => quote!(::wasmill_sdk::Keep::Input),
            Self::Columns(columns) => quote!(::wasmill_sdk::Keep::Columns(&[#(#columns),*])),
        }
    }
}
