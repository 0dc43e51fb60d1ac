//! Hostile input for the parsers: a corpus of cases as data, a seeded mutator, and what must hold for every input.
//!
//! Bounded and reproducible, so that it runs on stable Rust in CI: the same seed gives the same inputs. It has no
//! feedback from the code's branches; the corpus and the dictionary stand in for that.

pub mod corpus;
pub mod message;
pub mod mutate;
pub mod targets;
