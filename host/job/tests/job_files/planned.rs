//! The shapes of plans.

use wasmill_job::graph::NodeId::{Operator, Source};
use wasmill_job::plan::{Edge, Plan, PlanNode, Routing, Target, plan};

use crate::accepted::EARTHQUAKES;
use crate::catalog::{around, job};

/// Stages in short: parallelism and nodes.
fn stages(plan: &Plan) -> Vec<(u32, Vec<PlanNode>)> {
    plan.stages.iter().map(|stage| (stage.parallelism, stage.nodes.iter().map(|node| node.node).collect())).collect()
}

/// A job with a generator `made` of `parallelism: 3`, a file `read`, and these operators and sinks.
fn planned(operators: &str, sinks: &str) -> Plan {
    plan(&job(&format!(
        "name: t\nparallelism: 3\nsources:\n  made: {{ connector: generator, fields: {{ a: sequence, b: sequence, c: sequence }} }}\n  read: {{ connector: file, path: x, format: json, schema: {{ a: int64 not null, b: int64 not null, c: int64 not null }} }}\noperators: {operators}\nsinks: {sinks}"
    )))
}

#[test]
fn what_needs_no_exchange_is_chained() {
    let plan = planned(
        "{ f: { input: read, filter: a > 1 }, g: { input: f, select: { b: b } } }",
        "{ s: { input: g, connector: file, path: out-1, format: json }, t: { input: f, connector: file, path: out-2, format: json }, u: { input: made, connector: file, path: out-3, format: json } }",
    );
    assert_eq!(
        stages(&plan),
        [
            (3, vec![PlanNode::Node(Source(0))]),
            (
                1,
                vec![
                    PlanNode::Node(Source(1)),
                    PlanNode::Node(Operator(0)),
                    PlanNode::Node(Operator(1)),
                    PlanNode::Sink(0),
                    PlanNode::Sink(1),
                ]
            ),
            (1, vec![PlanNode::Sink(2)]),
        ]
    );
    let chained = |node, columns: Option<Vec<usize>>| Target::Chained { node, columns };
    let nodes = &plan.stages[1].nodes;
    assert_eq!(nodes[0].outputs, [vec![chained(1, None)]]);
    assert_eq!(nodes[1].outputs, [vec![chained(2, Some(vec![1])), chained(4, None)]]);
    assert_eq!(nodes[2].outputs, [vec![chained(3, None)]]);
    assert_eq!(nodes[3].outputs, Vec::<Vec<Target>>::new());
    assert_eq!(plan.edges, [Edge { from: 0, to: 2, input: 0, routing: Routing::Gather, columns: None, combined: false }]);
    assert_eq!(plan.stages[0].nodes[0].outputs, [vec![Target::Edge(0)]]);
}

#[test]
fn a_keyed_operator_is_behind_an_exchange_that_moves_what_it_needs() {
    let plan = planned(
        "{ n: { input: made, key-by: [c], aggregate: { top: max(a) } }, f: { input: n, filter: top > 1 }, m: { input: f, key-by: [c], aggregate: { k: count(*) } } }",
        "{ s: { input: m, connector: file, path: out-4, format: json }, r: { input: read, connector: file, path: out-5, format: json } }",
    );
    assert_eq!(
        stages(&plan),
        [
            (3, vec![PlanNode::Node(Source(0))]),
            (1, vec![PlanNode::Node(Source(1)), PlanNode::Sink(1)]),
            (3, vec![PlanNode::Node(Operator(0)), PlanNode::Node(Operator(1))]),
            (3, vec![PlanNode::Node(Operator(2))]),
            (1, vec![PlanNode::Sink(0)]),
        ]
    );
    assert_eq!(
        plan.edges,
        [
            Edge { from: 0, to: 2, input: 0, routing: Routing::Keyed(vec![2]), columns: Some(vec![0, 2]), combined: false },
            Edge { from: 2, to: 3, input: 0, routing: Routing::Keyed(vec![0]), columns: Some(vec![0]), combined: false },
            Edge { from: 3, to: 4, input: 0, routing: Routing::Gather, columns: None, combined: false },
        ]
    );
}

#[test]
fn a_union_has_the_tasks_of_its_inputs_or_one() {
    let equal = planned(
        "{ f: { input: made, filter: a > 1 }, u: { inputs: [f, made] } }",
        "{ s: { input: u, connector: file, path: out-6, format: json }, r: { input: read, connector: file, path: out-7, format: json } }",
    );
    assert_eq!(
        stages(&equal),
        [
            (3, vec![PlanNode::Node(Source(0)), PlanNode::Node(Operator(0))]),
            (1, vec![PlanNode::Node(Source(1)), PlanNode::Sink(1)]),
            (3, vec![PlanNode::Node(Operator(1))]),
            (1, vec![PlanNode::Sink(0)]),
        ]
    );
    let forward = |from| Edge { from, to: 2, input: 0, routing: Routing::Forward, columns: None, combined: false };
    assert_eq!(equal.edges[..2], [forward(0), forward(0)]);
    assert_eq!(equal.stages[0].nodes[0].outputs, [vec![Target::Chained { node: 1, columns: None }, Target::Edge(1)]]);

    let unequal = planned(
        "{ u: { inputs: [read, made], filter: a > 1 } }",
        "{ s: { input: u, connector: file, path: out-8, format: json } }",
    );
    assert_eq!(
        stages(&unequal),
        [
            (3, vec![PlanNode::Node(Source(0))]),
            (1, vec![PlanNode::Node(Source(1))]),
            (1, vec![PlanNode::Node(Operator(0)), PlanNode::Sink(0)]),
        ]
    );
    let gather = |from| Edge { from, to: 2, input: 0, routing: Routing::Gather, columns: None, combined: false };
    assert_eq!(unequal.edges, [gather(1), gather(0)]);

    let keyed = planned(
        "{ u: { inputs: [read, made], key-by: [b], aggregate: { n: count(*) } } }",
        "{ s: { input: u, connector: file, path: out-9, format: json } }",
    );
    let by_key = |from| Edge { from, to: 2, input: 0, routing: Routing::Keyed(vec![1]), columns: Some(vec![1]), combined: false };
    assert_eq!(keyed.edges[..2], [by_key(1), by_key(0)]);
    assert_eq!(keyed.stages[2].parallelism, 3);
}

#[test]
fn outputs_and_dead_letters_have_their_places() {
    let job = job(EARTHQUAKES);
    let plan = plan(&job);
    assert_eq!(
        stages(&plan),
        [
            (
                1,
                vec![
                    PlanNode::Node(Source(0)),
                    PlanNode::Node(Operator(0)),
                    PlanNode::Node(Operator(1)),
                    PlanNode::Sink(1),
                    PlanNode::Sink(2),
                ]
            ),
            (4, vec![PlanNode::Node(Operator(2))]),
            (1, vec![PlanNode::Sink(0)]),
            (1, vec![PlanNode::DeadLetters]),
        ]
    );
    let nodes = &plan.stages[0].nodes;
    let columns = job.operators[1].input().reads.clone();
    assert_eq!(nodes[1].outputs, [vec![Target::Chained { node: 2, columns }, Target::Edge(0)]]);
    assert_eq!(
        nodes[2].outputs,
        [vec![Target::Chained { node: 3, columns: None }], vec![Target::Chained { node: 4, columns: None }]]
    );
    assert!(plan.edges.iter().all(|edge| edge.to != 3 && edge.from < edge.to));
}

#[test]
fn each_input_has_its_edge_its_key_and_its_columns() {
    let job = job(&around(
        "  a: { input: quakes, select: { net: net, m: mag, mag: mag } }\n  out: { inputs: { one: quakes, two: a, all: quakes }, \
         key-by: { one: [net], two: [net] }, plugin: match }",
    ));
    let plan = plan(&job);
    let edge = |input, routing, columns: &[usize]| Edge {
        from: 0,
        to: 1,
        input,
        routing,
        columns: Some(columns.to_vec()),
        combined: false,
    };
    assert_eq!(
        plan.edges[..3],
        [
            edge(0, Routing::Keyed(vec![1]), &[1, 2]),
            edge(1, Routing::Keyed(vec![0]), &[0, 2]),
            // Without a key: each row comes to one task.
            edge(2, Routing::Forward, &[2]),
        ]
    );
    assert_eq!((plan.stages[1].parallelism, plan.stages[1].nodes[0].node), (4, PlanNode::Node(Operator(1))));
    let pushed = Target::Edge(2);
    assert!(plan.stages[0].nodes[0].outputs[0].contains(&pushed), "{:?}", plan.stages[0]);
}

#[test]
fn rows_are_combined_before_an_aggregate_that_gives_results_of_all_of_them() {
    let combined = |operator: &str, sinks: &str| {
        let plan = plan(&job(&format!(
            "name: t\nparallelism: 3\nsources:\n  made: {{ connector: generator, fields: {{ a: sequence, t: {{ every: 1s, start: 2024-01-01T00:00:00Z }} }}, event-time: {{ field: t, ascending: true }} }}\noperators:\n  w: {{ input: made, key-by: [a], {operator} }}\nsinks:\n  s: {{ input: w, connector: blackhole }}\n{sinks}"
        )));
        plan.edges.iter().any(|edge| edge.combined)
    };
    let late = "  l: { input: w.late, connector: blackhole }\n";
    let of = [
        ("window: { tumbling: 1h }, aggregate: { n: count(*) }", "", true),
        ("window: { sliding: 1h, slide: 1min, trigger: { early: 1min } }, aggregate: { n: count(*) }", "", true),
        ("window: { tumbling: 1h, time: processing }, aggregate: { n: count(*) }", "", true),
        ("emit: final, aggregate: { n: count(*) }", "", true),
        ("window: { tumbling: 1h }, aggregate: { n: count(*) }", late, false),
        ("window: { tumbling: 1h, allowed-lateness: 1s }, aggregate: { n: count(*) }", "", false),
        ("window: { tumbling: 1h, trigger: { every-rows: 2 } }, aggregate: { n: count(*) }", "", false),
        ("window: { tumbling: 1h, trigger: { early: 1min }, results: discarding }, aggregate: { n: count(*) }", "", false),
        ("window: { tumbling: 1h, trigger: { early: 1min }, results: retracting }, aggregate: { n: count(*) }", "", false),
        ("window: { session: 1h }, aggregate: { n: count(*) }", "", false),
        ("window: { count: 3 }, aggregate: { n: count(*) }", "", false),
        ("aggregate: { n: count(*) }", "", false),
        ("window: { tumbling: 1h }, aggregate: { n: count(*), e: { plugin: energy, of: [a] } }", "", false),
    ];
    for (operator, sinks, expected) in of {
        assert_eq!(combined(operator, sinks), expected, "{operator} {sinks}");
    }
}
