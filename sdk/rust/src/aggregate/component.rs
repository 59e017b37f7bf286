//! What makes a component of an aggregate function.

use std::cell::RefCell;

use crate::aggregate::{Aggregate, Instance};
use crate::bindings::aggregate_function::exports::wasmill::plugin::aggregate::{AggregatePlan, Guest};
use crate::bindings::stream_operator::wasmill::plugin::errors;
use crate::bindings::{BinaryArray, Column, Field, data};
use crate::component::send_panics;
use crate::error::{Error, Result};

/// Makes a component of an aggregate function: `wasmill_sdk::export_aggregate!(Energy);`, once in a crate of type `cdylib`. Natively it
/// only checks that the type is one. [`Aggregate`](crate::Aggregate) has an example.
#[macro_export]
macro_rules! export_aggregate {
    ($aggregate:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::aggregate_component::Exports for Component {
                type Aggregate = $aggregate;

                fn open() -> &'static ::std::thread::LocalKey<$crate::aggregate_component::Slot<$aggregate>> {
                    ::std::thread_local! {
                        static OPEN: $crate::aggregate_component::Slot<$aggregate> = const { ::std::cell::RefCell::new(::std::option::Option::None) };
                    }
                    &OPEN
                }
            }

            $crate::bindings::aggregate_function::export!(Component with_types_in $crate::bindings::aggregate_function);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is_an_aggregate<A: $crate::Aggregate>() {}
            is_an_aggregate::<$aggregate>();
        };
    };
}

/// Where a component keeps its open function.
pub type Slot<A> = RefCell<Option<Instance<A>>>;

/// A component's function and where it is kept.
pub trait Exports {
    /// The function.
    type Aggregate: Aggregate;

    /// The place for it.
    fn open() -> &'static std::thread::LocalKey<Slot<Self::Aggregate>>;
}

impl<E: Exports> Guest for E {
    fn describe(settings: String, arguments: Vec<Field>) -> Result<AggregatePlan, errors::Error> {
        send_panics();
        Instance::<E::Aggregate>::describe(&settings, &arguments).map_err(Error::into_contract)
    }

    fn open(settings: String, arguments: Vec<Field>) -> Result<(), errors::Error> {
        send_panics();
        E::open().set(Some(Instance::open(&settings, &arguments).map_err(Error::into_contract)?));
        Ok(())
    }

    fn accumulate(accumulators: BinaryArray, group: Vec<u32>, rows: data::Batch) -> Result<BinaryArray, errors::Error> {
        with_open::<E, _>(|instance| instance.accumulate(accumulators, &group, &rows, |_| ()))
    }

    fn running(accumulators: BinaryArray, group: Vec<u32>, rows: data::Batch) -> Result<(BinaryArray, Column), errors::Error> {
        with_open::<E, _>(|instance| instance.running(accumulators, &group, &rows))
    }

    fn retract(accumulators: BinaryArray, group: Vec<u32>, rows: data::Batch) -> Result<BinaryArray, errors::Error> {
        with_open::<E, _>(|instance| instance.retract(accumulators, &group, &rows))
    }

    fn merge(left: BinaryArray, right: BinaryArray) -> Result<BinaryArray, errors::Error> {
        with_open::<E, _>(|instance| instance.merge(left, &right))
    }

    fn finish(accumulators: BinaryArray) -> Result<Column, errors::Error> {
        with_open::<E, _>(|instance| instance.finish(&accumulators))
    }
}

fn with_open<E: Exports, T>(call: impl FnOnce(&Instance<E::Aggregate>) -> Result<T>) -> Result<T, errors::Error> {
    E::open()
        .with_borrow(|open| match open {
            Some(instance) => call(instance),
            None => Err(Error::fail("the host made a call before `open`")),
        })
        .map_err(Error::into_contract)
}
