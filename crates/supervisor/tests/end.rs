//! Stopping, what cannot be started, and output: with real processes.

mod world;

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serin_supervisor::health::{Outcome, Readiness, Settings};
use serin_supervisor::limits::{self, Cgroups, Limits};
use serin_supervisor::logs::{Stream, tail};
use serin_supervisor::monitor::{self, Watched};
use serin_supervisor::probe::{Check, probe};
use serin_supervisor::program::{Log, Socket};
use serin_supervisor::{Error, Exit, Instance, Phase, Program, Restart, shim};
use world::*;

#[test]
fn a_program_that_ignores_the_signal_is_killed_with_all_that_it_started() {
    let world = World::new();
    let (inner, outer) = (world.path("inner"), world.path("outer"));
    // A grandchild in the group and one in a session of its own, all deaf.
    let text = format!(
        "trap '' TERM; (sleep 600 & echo $! > {}; wait) & setsid sh -c 'trap \"\" TERM; echo $$ > {}; sleep 600; sleep 600' & \
         while :; do sleep 600; done",
        inner.display(),
        outer.display()
    );
    let instance = world.create("a", &script(&text));
    let program = running(&instance);
    let children = [number_in(&inner), number_in(&outer)];
    let asked = Instant::now();
    instance.stop(15, Duration::from_millis(500)).unwrap();
    let ending = gone(&instance).unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(500), "it was given its time");
    assert_eq!((ending.exit, ending.stopped, ending.killed), (Some(Exit::Signal(9)), true, true));
    for pid in children.into_iter().chain([program.pid]) {
        assert!(dead(pid), "{pid} lives");
    }
}

#[test]
fn a_second_order_with_a_nearer_deadline_counts() {
    let world = World::new();
    let instance = world.create("a", &script("trap '' TERM; touch deaf; while :; do sleep 600; done"));
    until("it is deaf", || instance.dir().join("deaf").exists().then_some(()));
    instance.stop(15, Duration::from_secs(3600)).unwrap();
    let first = until("it is stopping", || match state(&instance).phase {
        Phase::Stopping { deadline_ms, .. } => Some(deadline_ms),
        Phase::Running { .. } | Phase::BackingOff { .. } | Phase::Ended => None,
    });
    instance.stop(15, Duration::from_secs(7200)).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    match state(&instance).phase {
        Phase::Stopping { deadline_ms, .. } => assert!(deadline_ms <= first + 1000, "a later deadline changes nothing"),
        other @ (Phase::Running { .. } | Phase::BackingOff { .. } | Phase::Ended) => panic!("{other:?}"),
    }
    instance.stop(15, Duration::ZERO).unwrap();
    assert!(gone(&instance).unwrap().killed);
    instance.stop(15, Duration::ZERO).expect("stopping what is gone is no error");
    assert!(matches!(instance.stop(4711, Duration::ZERO), Err(Error::NoSuchSignal(4711))));
}

#[test]
fn a_graceful_end_has_its_time_and_its_last_words() {
    let world = World::new();
    let text = "trap 'echo bye; exit 4' INT; touch ready; while :; do sleep 0.02; done";
    let instance = world.create("a", &script(text));
    until("it is ready", || instance.dir().join("ready").exists().then_some(()));
    instance.stop(2, GENEROUS).unwrap();
    let ending = gone(&instance).unwrap();
    assert_eq!((ending.exit, ending.killed, ending.restarts), (Some(Exit::Status(4)), false, 0));
    let (lines, _) = tail(instance.dir(), 10, Some(Stream::Stdout)).unwrap();
    assert_eq!(lines.last().unwrap().text, "bye");
    instance.clone().remove().unwrap();
}

#[test]
fn a_suspended_program_hears_the_signal_too() {
    let world = World::new();
    let instance = world.create("a", &script("kill -STOP $$; exec sleep 600"));
    let program = running(&instance);
    until("it is suspended", || serin_supervisor::process::Stat::read(program.pid).filter(|stat| stat.state == 'T'));
    instance.stop(15, GENEROUS).unwrap();
    assert_eq!(gone(&instance).unwrap().exit, Some(Exit::Signal(15)));
}

#[test]
fn stopping_while_it_waits_for_a_restart() {
    let world = World::new();
    let mut program = script("exit 1");
    program.backoff.first_ms = 3_600_000;
    program.backoff.max_ms = 3_600_000;
    let instance = world.create("a", &program);
    until("it waits", || (state(&instance).restarts == 1).then_some(()));
    instance.stop(15, GENEROUS).unwrap();
    assert_eq!(gone(&instance).unwrap().exit, Some(Exit::Status(1)));
}

/// The sentence that the state tells of a program that cannot be started.
fn why_not(world: &World, name: &str, program: Program) -> String {
    let program = Program { restart: Restart::Never, ..program };
    let ending = gone(&world.create(name, &program)).unwrap();
    match ending.exit {
        Some(Exit::NotStarted(why)) => why,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn what_cannot_be_started_says_why() {
    let world = World::new();
    let file = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = world.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let plain = file("plain", "#!/bin/sh\n", 0o644);
    let lost = file("lost", "#!/no/such/interpreter\n", 0o755);
    let noise = file("noise", "\u{1}\u{2}\u{3}", 0o755);
    let cases = [
        ("a", Program::new(["no-such-command-here"]), "command not found: no-such-command-here"),
        ("b", Program::new(["/no/such/command"]), "command not found: /no/such/command"),
        ("c", Program::new([plain.as_str()]), "permission denied"),
        ("d", Program::new([lost.as_str()]), "interpreter"),
        ("e", Program::new([noise.as_str()]), "neither a program"),
        ("f", Program { cwd: Some("/no/such/dir".into()), ..script("true") }, "/no/such/dir does not exist"),
        ("g", Program { cwd: Some("/etc/passwd".into()), ..script("true") }, "not a directory"),
        ("h", Program { user: Some("no-such-user".into()), ..script("true") }, "no such user: no-such-user"),
        ("i", Program { group: Some("no-such-group".into()), ..script("true") }, "no such group: no-such-group"),
        ("j", Program::new(Vec::<String>::new()), "the command is empty"),
        ("k", Program::new(["/tmp"]), "is a directory"),
        ("l", Program::new(["true", "a\0b"]), "NUL"),
    ];
    for (name, program, expected) in cases {
        let why = why_not(&world, name, program);
        assert!(why.contains(expected), "{name}: {why}");
    }
}

#[test]
fn a_missing_command_is_tried_again_and_told_meanwhile() {
    let world = World::new();
    let mut program = Program::new([world.path("later").display().to_string()]);
    program.backoff.first_ms = 20;
    program.backoff.max_ms = 100;
    let instance = world.create("a", &program);
    let error = until("it says why", || state(&instance).error);
    assert!(error.contains("command not found"), "{error}");
    std::fs::copy("/bin/true", world.path("part")).unwrap();
    std::fs::rename(world.path("part"), world.path("later")).unwrap();
    until("it ran", || (state(&instance).last_exit == Some(Exit::Status(0))).then_some(()));
}

#[test]
fn another_user_if_we_are_root() {
    if !rustix::process::geteuid().is_root() {
        let world = World::new();
        let why = why_not(&world, "a", Program { user: Some("root".into()), ..script("true") });
        assert!(why.contains("only root"), "{why}");
        return;
    }
    let world = World::new();
    let program =
        Program { user: Some("nobody".into()), cwd: Some("/".into()), ..script("id -u; id -g; exec sleep 600") };
    let instance = world.create("a", &program);
    let (uid, gid) = until("it told its numbers", || {
        let (lines, _) = tail(instance.dir(), 10, Some(Stream::Stdout)).unwrap();
        Some((lines.first()?.text.clone(), lines.get(1)?.text.clone()))
    });
    assert_ne!((uid.as_str(), gid.as_str()), ("0", "0"));
    let process = running(&instance);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(state(&instance).shim.pid).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    until("it died with its shim, as another user too", || (!process.is_alive()).then_some(()));
}

#[test]
fn a_port_in_use_is_told_to_the_creator_and_kept() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut program = server();
    program.sockets = vec![Socket { name: "main".into(), address: taken.local_addr().unwrap(), count: 2 }];
    let dir = world.instance("a");
    let error = Instance::create_with(&dir, &program, &world::shim()).unwrap_err();
    let Error::Refused { code, sentence, .. } = &error else { panic!("{error}") };
    assert_eq!(*code, shim::EXIT_SOCKETS);
    assert!(sentence.contains("in use by another process"), "{sentence}");
    let instance = Instance::at(&dir).unwrap();
    assert!(instance.ending().unwrap().unwrap().error.unwrap().contains("in use"));
    // Another port, as somebody else may be given this one as soon as it is free.
    program.sockets[0].address = "127.0.0.1:0".parse().unwrap();
    let again = Instance::start_again(&dir, &program, &world::shim()).unwrap();
    running(&again);
}

#[test]
fn a_full_disk_stops_neither_the_program_nor_the_count() {
    let Some(world) = World::with_small_disk() else {
        eprintln!("only root can mount a small disk");
        return;
    };
    let mut program =
        script("i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo \"line number $i\"; done; exec sleep 600");
    program.log = Log { max_bytes: 100 << 20, files: 2 };
    let instance = world.create("a", &program);
    until("it wrote all of it", || {
        let cmd = std::fs::read(format!("/proc/{}/cmdline", running(&instance).pid)).ok()?;
        cmd.starts_with(b"sleep").then_some(())
    });
    let told = until("the drops are counted", || Some(state(&instance)).filter(|state| state.dropped_lines > 0));
    assert_eq!(told.restarts, 0);
    let (lines, _) = tail(instance.dir(), 100_000, Some(Stream::Stdout)).unwrap();
    assert_eq!(lines.first().unwrap().text, "line number 1");
    assert!(lines.iter().all(|line| line.text.starts_with("line number ")));
    assert!(std::fs::write(instance.dir().join("more"), [0; 8192]).is_err(), "the disk is full");
    instance.stop(15, Duration::from_secs(3600)).unwrap();
    instance.stop(9, GENEROUS).unwrap();
    let ending = gone(&instance).unwrap();
    assert_eq!(ending.dropped_lines + lines.len() as u64, 60_000, "the last words are told on the full disk too");
}

#[test]
fn output_is_rotated_while_the_program_goes_on() {
    let world = World::new();
    let mut program = script("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; done; echo end >&2; exec sleep 600");
    program.log = Log { max_bytes: 20_000, files: 3 };
    let instance = world.create("a", &program);
    until("all is written", || {
        let (lines, _) = tail(instance.dir(), 10, Some(Stream::Stderr)).unwrap();
        (lines.last()?.text == "end").then_some(())
    });
    let (lines, _) = until("the last line is there", || {
        Some(tail(instance.dir(), 100_000, Some(Stream::Stdout)).unwrap())
            .filter(|(lines, _)| lines.last().is_some_and(|line| line.text == "3000"))
    });
    let first: usize = lines[0].text.parse().unwrap();
    let numbers: Vec<usize> = lines.iter().map(|line| line.text.parse().unwrap()).collect();
    assert_eq!(numbers, (first..=3000).collect::<Vec<_>>());
    assert!(first > 1, "the oldest lines were let go");
    assert!(instance.dir().join("log/2").exists() && !instance.dir().join("log/3").exists());
}

#[tokio::test]
async fn a_stranger_on_the_port_does_not_make_it_ready() {
    let world = World::new();
    let stranger = Program { sockets: server().sockets, ..server() };
    let stranger = world.create("stranger", &stranger);
    running(&stranger);
    let taken = address(&stranger);
    let http = Check::Http { path: "/".into(), host: None };
    let check = async |instance: &Instance| probe(instance, Some(taken), &http, GENEROUS).await;
    assert_eq!(check(&stranger).await, Outcome::Pass);
    // The instance believes that it serves, but another process has its port.
    let instance = world.create("a", &script("exec sleep 600"));
    running(&instance);
    match check(&instance).await {
        Outcome::Fail(why) => assert!(why.contains("another process listens"), "{why}"),
        Outcome::Pass => panic!("a stranger made it ready"),
    }
    stranger.stop(9, Duration::ZERO).unwrap();
    stranger.wait_gone().await.unwrap();
    match check(&instance).await {
        Outcome::Fail(why) => assert!(why.contains("nothing listens"), "{why}"),
        Outcome::Pass => panic!("nobody listens"),
    }
    match check(&stranger).await {
        Outcome::Fail(why) => assert!(why.contains("shim is gone"), "{why}"),
        Outcome::Pass => panic!("it is gone"),
    }
}

#[tokio::test]
async fn a_watched_instance_becomes_ready_and_a_restart_is_noticed() {
    let world = World::new();
    let instance = world.create("a", &server());
    let settings = Settings { interval: Duration::from_millis(50), timeout: Duration::from_secs(10), rise: 2, fall: 3 };
    let watched = Watched {
        instance: instance.clone(),
        address: Some(address(&instance)),
        check: Check::Http { path: "/".into(), host: None },
        settings,
    };
    let mut told = monitor::spawn(watched);
    let ready = tokio::time::timeout(GENEROUS, told.wait_for(|health| health.readiness().is_ready()));
    drop(ready.await.expect("ready").unwrap());
    let server = address(&instance);
    tokio::task::spawn_blocking(move || ask(server, "/crash")).await.unwrap();
    let unready = told.wait_for(|health| matches!(health.readiness(), Readiness::Unready { .. }));
    drop(tokio::time::timeout(GENEROUS, unready).await.expect("the restart is noticed").unwrap());
    let again = told.wait_for(|health| health.healthy_for(Instant::now()).is_some_and(|well| !well.is_zero()));
    drop(tokio::time::timeout(GENEROUS, again).await.expect("ready again").unwrap());
}

#[test]
fn limits_that_a_process_can_hold_are_held() {
    let world = World::new();
    let limits = Limits { memory_bytes: Some(64 << 20), open_files: Some(77), ..Limits::default() };
    let cgroups = Cgroups::Unavailable { why: "not asked for".into() };
    let mut program = script("ulimit -n; ulimit -d; exec sleep 600");
    program.limits = limits::resolve(&limits, "a", &cgroups).unwrap();
    let instance = world.create("a", &program);
    let told = until("it told its limits", || {
        let (lines, _) = tail(instance.dir(), 10, Some(Stream::Stdout)).unwrap();
        Some([lines.first()?.text.clone(), lines.get(1)?.text.clone()])
    });
    assert_eq!(told, ["77", "65536"]);
    // A program that takes more than it may gets an error from its allocator, not from the machine's killer.
    let mut greedy = Program::new(["python3", "-c", "x = bytearray(256 << 20)"]);
    greedy.restart = Restart::Never;
    greedy.limits = program.limits;
    assert_eq!(gone(&world.create("greedy", &greedy)).unwrap().exit, Some(Exit::Status(1)));
}

#[test]
fn a_cgroup_is_entered_and_removed_where_there_is_one() {
    // No controller is needed for it, only a cgroup v2 that we may write to.
    let root = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
    let Some(root) =
        root.into_iter().find(|root| root.join("cgroup.procs").exists() && root.join("cgroup.controllers").exists())
    else {
        eprintln!("no cgroup v2 here");
        return;
    };
    let group = root.join(format!("serin-test-{}", std::process::id()));
    if std::fs::create_dir(&group).is_err() {
        eprintln!("no right to make a cgroup here");
        return;
    }
    let world = World::new();
    let mut program = script("cat /proc/self/cgroup; exec sleep 600");
    let inner = group.join("instance-a");
    program.limits.cgroup = Some(limits::Group { dir: inner.clone(), files: Vec::new() });
    let instance = world.create("a", &program);
    let pid = running(&instance).pid;
    let procs = std::fs::read_to_string(inner.join("cgroup.procs")).unwrap();
    let shim = state(&instance).shim.pid;
    instance.stop(15, GENEROUS).unwrap();
    gone(&instance);
    let left = inner.exists();
    let _ = std::fs::remove_dir(&inner);
    std::fs::remove_dir(&group).unwrap();
    assert!(procs.lines().any(|line| line == pid.to_string()), "{procs:?}");
    assert!(!procs.lines().any(|line| line == shim.to_string()), "the shim stays outside");
    assert!(!left, "the group went with the instance");
}
