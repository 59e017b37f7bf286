//! Whether a component's imports and exports are those of the contract; what doesn't fit is named.

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings::aggregate_function::{AggregateFunction, AggregateFunctionPre};
use crate::bindings::window_function::{WindowFunction, WindowFunctionPre};
use crate::bindings::{StreamOperator, StreamOperatorPre};
use crate::compiled::World;
use crate::error::{Code, PluginError};
use crate::instance::HostState;

/// The package of the contract, and its version.
const PACKAGE: &str = "wasmill:plugin/";
const VERSION: &str = "@0.1.0";
/// Interfaces that a component may import.
const IMPORTS: &[&str] = &["data", "plan", "errors", "state", "timers", "context", "output", "log", "metrics"];
/// What the exported interface has, of an operator, an aggregate function and a window function.
const OPERATOR: &[&str] = &["describe", "open", "process", "on-end"];
const AGGREGATE: &[&str] = &["describe", "open", "accumulate", "running", "retract", "merge", "finish"];
const WINDOW: &[&str] = &["describe", "open", "fire"];

/// Checks a component against the world whose interface it exports and links it.
pub(crate) fn check(engine: &Engine, name: &str, component: &Component) -> Result<World, PluginError> {
    check_imports(engine, name, component)?;
    let exports = |interface: &str| {
        let wanted = format!("{PACKAGE}{interface}{VERSION}");
        component.component_type().exports(engine).any(|(export, _)| export == wanted)
    };
    let (interface, functions) = match (exports("aggregate"), exports("window")) {
        (true, _) => ("aggregate", AGGREGATE),
        (false, true) => ("window", WINDOW),
        (false, false) => ("operator", OPERATOR),
    };
    check_exports(engine, name, component, interface, functions)?;
    let other_text = |error: wasmtime::Error| {
        PluginError::new(
            Code::WrongWorld,
            format!("plugin {name}: was built against another text of the contract wasmill:plugin{VERSION}: {error:#}"),
        )
        .with_hint("build it again with this version's SDK; until the contract is frozen its text may change between versions")
    };
    let mut linker = Linker::<HostState>::new(engine);
    match interface {
        "aggregate" => AggregateFunction::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state),
        "window" => WindowFunction::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state),
        _ => StreamOperator::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state),
    }
    .map_err(other_text)?;
    let pre = linker.instantiate_pre(component).map_err(other_text)?;
    match interface {
        "aggregate" => AggregateFunctionPre::new(pre).map(World::Aggregate),
        "window" => WindowFunctionPre::new(pre).map(World::Window),
        _ => StreamOperatorPre::new(pre).map(World::Operator),
    }
    .map_err(other_text)
}

fn check_imports(engine: &Engine, name: &str, component: &Component) -> Result<(), PluginError> {
    for (import, _) in component.component_type().imports(engine) {
        let wrong = |what: String, hint: &str| {
            Err(PluginError::new(Code::WrongWorld, format!("plugin {name}: imports {import}, {what}")).with_hint(hint))
        };
        if let Some(rest) = import.strip_prefix(PACKAGE) {
            match rest.split_once('@') {
                Some((interface, version)) if format!("@{version}") == VERSION => {
                    if !IMPORTS.contains(&interface) {
                        return wrong("which is no interface of the contract".to_owned(), "build it with this version's SDK");
                    }
                }
                _ => return wrong(format!("expected version {VERSION}"), "build it again with this version's SDK"),
            }
        } else if import.starts_with("wasi:") {
            return wrong(
                "which operators don't get: no files, clocks, environment or network".to_owned(),
                "build without WASI (for Rust: target wasm32-unknown-unknown), or with WASI stubbed",
            );
        } else {
            return wrong(
                "which is not part of the contract".to_owned(),
                "an operator may import only wasmill:plugin interfaces",
            );
        }
    }
    Ok(())
}

fn check_exports(
    engine: &Engine,
    name: &str,
    component: &Component,
    interface: &str,
    functions: &[&str],
) -> Result<(), PluginError> {
    let kind = component.component_type();
    let wanted = format!("{PACKAGE}{interface}{VERSION}");
    let missing =
        |what: String, hint: &str| Err(PluginError::new(Code::WrongWorld, format!("plugin {name}: {what}")).with_hint(hint));
    let Some((_, item)) = kind.exports(engine).find(|(export, _)| *export == wanted) else {
        let has: Vec<&str> = kind.exports(engine).map(|(export, _)| export).collect();
        let has = if has.is_empty() { "nothing".to_owned() } else { has.join(", ") };
        return missing(
            format!("exports {has}, expected {wanted}"),
            "an operator implements world stream-operator of the contract",
        );
    };
    let ComponentItem::ComponentInstance(interface) = item.ty else {
        return missing(format!("exports {wanted} as something that is no interface"), "build it with this version's SDK");
    };
    for function in functions {
        match interface.get_export(engine, function).map(|export| export.ty) {
            Some(ComponentItem::ComponentFunc(_)) => {}
            Some(_) => {
                return missing(
                    format!("{wanted} has {function} as something that is no function"),
                    "build it with this version's SDK",
                );
            }
            None => return missing(format!("{wanted} lacks function {function}"), "build it with this version's SDK"),
        }
    }
    Ok(())
}
