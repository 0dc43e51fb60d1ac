//! Every broken `serin.yaml` under `bad-specs/` is refused with exactly the words of its golden file.
//! `UPDATE=1 cargo test -p serin --test bad_specs` rewrites them.

use std::{fs, path::Path, process::Command};

#[test]
fn every_broken_spec_is_explained() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad-specs");
    let mut names: Vec<_> = fs::read_dir(&dir)
        .expect("the directory")
        .map(|e| e.expect("an entry").file_name().into_string().expect("a plain name"))
        .collect();
    names.retain(|n| n.ends_with(".yaml"));
    names.sort();
    assert!(names.len() >= 40, "{} broken specs", names.len());
    let mut wrong = Vec::new();
    for name in names {
        let out = Command::new(env!("CARGO_BIN_EXE_serin"))
            .args(["lint", "--no-state", "-f", &name])
            .current_dir(&dir)
            .env("NO_COLOR", "1")
            .output()
            .expect("serin runs");
        let said = String::from_utf8(out.stderr).expect("text");
        assert_eq!(out.status.code(), Some(2), "{name} is refused: {said}");
        let golden = dir.join(&name).with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&golden, &said).expect("the golden file is written");
        } else if fs::read_to_string(&golden).unwrap_or_default() != said {
            wrong.push(format!("{name}\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "these say something else now (UPDATE=1 takes it over):\n{}", wrong.join("\n"));
}
