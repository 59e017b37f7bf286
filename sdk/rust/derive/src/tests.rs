//! What is said about structs that can't be derived for.

use syn::{DeriveInput, parse_quote};

use crate::{inputs, operator, record, state_value};

fn refused(derive: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>, input: DeriveInput) -> String {
    derive(&input).expect_err("a struct that must be refused").to_string()
}

#[test]
fn a_record_is_a_struct_with_named_fields_and_one_lifetime() {
    assert_eq!(
        refused(
            record::derive,
            parse_quote!(
                enum E {
                    A,
                }
            )
        ),
        "a record must be a struct"
    );
    assert_eq!(
        refused(
            record::derive,
            parse_quote!(
                struct R(u64);
            )
        ),
        "a record must have named fields"
    );
    assert_eq!(
        refused(
            record::derive,
            parse_quote!(
                struct R<'a, 'b> {
                    a: &'a str,
                    b: &'b str,
                }
            )
        ),
        "a record can borrow for one lifetime only"
    );
    assert_eq!(
        refused(
            record::derive,
            parse_quote!(
                struct R<T> {
                    a: T,
                }
            )
        ),
        "a record can't have type or constant parameters"
    );
}

#[test]
fn two_fields_can_t_be_one_column() {
    let input = parse_quote!(
        struct R {
            a: u64,
            #[record(rename = "a")]
            b: u64,
        }
    );
    assert_eq!(refused(record::derive, input), "two fields are column `a`");
    let input = parse_quote!(
        struct R {
            #[record(name = "a")]
            b: u64,
        }
    );
    assert_eq!(refused(record::derive, input), "expected rename = \"column\"");
}

#[test]
fn an_operator_has_no_parameters() {
    let text = "an operator can't have parameters: its struct is what the component exports";
    assert_eq!(
        refused(
            operator::derive,
            parse_quote!(
                struct O<T> {
                    a: T,
                }
            )
        ),
        text
    );
}

#[test]
fn what_is_kept_is_one_of_a_few() {
    let text = "expected \"nothing\", \"key\" or \"input\", or columns: keep(\"column\", …)";
    assert_eq!(
        refused(
            operator::derive,
            parse_quote!(
                #[operator(keep = "all")]
                struct O {}
            )
        ),
        text
    );
    let text = "expected keep = \"nothing\", \"key\" or \"input\", or keep(\"column\", …)";
    assert_eq!(
        refused(
            operator::derive,
            parse_quote!(
                #[operator(kept)]
                struct O {}
            )
        ),
        text
    );
    let text = "expected name = \"…\" or keep = \"…\"";
    assert_eq!(
        refused(
            operator::derive,
            parse_quote!(
                struct O {
                    #[port(version = 2)]
                    p: Port<R>,
                }
            )
        ),
        text
    );
}

#[test]
fn states_and_outputs_have_names_of_their_own() {
    let input = parse_quote!(
        struct O {
            a: ValueState<u64>,
            #[state(name = "a")]
            b: ValueState<u64>,
        }
    );
    assert_eq!(refused(operator::derive, input), "two states are named `a`");
    let input = parse_quote!(
        struct O {
            a: EventTimers,
            b: wasmill_sdk::EventTimers,
            c: ProcessingTimers,
        }
    );
    assert_eq!(refused(operator::derive, input), "an operator has one field of type `EventTimers` at most");
    let input = parse_quote!(
        struct O {
            out: Port<R>,
        }
    );
    assert_eq!(refused(operator::derive, input), "two outputs are named `out` (the main one is `out`)");
    let input = parse_quote!(
        struct O {
            #[state(name = "Count")]
            a: wasmill_sdk::ValueState<u64>,
        }
    );
    let text = "`Count` can't be a name: it must be a small letter, then at most 62 small letters, digits, `-` and `_`";
    assert_eq!(refused(operator::derive, input), text);
    let input = parse_quote!(
        struct O {
            #[state(width = 8)]
            a: ValueState<u64>,
        }
    );
    assert_eq!(refused(operator::derive, input), "expected name = \"…\", version = 2 or migrates(1 = \"Type\")");
    assert_eq!(
        refused(
            operator::derive,
            parse_quote!(
                struct O {
                    p: Port,
                }
            )
        ),
        "expected the record that is emitted: Port<Row>"
    );
}

#[test]
fn a_state_s_value_has_fields_and_no_parameters() {
    assert_eq!(
        refused(
            state_value::derive,
            parse_quote!(
                struct V;
            )
        ),
        "a state's value must have a field"
    );
    assert_eq!(
        refused(
            state_value::derive,
            parse_quote!(
                struct V<'a> {
                    a: &'a str,
                }
            )
        ),
        "a state's value can't have parameters"
    );
}

#[test]
fn inputs_are_an_enum_with_a_record_for_each_and_names_of_their_own() {
    let of = |input| refused(inputs::derive, input);
    assert_eq!(
        of(parse_quote!(
            struct S {
                a: Order,
            }
        )),
        "inputs must be an enum with a record for each: enum Entry { Orders(Order) }"
    );
    assert_eq!(
        of(parse_quote!(
            enum E {}
        )),
        "an operator has at least one input"
    );
    assert_eq!(
        of(parse_quote!(
            enum E {
                Orders,
            }
        )),
        "input `Orders` must have its record: Orders(Row)"
    );
    assert_eq!(
        of(parse_quote!(
            enum E {
                LateOrders(A),
                #[input(name = "late-orders")]
                Other(B),
            }
        )),
        "two inputs are named `late-orders`"
    );
    assert_eq!(
        of(parse_quote!(
            enum E {
                #[input(keyed)]
                Orders(A),
            }
        )),
        r#"expected name = "…", unkeyed or broadcast"#
    );
}
