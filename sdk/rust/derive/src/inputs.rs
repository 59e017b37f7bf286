//! `#[derive(Inputs)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::visit_mut::VisitMut;
use syn::{Data, DeriveInput, Error, Fields, Lifetime, LitStr, Result, Type, Variant};

use crate::field;

/// A variant of the enum.
struct Input<'a> {
    variant: &'a Ident,
    name: String,
    keyed: bool,
    broadcast: bool,
    /// Its record with the enum's lifetime.
    record: &'a Type,
    /// Its record with `'static` for every lifetime.
    owned: Type,
}

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    field::no_type_parameters(input, "inputs")?;
    let mut lifetimes = input.generics.lifetimes();
    let lifetime = lifetimes.next().map(|parameter| parameter.lifetime.clone());
    if let Some(second) = lifetimes.next() {
        return Err(Error::new_spanned(second, "inputs can borrow for one lifetime only"));
    }
    let inputs = inputs(input)?;
    let (visibility, name) = (&input.vis, &input.ident);
    let (_, of_enum, _) = input.generics.split_for_impl();
    let a = lifetime.unwrap_or_else(|| Lifetime::new("'a", Span::call_site()));
    let (columns, gathered) = (format_ident!("{name}Columns"), format_ident!("{name}Builder"));
    let columns_doc = format!("The columns that some rows of one input of [`{name}`] are read from.");
    let gathered_doc = format!("Gathers the rows of each input of [`{name}`].");
    let variants: Vec<_> = inputs.iter().map(|input| input.variant).collect();
    let names: Vec<_> = inputs.iter().map(|input| &input.name).collect();
    let keyed = inputs.iter().map(|input| input.keyed);
    let broadcast = inputs.iter().map(|input| input.broadcast);
    let records: Vec<_> = inputs.iter().map(|input| input.record).collect();
    let owned: Vec<_> = inputs.iter().map(|input| &input.owned).collect();
    let docs: Vec<_> = names.iter().map(|name| format!("Input `{name}`.")).collect();
    let fields: Vec<_> = (0..inputs.len()).map(|place| format_ident!("input_{place}")).collect();
    let places: Vec<_> = (0..inputs.len()).collect();
    Ok(quote! {
        #[doc = #columns_doc]
        #visibility enum #columns<#a> {
            #(#[doc = #docs] #variants(<#records as ::wasmill_sdk::ReadRecord<#a>>::Columns),)*
        }

        #[doc = #gathered_doc]
        #[derive(Default)]
        #visibility struct #gathered {
            #(#[doc = #docs] #fields: <#owned as ::wasmill_sdk::Record>::Builder,)*
        }

        impl<#a> ::wasmill_sdk::Inputs<#a> for #name #of_enum {
            const INPUTS: &'static [::wasmill_sdk::InputSpec] = &[#(::wasmill_sdk::InputSpec {
                name: ::std::option::Option::Some(#names),
                fields: <#owned as ::wasmill_sdk::Record>::FIELDS,
                keyed: #keyed,
                broadcast: #broadcast,
            }),*];
            type Columns = #columns<#a>;
            type Gathered = #gathered;

            #[inline]
            fn bind_input(
                input: usize,
                columns: &#a [::wasmill_sdk::bindings::Column],
                rows: usize,
            ) -> ::wasmill_sdk::Result<Self::Columns> {
                match input {
                    #(#places => <#records as ::wasmill_sdk::ReadRecord<#a>>::bind(columns, rows).map(#columns::#variants),)*
                    other => ::std::unreachable!("the operator has no input {other}"),
                }
            }

            #[inline(always)]
            fn read_row(columns: &Self::Columns, row: usize) -> Self {
                match columns {
                    #(#columns::#variants(columns) => Self::#variants(<#records as ::wasmill_sdk::ReadRecord<#a>>::read(columns, row)),)*
                }
            }

            fn input(&self) -> usize {
                match self {
                    #(Self::#variants(_) => #places,)*
                }
            }

            fn gather(self, to: &mut Self::Gathered) {
                match self {
                    #(Self::#variants(row) => ::wasmill_sdk::Record::append_to(row, &mut to.#fields),)*
                }
            }

            fn take_gathered(input: usize, from: &mut Self::Gathered) -> ::std::vec::Vec<::wasmill_sdk::bindings::Column> {
                match input {
                    #(#places => ::wasmill_sdk::RecordBuilder::take(&mut from.#fields),)*
                    other => ::std::unreachable!("the operator has no input {other}"),
                }
            }
        }
    })
}

fn inputs(input: &DeriveInput) -> Result<Vec<Input<'_>>> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "inputs must be an enum with a record for each: enum Entry { Orders(Order) }",
        ));
    };
    if data.variants.is_empty() {
        return Err(Error::new_spanned(&input.ident, "an operator has at least one input"));
    }
    let mut inputs: Vec<Input<'_>> = Vec::new();
    for variant in &data.variants {
        let input = one(variant)?;
        if inputs.iter().any(|other| other.name == input.name) {
            return Err(Error::new_spanned(&variant.ident, format!("two inputs are named `{}`", input.name)));
        }
        inputs.push(input);
    }
    Ok(inputs)
}

fn one(variant: &Variant) -> Result<Input<'_>> {
    let record = match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => &fields.unnamed[0].ty,
        _ => {
            let name = &variant.ident;
            return Err(Error::new_spanned(variant, format!("input `{name}` must have its record: {name}(Row)")));
        }
    };
    let mut owned = record.clone();
    field::Static.visit_type_mut(&mut owned);
    let mut input = Input { variant: &variant.ident, name: kebab(&variant.ident), keyed: true, broadcast: false, record, owned };
    for attribute in variant.attrs.iter().filter(|attribute| attribute.path().is_ident("input")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                input.name = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("unkeyed") {
                input.keyed = false;
            } else if meta.path.is_ident("broadcast") {
                (input.keyed, input.broadcast) = (false, true);
            } else {
                return Err(meta.error(r#"expected name = "…", unkeyed or broadcast"#));
            }
            Ok(())
        })?;
    }
    field::check_name(&input.name, &variant.ident)?;
    Ok(input)
}

/// The name of a variant in kebab-case: `LatePayments` is `late-payments`.
fn kebab(name: &Ident) -> String {
    let mut kebab = String::new();
    for letter in field::plain(name).chars() {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}
