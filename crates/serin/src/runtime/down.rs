//! `serin down`: ends the controller, the proxy and the instances, in this order.
use super::fail;
use crate::cli::down::Job;
use crate::cli::{Output, exit};
use serin_engine::store::Store;
use serin_local::Layout;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long the controller and the open requests get.
const CONTROLLER_ENDS: Duration = Duration::from_secs(10);
const REQUESTS_END: Duration = Duration::from_secs(30);

pub(super) fn run(job: Job) -> ExitCode {
    let layout = Layout::at(&job.place.dir);
    let service = &job.place.service;
    if !layout.dir().exists() {
        let text = format!("{service} does not run here: there is no {}", layout.dir().display());
        return fail(exit::REFUSED, text, "name the right place with --state DIR");
    }
    if let Err(error) = rustix::fs::access(layout.dir(), rustix::fs::Access::WRITE_OK) {
        let text = format!("{service} cannot be ended: {}: {error}", layout.dir().display());
        return fail(exit::REFUSED, text, "run this as the user whom the directory belongs to, or as root");
    }
    let ended = end_controller(&layout.store());
    let controller = match ended {
        Ok(ended) => ended,
        Err(why) => return fail(exit::FAILED, why, "end the controller yourself, then run `serin down` again"),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(exit::FAILED, format!("the system refuses what every process needs: {error}"), ""),
    };
    let down = match runtime.block_on(serin_local::down(&layout, REQUESTS_END)) {
        Ok(down) => down,
        Err(why) => return fail(exit::FAILED, why, "run `serin down` again: it goes on where it was"),
    };
    if job.purge
        && let Err(error) = std::fs::remove_dir_all(layout.dir())
    {
        return fail(exit::FAILED, format!("{} cannot be removed: {error}", layout.dir().display()), "");
    }
    match job.output {
        Output::Json => println!(
            "{}",
            serde_json::json!({ "service": service, "controller": controller, "proxy": down.proxy, "instances": down.instances, "purged": job.purge })
        ),
        Output::Text => {
            println!("{service} is down: {} instance(s) stopped", down.instances);
            if !job.purge {
                println!("Its history and last revision are kept; `serin serve` starts it again");
            }
        }
    }
    ExitCode::SUCCESS
}

/// Ends the controller that holds the store, if one does. `true`: there was one.
fn end_controller(store: &Path) -> Result<bool, String> {
    let Some(pid) = Store::holder(store) else { return Ok(false) };
    let process = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let process = process.ok_or_else(|| format!("process {pid} holds the store, but that is no process"))?;
    let signalled = rustix::process::kill_process(process, rustix::process::Signal::TERM);
    if let Err(error) = signalled
        && error != rustix::io::Errno::SRCH
    {
        return Err(format!("the controller (process {pid}) cannot be signalled: {error}"));
    }
    let give_up = Instant::now() + CONTROLLER_ENDS;
    while Store::holder(store) == Some(pid) {
        if Instant::now() > give_up {
            return Err(format!("the controller (process {pid}) did not end within {} s", CONTROLLER_ENDS.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}
