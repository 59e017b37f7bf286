//! What makes a component of a window function.

use std::cell::RefCell;

use crate::bindings::stream_operator::wasmill::plugin::errors;
use crate::bindings::window_function::exports::wasmill::plugin::window::{Given, Guest, Span, WindowPlan};
use crate::bindings::{Field, data};
use crate::component::send_panics;
use crate::error::{Error, Result};
use crate::window::{Instance, WindowFunction};

/// Makes a component of a window function: `wasmill_sdk::export_window!(Paths);`, once in a crate of type `cdylib`. Natively it only checks that the
/// type is one. [`WindowFunction`](crate::WindowFunction) has an example.
#[macro_export]
macro_rules! export_window {
    ($function:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::window_component::Exports for Component {
                type Function = $function;

                fn open() -> &'static ::std::thread::LocalKey<$crate::window_component::Slot<$function>> {
                    ::std::thread_local! {
                        static OPEN: $crate::window_component::Slot<$function> = const { ::std::cell::RefCell::new(::std::option::Option::None) };
                    }
                    &OPEN
                }
            }

            $crate::bindings::window_function::export!(Component with_types_in $crate::bindings::window_function);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is_a_window_function<F: $crate::WindowFunction>() {}
            is_a_window_function::<$function>();
        };
    };
}

/// Where a component keeps its open function.
pub type Slot<F> = RefCell<Option<Instance<F>>>;

/// A component's function and where it is kept.
pub trait Exports {
    /// The function.
    type Function: WindowFunction;

    /// The place for it.
    fn open() -> &'static std::thread::LocalKey<Slot<Self::Function>>;
}

impl<E: Exports> Guest for E {
    fn describe(settings: String, rows: Vec<Field>) -> Result<WindowPlan, errors::Error> {
        send_panics();
        Instance::<E::Function>::describe(&settings, &rows).map_err(Error::into_contract)
    }

    fn open(settings: String, rows: Vec<Field>) -> Result<(), errors::Error> {
        send_panics();
        E::open().set(Some(Instance::open(&settings, &rows).map_err(Error::into_contract)?));
        Ok(())
    }

    fn fire(windows: Option<Vec<Span>>, starts: Vec<u32>, rows: data::Batch) -> Result<Given, errors::Error> {
        let fired = E::open().with_borrow_mut(|open| match open {
            Some(instance) => instance.fire(windows.as_deref(), &starts, &rows),
            None => Err(Error::fail("the host made a call before `open`")),
        });
        fired.map_err(Error::into_contract)
    }
}
