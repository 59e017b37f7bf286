//! When a cut is complete: alignment, the coordinator as a pure function, the manifest, and where it is stored.
