//! What happens, in order. Every wait is for something that the controller or a counter says, with a deadline.
use super::app::{FAILS, VERSION};
use super::load::{Counts, Load};
use super::screen::Screen;
use super::stage::{SERVICE, Stage};
use super::summary::{Facts, Release};
use serin_api::{Ending, PhaseWord, StatusView};
use std::convert::Infallible;
use std::time::{Duration, Instant};
use tokio::process::Child;

/// How long the first start may take.
const STARTS: Duration = Duration::from_secs(60);
/// How long one release may take, from the command to the end.
const ENDS: Duration = Duration::from_secs(300);
/// How long nothing is done, so that one sees that nothing happens.
const CALM: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(50);
/// How many of a hundred requests the bad version fails.
const BROKEN: &str = "25";

/// Plays it to the end.
///
/// # Errors
/// Something did not happen in time, or a program ended that must not.
pub(super) async fn tell(stage: &Stage, screen: &Screen, rate: u32) -> Result<Facts, String> {
    let begin = Instant::now();
    screen.part("A service starts: two instances of version 1 behind Serin's proxy.", "serin serve");
    let mut controller = stage.start("serve", &[])?;
    let first = tokio::select! {
        first = serves(screen) => first?,
        ended = over(stage, &mut controller) => return Err(ended),
        () = tokio::time::sleep(STARTS) => {
            return Err(format!("the service did not start within {} s:\n{}", STARTS.as_secs(), stage.said("serve")));
        }
    };
    screen.dim(&format!("It serves on http://{} after {:.1} s.", first.addresses.main, begin.elapsed().as_secs_f64()));
    let load = Load::start(stage.address, rate);
    let begin = Instant::now();
    tokio::select! {
        facts = releases(stage, screen, &load) => {
            let facts = facts?;
            let counts = load.stop().await;
            Ok(Facts { rate, seconds: begin.elapsed().as_secs_f64(), counts, ..facts })
        }
        never = screen.watch(|| load.counts()) => match never {},
        failed = events(screen, first.seq) => match failed? {},
        ended = over(stage, &mut controller) => Err(ended),
    }
}

/// Waits for the service to serve.
async fn serves(screen: &Screen) -> Result<StatusView, String> {
    loop {
        if let Ok(status) = screen.client.status().await
            && status.phase == PhaseWord::Idle
            && status.slots.iter().any(|slot| slot.desired > 0 && slot.healthy >= slot.desired)
            && status.route.in_force
        {
            return Ok(status);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Tells every event after `seq` as it comes.
async fn events(screen: &Screen, seq: u64) -> Result<Infallible, String> {
    let mut after = seq;
    loop {
        // The stream may break off; what was missed comes with the next one.
        if let Ok(mut stream) = screen.client.events(after, true).await {
            while let Ok(Some(event)) = stream.next().await {
                after = event.seq;
                screen.event(&event);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until the controller ends, which it must not.
async fn over(stage: &Stage, controller: &mut Child) -> String {
    let how = controller.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
    format!("the controller ended ({how}):\n{}", stage.said("serve"))
}

/// The good release and the bad one.
async fn releases(stage: &Stage, screen: &Screen, load: &Load) -> Result<Facts, String> {
    tokio::time::sleep(CALM).await;
    screen.part("A good release: version 2.", &format!("serin deploy --env {VERSION}=2"));
    let good = release(stage, screen, load, &[&format!("{VERSION}=2")]).await?;
    let before = load.counts();
    tokio::time::sleep(CALM).await;
    let after_good = answered_since(&before, &load.counts(), "2");
    let broken = format!("A bad release: version 3 is healthy, but answers 500 to {BROKEN} % of the requests.");
    screen.part(&broken, &format!("serin deploy --env {VERSION}=3 --env {FAILS}={BROKEN}"));
    let bad = release(stage, screen, load, &[&format!("{VERSION}=3"), &format!("{FAILS}={BROKEN}")]).await?;
    let before = load.counts();
    tokio::time::sleep(CALM).await;
    let after_bad = answered_since(&before, &load.counts(), "2");
    Ok(Facts { good, bad, after_good, after_bad, ..Facts::default() })
}

/// Of what was answered between two looks: how much, and how much of it by another version than `version` or badly.
fn answered_since(before: &Counts, now: &Counts, version: &str) -> (u64, u64) {
    let all = now.answered() - before.answered();
    (all, all - (now.of(version).good - before.of(version).good))
}

/// One `serin deploy`, and what follows until nothing is left of it to do.
async fn release(stage: &Stage, screen: &Screen, load: &Load, env: &[&str]) -> Result<Release, String> {
    let (begin, before) = (Instant::now(), load.counts());
    let words: Vec<&str> = env.iter().flat_map(|pair| ["--env", pair]).collect();
    let mut deploy = stage.start("deploy", &words)?;
    let late = |what: &str| format!("{what} did not end within {} s:\n{}", ENDS.as_secs(), stage.said("deploy"));
    let exit = tokio::time::timeout(ENDS, deploy.wait()).await.map_err(|_| late("`serin deploy`"))?;
    let exit = exit.map_err(|error| format!("`serin deploy` cannot be waited for: {error}"))?;
    let settled = async {
        loop {
            if let Ok(status) = screen.client.status().await
                && status.phase == PhaseWord::Idle
                && let Some(last) = status.last
            {
                return last;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let last = tokio::time::timeout(ENDS, settled).await.map_err(|_| late("the release"))?;
    let turn = turning_point(screen, last.rollout).await?;
    let after = load.counts();
    Ok(Release {
        number: last.rollout,
        exit: exit.code(),
        ending: Some(last.ending),
        turned_ms: turn,
        took_ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
        bad: after.bad() - before.bad(),
        lost: after.lost() - before.lost(),
    })
}

/// After how many milliseconds the history says that the release was promoted, or that it was given up.
async fn turning_point(screen: &Screen, number: u64) -> Result<Option<u64>, String> {
    let detail = screen.client.rollout(number).await;
    let detail = detail.map_err(|error| format!("the history of {SERVICE} cannot be read: {error}"))?;
    let turn = detail.events.iter().find(|event| event.ending == Some(Ending::Promoted) || event.kind == "going_back");
    Ok(turn.map(|event| event.at.saturating_sub(detail.rollout.started)))
}
