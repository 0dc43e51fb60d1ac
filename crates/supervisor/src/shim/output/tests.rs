//! Lines, rotation, and what happens when there is no room.

use super::*;

fn texts(dir: &std::path::Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(dir.join(name)).unwrap_or_default();
    text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

#[test]
fn lines_are_put_together_and_long_ones_kept_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut output = Output::new(log.clone(), Log::default());
    output.take(Stream::Stdout, b"one\ntw");
    output.take(Stream::Stderr, b"other\n\n");
    output.take(Stream::Stdout, b"o\nthree");
    output.finish();
    assert_eq!(
        texts(&log, "current"),
        ["stdout F one", "stderr F other", "stderr F ", "stdout F two", "stdout F three"]
    );
    output.take(Stream::Stdout, &[b'x'; LONGEST + 5]);
    output.take(Stream::Stdout, b"\n");
    let seen = texts(&log, "current");
    assert_eq!(seen[5].len(), LONGEST + "stdout P ".len());
    assert_eq!(seen[6], "stdout F xxxxx");
}

#[test]
fn rotation_keeps_so_many_files_of_so_many_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut output = Output::new(log.clone(), Log { max_bytes: 1000, files: 3 });
    for number in 0..200 {
        output.take(Stream::Stdout, format!("line {number}\n").as_bytes());
    }
    let mut names: Vec<String> =
        fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["1", "2", "current"]);
    let mut all = Vec::new();
    for name in ["2", "1", "current"] {
        assert!(fs::metadata(log.join(name)).unwrap().len() <= 1000);
        all.extend(texts(&log, name));
    }
    let expected: Vec<String> = (200 - all.len()..200).map(|number| format!("stdout F line {number}")).collect();
    assert_eq!(all, expected, "no line is lost or doubled between the files");
    assert!(all.len() > 40);
    assert_eq!(output.dropped_lines, 0);
}

#[test]
fn one_file_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut output = Output::new(dir.path().join("log"), Log { max_bytes: 500, files: 1 });
    for number in 0..50 {
        output.take(Stream::Stdout, format!("line {number}\n").as_bytes());
    }
    let seen = texts(&dir.path().join("log"), "current");
    assert_eq!(seen.last().unwrap(), "stdout F line 49");
    assert!(fs::metadata(dir.path().join("log/current")).unwrap().len() <= 500);
}

#[test]
fn without_a_place_to_write_lines_are_counted_and_told_later() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    fs::write(&log, "a file where the directory should be").unwrap();
    let mut output = Output::new(log.clone(), Log::default());
    output.take(Stream::Stdout, b"one\ntwo\n");
    assert_eq!(output.dropped_lines, 2);
    assert!(output.dropped_bytes > 8);
    fs::remove_file(&log).unwrap();
    output.looked = None;
    output.take(Stream::Stdout, b"three\n");
    assert_eq!(
        texts(&log, "current"),
        ["shim F 2 lines are missing here: they could not be written", "stdout F three"]
    );
}

#[test]
fn a_removed_file_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut output = Output::new(log.clone(), Log::default());
    output.take(Stream::Stdout, b"one\n");
    fs::remove_file(log.join("current")).unwrap();
    output.looked = None;
    output.take(Stream::Stdout, b"two\n");
    assert_eq!(texts(&log, "current"), ["stdout F two"]);
}

#[test]
fn a_full_disk_leaves_whole_lines() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: no file system of 1 MiB can be mounted");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(dir.path())
        .status()
        .unwrap();
    if !mounted.success() {
        eprintln!("mount is not allowed here");
        return;
    }
    let mut output = Output::new(dir.path().join("log"), Log::default());
    for number in 0..5000 {
        output.take(Stream::Stdout, format!("line {number}\n").as_bytes());
    }
    let dropped = output.dropped_lines;
    let seen = texts(&dir.path().join("log"), "current");
    drop(output);
    std::process::Command::new("umount").arg("-l").arg(dir.path()).status().unwrap();
    assert!(dropped > 0);
    assert_eq!(seen.len() as u64 + dropped, 5000);
    for (number, line) in seen.iter().enumerate() {
        assert_eq!(*line, format!("stdout F line {number}"));
    }
}
