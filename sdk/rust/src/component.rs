//! What makes a component of an operator.

use std::cell::RefCell;
use std::sync::Once;

use crate::bindings::stream_operator::exports::wasmill::plugin::operator;
use crate::bindings::stream_operator::wasmill::plugin::errors;
use crate::bindings::{BinaryArray, Input, Plan, data};
use crate::error::Error;
use crate::instance::Instance;
use crate::panic_message;
use crate::process_batch::ProcessBatch;
use crate::timers::TimeDomain;

/// Makes a component of an operator: `wasmill_sdk::export!(SwarmAlert);`, once in a crate of type `cdylib`. Natively it only checks
/// that the type is one.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// # #[derive(Operator)] struct Same {}
/// # impl Process for Same {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self {}) }
/// #     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> { cx.emit(row); Ok(()) }
/// # }
/// wasmill_sdk::export!(Same);
/// ```
#[macro_export]
macro_rules! export {
    ($operator:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::component::Exports for Component {
                type Operator = $operator;

                fn open() -> &'static ::std::thread::LocalKey<$crate::component::Slot<$operator>> {
                    ::std::thread_local! {
                        static OPEN: $crate::component::Slot<$operator> = const { ::std::cell::RefCell::new(::std::option::Option::None) };
                    }
                    &OPEN
                }
            }

            $crate::bindings::stream_operator::export!(Component with_types_in $crate::bindings::stream_operator);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is_an_operator<P: $crate::ProcessBatch>() {}
            is_an_operator::<$operator>();
        };
    };
}

/// Where a component keeps its open operator.
pub type Slot<P> = RefCell<Option<Instance<P>>>;

/// A component's operator and where it is kept.
#[doc(hidden)]
pub trait Exports {
    /// The operator.
    type Operator: ProcessBatch;

    /// The place for it.
    fn open() -> &'static std::thread::LocalKey<Slot<Self::Operator>>;
}

impl<E: Exports> operator::Guest for E {
    fn describe(settings: String, inputs: Vec<Input>) -> Result<Plan, errors::Error> {
        send_panics();
        Instance::<E::Operator>::describe(&settings, &inputs).map_err(Error::into_contract)
    }

    fn open(settings: String, inputs: Vec<Input>, instance: operator::Instance) -> Result<(), errors::Error> {
        send_panics();
        let opened = Instance::open(&settings, inputs, instance.task, instance.parallelism).map_err(Error::into_contract)?;
        E::open().set(Some(opened));
        Ok(())
    }

    fn process(input: u32, rows: data::Batch, keys: Option<data::Keys>) -> Result<(), errors::Error> {
        with_open::<E>(|instance| instance.process(input, &rows, keys.as_ref()))
    }

    fn on_timers(domain: TimeDomain, keys: data::Keys, at: Vec<i64>) -> Result<(), errors::Error> {
        with_open::<E>(|instance| instance.on_timers(domain, keys.count, &at))
    }

    fn migrate_state(
        state: u32,
        from_version: u32,
        _: Option<BinaryArray>,
        values: BinaryArray,
    ) -> Result<BinaryArray, errors::Error> {
        send_panics();
        Instance::<E::Operator>::migrate(state, from_version, &values).map_err(Error::into_contract)
    }

    fn on_end() -> Result<(), errors::Error> {
        with_open::<E>(Instance::on_end)
    }
}

fn with_open<E: Exports>(call: impl FnOnce(&mut Instance<E::Operator>) -> crate::Result<()>) -> Result<(), errors::Error> {
    E::open()
        .with_borrow_mut(|open| match open {
            Some(instance) => call(instance),
            None => Err(Error::fail("the host made a call before `open`")),
        })
        .map_err(Error::into_contract)
}

pub(crate) fn send_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(panic_message::send)));
}
