//! Clients under whose requests something happens.
use super::{Answer, Raw, get, wait_for};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;

/// Clients that ask one after the other until they are told to stop; each failure is kept.
pub struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    pub fn start(address: SocketAddr, clients: usize, path: &'static str) -> Load {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let ask = move |client: &mut Option<Raw>| -> Result<Answer, String> {
            let raw = client.get_or_insert_with(|| Raw::connect(address));
            raw.stream.write_all(&get(path)).map_err(|e| e.to_string())?;
            let answer = raw.answer(false).ok_or("no whole answer")?;
            if answer.head.contains("Connection: close") {
                *client = None;
            }
            Ok(answer)
        };
        let thread = |_| {
            let (stop, done) = (stop.clone(), done.clone());
            std::thread::spawn(move || {
                let (mut client, mut failures) = (None, Vec::new());
                while !stop.load(SeqCst) {
                    match ask(&mut client) {
                        Ok(answer) if answer.status == 200 => {
                            done.fetch_add(1, SeqCst);
                        }
                        Ok(answer) => {
                            failures.push(format!("{answer:?}"));
                            client = None;
                        }
                        Err(error) => {
                            failures.push(error);
                            client = None;
                        }
                    }
                }
                failures
            })
        };
        Load { threads: (0..clients).map(thread).collect(), stop, done }
    }

    pub fn wait(&self, more: u64) {
        let until = self.done.load(SeqCst) + more;
        wait_for("requests", || self.done.load(SeqCst) >= until);
    }

    /// How many requests were answered, and what went wrong.
    pub fn stop(self) -> (u64, Vec<String>) {
        self.stop.store(true, SeqCst);
        let failures = self.threads.into_iter().flat_map(|t| t.join().expect("no panic")).collect();
        (self.done.load(SeqCst), failures)
    }
}
