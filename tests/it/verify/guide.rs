//! The guide shows what the commands print against the simulated registries.
