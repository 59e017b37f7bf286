//! What the user asked for, made safe: the job file as written, validated, and planned as tasks and edges.
