//! Which crate may depend on what.

use std::path::Path;

/// Dependencies that only one crate may have: whoever else names them breaks a wall.
const WALLS: [(&str, &[&str]); 6] = [
    ("kube", &["crates/operator"]),
    ("kube-", &["crates/operator"]),
    ("k8s-openapi", &["crates/operator"]),
    ("tonic", &["crates/envoy"]),
    ("tonic-", &["crates/envoy"]),
    ("serin-sim", &["crates/serin"]),
];

/// What is wrong with a manifest, one line each.
pub fn check(path: &Path, text: &str) -> Vec<String> {
    let member = path.parent().unwrap_or(Path::new("")).to_string_lossy().replace('\\', "/");
    let dependencies = dependencies(text);
    let mut wrong = Vec::new();
    for (wall, may) in WALLS {
        let hit = |d: &&String| if wall.ends_with('-') { d.starts_with(wall) } else { d.as_str() == wall };
        for dependency in dependencies.iter().filter(hit).filter(|_| !may.contains(&member.as_str())) {
            wrong.push(format!("{member}/Cargo.toml: only {} may depend on {dependency}", may.join(", ")));
        }
    }
    if member == "xtask" && !dependencies.is_empty() {
        wrong.push("xtask/Cargo.toml: xtask depends on std only".to_owned());
    }
    wrong
}

/// The names in all tables of dependencies, whatever their kind or target.
fn dependencies(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_matches(['[', ']']);
            let (kind, name) = match table.rsplit_once("dependencies.") {
                Some((_, name)) => (true, Some(name)),
                None => (table.ends_with("dependencies"), None),
            };
            inside = kind && name.is_none();
            found.extend(name.map(str::to_owned));
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            found.extend(line.split(['=', '.', ' ']).next().map(str::to_owned));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_kind_of_table() {
        let text = "[package]\nname = \"kube\"\n[dependencies]\na.workspace = true\nb = \"1\"\n# c\n\
                    [dev-dependencies]\nd = { version = \"1\" }\n[target.'cfg(unix)'.dependencies]\ne = \"1\"\n\
                    [dependencies.f]\nversion = \"1\"\n[features]\ng = []\n";
        assert_eq!(dependencies(text), ["a", "b", "d", "e", "f"]);
    }

    #[test]
    fn each_wall_can_be_broken() {
        let count = |path: &str, name: &str| check(Path::new(path), &format!("[dependencies]\n{name} = \"1\"\n")).len();
        for name in ["kube", "kube-runtime", "k8s-openapi", "tonic", "tonic-build", "serin-sim"] {
            assert_eq!(count("crates/engine/Cargo.toml", name), 1, "{name}");
        }
        assert_eq!(count("crates/kubernetes/Cargo.toml", "kube"), 1);
        assert_eq!(count("crates/operator/Cargo.toml", "kube"), 0);
        assert_eq!(count("crates/envoy/Cargo.toml", "tonic"), 0);
        assert_eq!(count("crates/serin/Cargo.toml", "serin-sim"), 0);
        assert_eq!(count("xtask/Cargo.toml", "serde"), 1);
    }
}
