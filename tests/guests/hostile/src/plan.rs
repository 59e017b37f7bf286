//! What the guest declares, and what it may not declare.

use wasmill_sdk::bindings::plan::{Port, StateKind, StateNeed, Taken, Takes, TimeDomain, Wants};
use wasmill_sdk::bindings::{DataType, Field, Input, Plan};

use crate::settings::{Do, Settings};
use crate::{columns, timers};

/// One output `out` that keeps the input's columns and, where something is the matter with a column, gives `x`; two states where the
/// input has a key; and whatever is wrong with it.
pub(crate) fn plan(settings: &Settings, inputs: &[Input]) -> Plan {
    let keyed = inputs.first().is_some_and(|input| !input.key.is_empty());
    let at_end = [Do::TrapInEnd, Do::LoopInEnd, Do::FailInEnd, Do::StateInEnd, Do::BatchInEnd, Do::RejectInEnd];
    let mut plan = Plan {
        reads: inputs.iter().map(|_| Some(settings.column.iter().cloned().collect())).collect(),
        ports: vec![port("out", columns::declared(settings.what))],
        states: if keyed { vec![state("count", Some(8)), state("text", None), list("trail"), map("tally")] } else { Vec::new() },
        wants: if at_end.contains(&settings.what) { Wants::END } else { Wants::empty() },
    };
    if let Some(wanted) = timers::wanted(settings.what) {
        plan.wants = wanted | Wants::KEY_COLUMNS;
        if settings.what != Do::InputInTimer {
            plan.ports[0].takes = Takes::Key;
        }
    }
    spoil(&mut plan, settings);
    plan
}

fn spoil(plan: &mut Plan, settings: &Settings) {
    let taken = |input, column: &str| Takes::Input(Taken { input, columns: Some(vec![column.to_owned()]) });
    match settings.what {
        Do::PlanWithoutPorts => plan.ports.clear(),
        Do::PlanUnknownColumn => plan.reads = vec![Some(vec!["no-such-column".to_owned()])],
        Do::PlanUnknownKept => plan.ports[0].takes = taken(0, "no-such-column"),
        Do::PlanUnknownInput => plan.ports[0].takes = taken(7, "id"),
        Do::PlanTwoPorts => plan.ports.push(port("out", None)),
        Do::PlanTwoStates => plan.states = vec![state("twice", Some(8)), state("twice", None)],
        Do::PlanTwoFields => plan.ports[0].gives = vec![field("twice", DataType::Int64), field("twice", DataType::Utf8)],
        Do::PlanBadName => plan.ports[0].name.clone_from(&settings.text),
        Do::PlanBadWidth => plan.states = vec![state("count", Some(settings.count as u32))],
        Do::PlanBadExpiry => plan.states = vec![StateNeed { expires: Some(TimeDomain::EventTime), ..state("count", Some(7)) }],
        Do::PlanWideList => plan.states = vec![StateNeed { width: Some(8), ..list("trail") }],
        Do::PlanExpiringList => plan.states = vec![StateNeed { expires: Some(TimeDomain::EventTime), ..list("trail") }],
        Do::PutWithoutMoment => plan.states[3].expires = Some(TimeDomain::ProcessingTime),
        Do::StoreWithoutMoment => plan.states[1].expires = Some(TimeDomain::ProcessingTime),
        Do::PlanTooFewReads => plan.reads.clear(),
        Do::PlanHuge => plan.ports = (0..settings.count).map(|number| port(&format!("port-{number}"), None)).collect(),
        _ => {}
    }
}

fn port(name: &str, gives: Option<DataType>) -> Port {
    let takes = Takes::Input(Taken { input: 0, columns: None });
    Port { name: name.to_owned(), takes, gives: gives.map(|data_type| field("x", data_type)).into_iter().collect() }
}

fn field(name: &str, data_type: DataType) -> Field {
    Field { name: name.to_owned(), data_type, nullable: false }
}

fn state(name: &str, width: Option<u32>) -> StateNeed {
    StateNeed { name: name.to_owned(), kind: StateKind::ValueState, version: 1, width, expires: None }
}

fn list(name: &str) -> StateNeed {
    StateNeed { kind: StateKind::ListState, ..state(name, None) }
}

fn map(name: &str) -> StateNeed {
    StateNeed { kind: StateKind::MapState, ..state(name, None) }
}
