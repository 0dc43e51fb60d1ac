//! Checks.
use serin_rollout::*;
use serin_sim::{bfs, env::Env, quiet::Mode, story, subject::Subject, world::World, coverage::Coverage};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n: u16 = args[2].parse().unwrap();
    let checks = Accept { bake_ms: None, checks: true, manual: false };
    let step = |weight| WeightStep { weight, accept: checks };
    let preset = match args[1].as_str() {
        "weights" => Preset::Weights(vec![step(5000)]),
        "bluegreen" => Preset::BlueGreen { before: Accept::default(), after: checks },
        "kept" => Preset::CanaryKept { one_by_one: false, first: checks, each: Accept::default() },
        "kept1" => Preset::CanaryKept { one_by_one: true, first: checks, each: Accept::default() },
        "direct" => Preset::Direct,
        _ => panic!(),
    };
    let mut env = Env::CALM;
    let mut cap = 5_000_000;
    let mut first = false;
    for a in &args[3..] {
        let (on, name) = a.split_at(1);
        let on = on == "+";
        match name {
            "all" => env = Env::HARSH,
            "down" => env.down = on, "late" => env.late = on, "stale" => env.stale = on, "crash" => env.crash = on,
            "zombie" => env.zombie = on, "lose" => env.lose = on, "lower" => env.lower = on, "busy" => env.busy = on, "lazy" => env.lazy = on,
            "undo" => env.undo = on, "rev2" => env.revisions = 2, "rev3" => env.revisions = 3, "people" => env.people = if on { Env::HARSH.people } else { &[] },
            "anybody" => env.anybody = on, "sv" => env.stale_verdicts = on, "first" => first = on,
            x => cap = x.parse().unwrap(),
        }
    }
    let w = World::new(Subject::SOUND, Plan::compile(&preset, n, 0, false).unwrap(), env);
    let t = std::time::Instant::now();
    let start = if first { w.nothing() } else { w.at_rest() };
    if std::env::var("NOQUIET").is_ok() { let f = bfs::search(&w, start, cap, &[]); println!("{} {} {:.1}s", f.graph.list.len(), f.edges, t.elapsed().as_secs_f64()); return; }
    let f = bfs::search(&w, start, cap, if env.anybody { &[] } else { &Mode::ALL });
    println!("{:?} size={} states={} edges={} depth={} cut={} quiet={} {:.1}s", &args[1..], size_of::<serin_sim::state::State>(), f.graph.list.len(), f.edges, f.depth, f.cut, f.quiet, t.elapsed().as_secs_f64());
    if let Some(b) = f.broken { print!("{}", story::tell(&w, &f.graph.way(b))); }
    if let Some(s) = f.stuck { print!("{}", story::tell(&w, &f.graph.way(s.start))); print!("{}", story::tell_quiet(&w, s.mode, f.graph.list[s.start as usize])); println!("STUCK {:?} circle={}", s.mode, s.circle); }
    let _ = Coverage::default();
}
