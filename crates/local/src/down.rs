//! Ending a service on purpose.
use crate::layout::Layout;
use serin_supervisor::{Found, Instance, scan};
use std::time::Duration;

/// What was ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Down {
    /// Instances that were running.
    pub instances: usize,
    /// Whether the proxy was running.
    pub proxy: bool,
}

/// Stops the proxy, which first answers what is open, then every instance; and forgets what the slots were told to
/// have, so that the next start begins with nothing. Needs that no controller runs.
///
/// # Errors
/// A sentence that says what could not be stopped; calling it again goes on.
pub async fn down(layout: &Layout, drain: Duration) -> Result<Down, String> {
    let text = |error: serin_supervisor::Error| error.to_string();
    let mut done = Down::default();
    if let Ok(proxy) = Instance::adopt(&layout.proxy()) {
        done.proxy = true;
        proxy.stop(15, drain).map_err(text)?;
        proxy.wait_gone().await.map_err(text)?;
    }
    match std::fs::remove_file(layout.orders()) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("{} cannot be removed: {error}", layout.orders().display())),
    }
    let found = scan(&layout.instances()).map_err(text)?;
    for instance in found.iter().filter_map(alive) {
        let stop = instance.program().map_err(text)?.stop;
        instance.stop(stop.signal, Duration::from_millis(stop.timeout_ms)).map_err(text)?;
        done.instances += 1;
    }
    for instance in found.iter().filter_map(alive) {
        instance.wait_gone().await.map_err(text)?;
    }
    for found in scan(&layout.instances()).map_err(text)? {
        serin_supervisor::instance::remove_dir(found.dir()).map_err(text)?;
    }
    let route = layout.proxy().join("route.json");
    if route.exists() {
        std::fs::remove_file(&route).map_err(|error| format!("{} cannot be removed: {error}", route.display()))?;
    }
    Ok(done)
}

fn alive(found: &Found) -> Option<&Instance> {
    match found {
        Found::Alive(instance) => Some(instance),
        Found::Dead { .. } | Found::NeverStarted(_) | Found::HalfCreated(_) | Found::Unreadable { .. } => None,
    }
}
