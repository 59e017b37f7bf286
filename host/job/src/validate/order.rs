//! The order in which operators can be worked out, and the cycles that have none.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

/// What can be ordered and what can't.
pub struct Order {
    /// Operators, each after those that it depends on, otherwise as in the file. Without those in a cycle and what depends on them.
    pub sequence: Vec<usize>,
    /// Cycles, each in the direction in which rows would flow; at least one for every set of operators that depend on each other.
    pub cycles: Vec<Vec<usize>>,
}

/// Orders operators by what each depends on. Linear without cycles; with them at most quadratic.
pub fn order(dependencies: &[Vec<usize>]) -> Order {
    let mut dependents = vec![Vec::new(); dependencies.len()];
    for (index, on) in dependencies.iter().enumerate() {
        for &dependency in on {
            dependents[dependency].push(index);
        }
    }
    let mut waiting: Vec<usize> = dependencies.iter().map(Vec::len).collect();
    let mut ready: BinaryHeap<Reverse<usize>> = (0..waiting.len()).filter(|&index| waiting[index] == 0).map(Reverse).collect();
    let mut sequence = Vec::new();
    while let Some(Reverse(index)) = ready.pop() {
        sequence.push(index);
        for &dependent in &dependents[index] {
            waiting[dependent] -= 1;
            if waiting[dependent] == 0 {
                ready.push(Reverse(dependent));
            }
        }
    }
    let mut cycles: Vec<Vec<usize>> = Vec::new();
    let mut named = vec![false; dependencies.len()];
    for index in (0..dependencies.len()).filter(|&index| waiting[index] > 0) {
        if !named[index]
            && let Some(cycle) = shortest_cycle(index, dependencies)
        {
            for &member in &cycle {
                named[member] = true;
            }
            cycles.push(cycle);
        }
    }
    Order { sequence, cycles }
}

/// The shortest way from an operator along what it depends on back to itself, turned round so that it starts there.
fn shortest_cycle(start: usize, dependencies: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut reached_from: HashMap<usize, usize> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(index) = queue.pop_front() {
        for &dependency in &dependencies[index] {
            if dependency == start {
                let mut cycle = vec![index];
                let mut at = index;
                while at != start {
                    at = reached_from[&at];
                    cycle.push(at);
                }
                cycle.rotate_right(1);
                return Some(cycle);
            }
            reached_from.entry(dependency).or_insert_with(|| {
                queue.push_back(dependency);
                index
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn operators_come_after_what_they_depend_on_and_else_as_in_the_file() {
        let order = order(&[vec![2], vec![], vec![1], vec![0, 2]]);
        assert_eq!(order.sequence, [1, 2, 0, 3]);
        assert!(order.cycles.is_empty());
    }

    #[test]
    fn every_cycle_is_named_once_in_the_direction_of_the_rows() {
        // 0 reads 2, 1 reads 0, 2 reads 1: rows would flow 0 -> 1 -> 2 -> 0. 3 reads itself, 4 only depends on them, 5 is free.
        let order = order(&[vec![2], vec![0], vec![1], vec![3], vec![3, 0], vec![]]);
        assert_eq!(order.sequence, [5]);
        assert_eq!(order.cycles, [vec![0, 1, 2], vec![3]]);
    }
}
