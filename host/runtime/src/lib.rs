//! Runs a plan: tasks, edges, back-pressure, checkpoints.
