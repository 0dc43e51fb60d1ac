//! Instances that live, die, are adopted and started again: with real processes.

mod world;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serin_supervisor::logs::{Stream, tail};
use serin_supervisor::process::{ProcessId, Sent, Stat};
use serin_supervisor::program::Socket;
use serin_supervisor::{Error, Exit, Found, Instance, Phase, Program, Restart, lock, scan, shim};
use world::*;

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn a_killed_controller_leaves_the_instance_and_the_next_one_adopts_it() {
    let world = World::new();
    let dir = world.instance("web-1");
    let program = serde_json::to_string(&server()).unwrap();
    let mut controller = Command::new(FIXTURE)
        .args(["controller", &dir.display().to_string(), &program])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(controller.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "created web-1\n");
    let before = Instance::adopt(&dir).unwrap();
    let program = running(&before);
    let shim = state(&before).shim;
    assert_ne!(Stat::read(shim.pid).unwrap().parent, i32::try_from(controller.id()).unwrap());
    controller.kill().unwrap();
    controller.wait().unwrap();

    let adopted = Instance::adopt(&dir).unwrap();
    assert_eq!(adopted.id(), "web-1");
    assert_eq!(ask(address(&adopted), "/"), program.pid.to_string(), "the very same process serves");
    assert!(matches!(&scan(&world.instances()).unwrap()[..], [Found::Alive(found)] if *found == adopted));
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT] {
        shim.signal(signal).unwrap();
    }
    assert_eq!(ask(address(&adopted), "/"), program.pid.to_string(), "signals of a terminal change nothing");
    adopted.stop(15, GENEROUS).unwrap();
    let ending = gone(&adopted).unwrap();
    assert_eq!((ending.exit, ending.stopped, ending.killed), (Some(Exit::Signal(15)), true, false));
}

#[test]
fn a_killed_shim_takes_the_instance_with_it() {
    let world = World::new();
    let file = world.path("child");
    let text = format!("sleep 600 & echo $! > {}; exec sleep 600", file.display());
    let instance = world.create("a", &script(&text));
    let program = running(&instance);
    let child = number_in(&file);
    kill(state(&instance).shim.pid);
    until("the program is dead", || (!program.is_alive()).then_some(()));
    assert!(!instance.is_alive().unwrap());
    assert!(matches!(Instance::adopt(instance.dir()), Err(Error::Dead(_))));
    let found = scan(&world.instances()).unwrap();
    assert!(matches!(&found[..], [Found::Dead { ending: None, .. }]), "{found:?}");
    assert!(!dead(child), "the kernel leaves what the program had started");
    assert_eq!(instance.sweep().unwrap(), 1);
    assert!(dead(child));
    instance.clone().remove().unwrap();
    assert!(!instance.dir().exists());
    assert!(scan(&world.instances()).unwrap().is_empty());
}

#[test]
fn a_crash_is_followed_by_a_start_on_the_very_same_socket() {
    let world = World::new();
    let instance = world.create("a", &server());
    let first = running(&instance);
    let address = address(&instance);
    assert_eq!(ask(address, "/"), first.pid.to_string());
    let inode = |instance: &Instance| std::fs::read_link(format!("/proc/{}/fd/3", state(instance).shim.pid)).unwrap();
    let socket = inode(&instance);
    assert_eq!(ask(address, "/crash"), "", "it ended before it answered");
    let second = until("another process runs", || Some(running(&instance)).filter(|now| *now != first));
    assert_eq!(ask(address, "/"), second.pid.to_string());
    assert_eq!(inode(&instance), socket);
    let state = state(&instance);
    assert_eq!((state.restarts, state.last_exit), (1, Some(Exit::Status(7))));
}

#[test]
fn a_socket_per_worker_and_name_is_passed_as_systemd_does() {
    let world = World::new();
    let mut program = script(
        "[ $LISTEN_PID = $$ ] && echo $LISTEN_FDS $LISTEN_FDNAMES; for i in 3 4 5 6; do readlink /proc/$$/fd/$i || echo none; done; exec sleep 600",
    );
    let any = "127.0.0.1:0".parse().unwrap();
    let socket = |name: &str, count| Socket { name: name.into(), address: any, count };
    program.sockets = vec![socket("main", 2), socket("canary", 1)];
    let instance = world.create("a", &program);
    let lines = until("it told what it was passed", || {
        Some(tail(instance.dir(), 10, Some(Stream::Stdout)).unwrap().0).filter(|lines| lines.len() == 5)
    });
    assert_eq!(lines[0].text, "3 main:main:canary");
    assert!(lines[1..4].iter().all(|line| line.text.starts_with("socket:[")), "{lines:?}");
    assert_eq!(lines[4].text, "none", "and nothing else");
    let bound = state(&instance).sockets;
    assert_eq!((bound[0].count, bound[1].count), (2, 1));
    assert_ne!(bound[0].address, bound[1].address);
    let listening = serin_supervisor::ports::listening().unwrap();
    let at = |address| listening.iter().filter(|socket| socket.address == address).count();
    assert_eq!((at(bound[0].address), at(bound[1].address)), (2, 1));
}

#[test]
fn connections_wait_in_the_backlog_while_the_program_is_down() {
    let world = World::new();
    let go = world.path("go");
    let mut program = server();
    // The second start waits until it is let go.
    let text = format!(
        "if [ -e first ]; then while [ ! -e {} ]; do sleep 0.02; done; fi; touch first; exec {FIXTURE} serve-exec",
        go.display()
    );
    program.argv = vec!["/bin/sh".into(), "-c".into(), text];
    let instance = world.create("a", &program);
    let address = address(&instance);
    let first = ask(address, "/");
    ask(address, "/crash");
    until("it was started again", || (state(&instance).restarts == 1).then_some(()));
    let mut waiting: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    for stream in &mut waiting {
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(GENEROUS)).unwrap();
    }
    std::fs::write(go, "").unwrap();
    for mut stream in waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.ends_with(&first), "{answer}");
    }
}

const DAY: u64 = 86_400_000;

fn ms_of_day(at: &str) -> u64 {
    let number = |range: std::ops::Range<usize>| at[range].parse::<u64>().unwrap();
    ((number(11..13) * 60 + number(14..16)) * 60 + number(17..19)) * 1000 + number(20..23)
}

#[test]
fn restarts_wait_longer_and_longer() {
    let world = World::new();
    let instance = world.create("a", &script("exit 3"));
    // The shim's own remarks: a wait begins with an end, and the next end comes after it.
    let ends: Vec<u64> = until("it ended 7 times", || {
        let (lines, _) = tail(instance.dir(), 100, Some(Stream::Shim)).unwrap();
        let ends = lines.iter().filter(|line| line.text == "the program ended with status 3");
        Some(ends.map(|line| ms_of_day(&line.at)).collect()).filter(|ends: &Vec<u64>| ends.len() >= 7)
    });
    for (number, least) in [0, 20, 40, 80, 160, 200].into_iter().enumerate() {
        let gap = (ends[number + 1] + DAY - ends[number]) % DAY;
        assert!(gap + 1 >= least, "restart {number} came after {gap} ms");
    }
    let state = state(&instance);
    assert_eq!(state.error.as_deref().unwrap_or("the program ended with status 3"), "the program ended with status 3");
    instance.stop(15, GENEROUS).unwrap();
    let ending = gone(&instance).unwrap();
    assert!(ending.stopped);
    assert_eq!(ending.exit, Some(Exit::Status(3)));
}

#[test]
fn the_policy_decides_whether_it_is_started_again() {
    let world = World::new();
    let with = |restart, text: &str| Program { restart, ..script(text) };
    let done = world.create("done", &with(Restart::OnFailure, "exit 0"));
    assert_eq!(gone(&done).unwrap().exit, Some(Exit::Status(0)));
    let never = world.create("never", &with(Restart::Never, "sleep 600 & exit 5"));
    let ending = gone(&never).unwrap();
    assert_eq!((ending.exit, ending.restarts, ending.stopped), (Some(Exit::Status(5)), 0, false));
    let once = world.create("once", &with(Restart::OnFailure, "[ -e been ] && exit 0; touch been; kill -9 $$"));
    let ending = gone(&once).unwrap();
    assert_eq!((ending.exit, ending.restarts), (Some(Exit::Status(0)), 1));
    let over = Instance::create_with(once.dir(), &script("true"), &world::shim()).unwrap_err();
    assert!(matches!(over, Error::Exists(_)), "{over}");
    let status = Command::new(FIXTURE).arg("shim").arg(once.dir()).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(i32::from(shim::EXIT_OVER)));
    let again = Instance::start_again(once.dir(), &script("exec sleep 600"), &world::shim()).unwrap();
    running(&again);
    assert_eq!(again.ending().unwrap(), None);
}

#[test]
fn what_a_crashed_program_left_is_gone_before_the_next_start() {
    let world = World::new();
    let file = world.path("child");
    let text =
        format!("[ -e been ] && exec sleep 600; touch been; setsid sleep 600 & echo $! > {}; exit 1", file.display());
    let instance = world.create("a", &script(&text));
    until("it was started again", || (state(&instance).restarts == 1).then_some(()));
    assert!(dead(number_in(&file)));
}

#[test]
fn one_directory_has_one_shim() {
    let world = World::new();
    let instance = world.create("a", &script("exec sleep 600"));
    let program = running(&instance);
    let second = Command::new(FIXTURE).arg("shim").arg(instance.dir()).output().unwrap();
    assert_eq!(second.status.code(), Some(i32::from(shim::EXIT_LOCKED)));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another shim already runs"));
    let again = Instance::create_with(instance.dir(), &script("exec sleep 600"), &world::shim()).unwrap_err();
    assert!(matches!(again, Error::Exists(_)), "{again}");
    let again = Instance::start_again(instance.dir(), &script("exec sleep 600"), &world::shim()).unwrap_err();
    assert!(matches!(again, Error::Alive(_)), "{again}");
    assert!(matches!(instance.clone().remove(), Err(Error::Alive(_))));
    assert_eq!(running(&instance), program);
}

#[test]
fn of_many_creators_one_wins() {
    let world = World::new();
    let dir = world.instance("a");
    let won: Vec<bool> = std::thread::scope(|scope| {
        let create = || Instance::create_with(&dir, &script("exec sleep 600"), &world::shim());
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        results
            .map(|result| match result {
                Ok(_) => true,
                Err(Error::Exists(_)) => false,
                Err(other) => panic!("{other}"),
            })
            .collect()
    });
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    running(&Instance::adopt(&dir).unwrap());
}

#[test]
fn leftovers_of_a_creator_are_found_and_told_apart() {
    let world = World::new();
    std::fs::create_dir_all(world.instance("half")).unwrap();
    std::fs::create_dir_all(world.instance("never")).unwrap();
    std::fs::create_dir_all(world.instance("broken")).unwrap();
    std::fs::create_dir_all(world.instance(".going-x")).unwrap();
    std::fs::write(world.instance("never").join("program.json"), "{\"argv\":[\"true\"]}").unwrap();
    std::fs::write(world.instance("broken").join("program.json"), "{}").unwrap();
    std::fs::write(world.instance("broken").join("exit.json"), "{").unwrap();
    let found = scan(&world.instances()).unwrap();
    assert!(
        matches!(&found[..], [Found::Unreadable { .. }, Found::HalfCreated(_), Found::NeverStarted(_)]),
        "{found:?}"
    );
    assert!(!world.instance(".going-x").exists());
    let half = world.instance("half");
    assert!(matches!(Instance::adopt(&half), Err(Error::NotAnInstance(_))));
    serin_supervisor::instance::remove_dir(&half).unwrap();
    assert!(!half.exists());
    let never = Instance::at(&world.instance("never")).unwrap();
    let refused = Instance::start_again(&world.instance("broken"), &script("true"), &world::shim());
    refused.unwrap();
    never.remove().unwrap();
}

#[test]
fn a_state_that_names_a_reused_number_sends_no_signal() {
    let world = World::new();
    let instance = world.create("a", &script("exec sleep 600"));
    running(&instance);
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let pid = i32::try_from(stranger.id()).unwrap();
    let told = ProcessId { pid, start_time: state(&instance).shim.start_time.saturating_sub(1) };
    assert_eq!(told.signal(Signal::TERM).unwrap(), Sent::Gone);
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_removed_directory_is_no_place_for_a_shim() {
    let world = World::new();
    let dir = world.instance("a");
    std::fs::create_dir_all(&dir).unwrap();
    let held = lock::take(&dir).unwrap().unwrap();
    let shim = Command::new(FIXTURE).arg("shim").arg(&dir).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    std::fs::remove_dir_all(&dir).unwrap();
    drop(held);
    let output = shim.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(!dir.exists());
}

#[test]
fn phases_are_written_as_people_read_them() {
    let phase = Phase::BackingOff { until_ms: 5 };
    assert_eq!(serde_json::to_string(&phase).unwrap(), r#"{"is":"backing-off","until_ms":5}"#);
    assert_eq!(serde_json::to_string(&Exit::Signal(9)).unwrap(), r#"{"signal":9}"#);
}

#[test]
fn a_controller_killed_while_it_creates_leaves_what_the_next_one_can_finish() {
    let world = World::new();
    let program = serde_json::to_string(&script("exec sleep 600")).unwrap();
    let mut leftovers = 0;
    for step in 0..25_u64 {
        let dir = world.instance(&format!("i{step}"));
        let mut controller = Command::new(FIXTURE)
            .args(["controller", &dir.display().to_string(), &program])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(step * 700));
        controller.kill().unwrap();
        controller.wait().unwrap();
        // The shim may still be on its way: whoever comes first, there is one in the end.
        let instance = until("an instance lives there", || {
            if let Ok(instance) = Instance::adopt(&dir) {
                return Some(instance);
            }
            leftovers += 1;
            let text = script("exec sleep 600");
            match Instance::at(&dir) {
                Ok(_) => drop(Instance::start_again(&dir, &text, &world::shim())),
                Err(_) => drop(Instance::create_with(&dir, &text, &world::shim())),
            }
            None
        });
        let program = running(&instance);
        instance.stop(15, GENEROUS).unwrap();
        assert!(gone(&instance).unwrap().stopped);
        assert!(!program.is_alive());
        assert_eq!(instance.sweep().unwrap(), 0, "nothing else ran there");
        instance.remove().unwrap();
    }
    assert!(leftovers > 0, "no kill came early enough to leave something");
    assert!(scan(&world.instances()).unwrap().is_empty());
}
