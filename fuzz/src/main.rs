//! `serin-fuzz TARGET RUNS SEED`: so many mutated inputs. `serin-fuzz dump RUNS SEED`: what the proxy would send for
//! so many, one line each, for another program to parse: whole or cut, method, target, body and bytes, in hexadecimal.

use serin_fuzz::corpus::{Expect, escape, requests, responses};
use serin_fuzz::message::sent;
use serin_fuzz::mutate::{Random, mutate};
use serin_fuzz::targets::{Broken, Taken, chunks, request_head, response_head};
use std::io::Write;
use std::process::ExitCode;

type Target = fn(&[u8], &mut Random) -> Result<Taken, Broken>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|w| w.parse::<u64>().ok());
    let (Some(name), Some(runs), Some(seed)) = (words.first(), number(1), number(2)) else { return usage() };
    let plain = |cases: Vec<serin_fuzz::corpus::Case>| -> Vec<Vec<u8>> { cases.into_iter().map(|c| c.bytes).collect() };
    let (target, seeds): (Target, _) = match name.as_str() {
        "request" => (request_head, plain(requests())),
        "response" => (response_head, plain(responses())),
        "chunks" => (chunks, bodies()),
        "dump" => {
            // What is refused unchanged is mostly refused changed too, and then nothing is sent that could be compared.
            let sent_on = requests().into_iter().filter(|c| c.expect != Expect::Refused).collect();
            return dump(&plain(sent_on), runs, seed);
        }
        _ => return usage(),
    };
    let mut random = Random::new(seed);
    let (mut accepted, mut refused) = (0u64, 0u64);
    for _ in 0..runs {
        let data = mutate(&seeds, &mut random);
        match target(&data, &mut random) {
            Ok(Taken::Accepted) => accepted += 1,
            Ok(Taken::Refused) => refused += 1,
            Err(broken) => {
                println!("{name} broke: {broken}\n  input: {}", escape(&data));
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{name} accepted={accepted} refused={refused}");
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: serin-fuzz request|response|chunks|dump RUNS SEED");
    ExitCode::from(2)
}

/// The bodies of the chunked requests of the corpus.
fn bodies() -> Vec<Vec<u8>> {
    let cut = |b: &[u8]| b.windows(4).position(|w| w == b"\r\n\r\n").map(|at| b[at + 4..].to_vec());
    requests().iter().filter_map(|c| cut(&c.bytes)).filter(|b| !b.is_empty()).collect()
}

fn dump(seeds: &[Vec<u8>], runs: u64, seed: u64) -> ExitCode {
    let mut random = Random::new(seed);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    for run in 0..runs {
        // First the corpus as it is, then what became of it.
        let data = seeds.get(run as usize).cloned().unwrap_or_else(|| mutate(seeds, &mut random));
        let Ok(Some(sent)) = sent(&data) else { continue };
        let whole = if sent.whole { "whole" } else { "cut" };
        let fields = [sent.method.as_bytes(), sent.target.as_bytes(), &sent.body, &sent.bytes].map(hex);
        if writeln!(out, "{whole} {}", fields.join(" ")).is_err() {
            return ExitCode::FAILURE;
        }
    }
    if out.flush().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
