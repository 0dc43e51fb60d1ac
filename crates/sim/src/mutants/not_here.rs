//! The outages of the catalogue that are no mutant here, each with its reason.

/// The row of the catalogue, its report, why the world cannot express it, and where it is tested or prevented instead.
pub const NOT_HERE: &[(u8, &str, &str)] = &[
    (
        41,
        "argo-3316",
        "a cached copy is written back over a newer object: here the status is saved by compare-and-swap, so there is no such write; a save of a dead incarnation that lands late is part of every world with late writes",
    ),
    (
        45,
        "argo-849",
        "somebody edits the weights behind the tool's back: in this world nobody but the controller, living or dead, writes the route; a write of the dead that lands late is part of every world with late writes",
    ),
];
