//! How it went: what was counted, whether that is as it should be, and how it is told.
use super::load::Counts;
use crate::cli::{Paint, exit};
use serde_json::{Value, json};
use serin_api::Ending;
use std::fmt::Write as _;

/// One release.
#[derive(Clone, Debug, Default)]
pub(super) struct Release {
    /// Its number in the history.
    pub number: u64,
    /// What `serin deploy` ended with.
    pub exit: Option<i32>,
    /// What the history says.
    pub ending: Option<Ending>,
    /// When it was promoted, or when the way back began.
    pub turned_ms: Option<u64>,
    /// From the command until nothing was left to do.
    pub took_ms: u64,
    /// Failures that users saw meanwhile, answered by a version, and lost requests.
    pub bad: u64,
    pub lost: u64,
}

/// All that was counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub rate: u32,
    pub seconds: f64,
    pub counts: Counts,
    pub good: Release,
    pub bad: Release,
    /// After each release: answers, and those of them that were not version 2's right ones.
    pub after_good: (u64, u64),
    pub after_bad: (u64, u64),
}

impl Facts {
    /// What is not as it should be, in sentences; empty when all is.
    pub(super) fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |right: bool, text: String| {
            if !right {
                wrong.push(text);
            }
        };
        let counts = &self.counts;
        must(counts.lost() == 0, format!("{} requests were lost: {:?}", counts.lost(), counts.lost));
        must(counts.open == 0, format!("{} requests are still open", counts.open));
        let least = 0.9 * f64::from(self.rate) * self.seconds;
        must(counts.sent as f64 >= least, format!("{} requests were sent, and {least:.0} is the least", counts.sent));
        for version in ["1", "2"] {
            let answers = counts.of(version);
            must(answers.good > 0, format!("version {version} answered nothing"));
            must(answers.bad == 0, format!("version {version} answered {} requests badly", answers.bad));
        }
        must(counts.of("3").bad > 0, "version 3 failed no request, so nothing was shown".to_owned());
        for (release, name, ending, code) in
            [(&self.good, "good", Ending::Promoted, exit::DONE), (&self.bad, "bad", Ending::RolledBack, exit::FAILED)]
        {
            must(
                release.ending == Some(ending) && release.exit == Some(i32::from(code)) && release.turned_ms.is_some(),
                format!(
                    "the {name} release ended as {:?}, and `serin deploy` with {:?}",
                    release.ending.map(Ending::words),
                    release.exit
                ),
            );
        }
        for ((all, others), when) in [(self.after_good, "promotion"), (self.after_bad, "rollback")] {
            must(all > 0 && others == 0, format!("after the {when}, {others} of {all} answers were not version 2's"));
        }
        wrong
    }

    /// For people.
    pub(super) fn text(&self, paint: Paint, kept: Option<String>) -> String {
        let (counts, mut out) = (&self.counts, format!("\n{}\n", paint.bold("What happened")));
        let mut row = |name: &str, text: String| {
            let _ = writeln!(out, "  {name:<14}{text}");
        };
        let seconds = |ms: Option<u64>| ms.map_or("?".to_owned(), |ms| format!("{:.1}", ms as f64 / 1000.0));
        row("requests", format!("{} sent at {} per second, {} answered", counts.sent, self.rate, counts.answered()));
        let failures = match counts.bad() {
            0 => "none".to_owned(),
            _ => counts.versions.iter().filter(|(_, a)| a.bad > 0).fold(String::new(), |text, (version, a)| {
                let comma = if text.is_empty() { "" } else { ", " };
                format!(
                    "{text}{comma}{} answers of 500, made by version {version} itself: so many it took to find out",
                    a.bad
                )
            }),
        };
        row("failures", failures);
        row(
            "good release",
            match self.good.ending {
                Some(Ending::Promoted) => paint.green(&format!(
                    "promoted after {} s; {} bad answers",
                    seconds(self.good.turned_ms),
                    self.good.bad
                )),
                other => paint.red(other.map_or("not ended", Ending::words)),
            },
        );
        row(
            "bad release",
            match self.bad.ending {
                Some(Ending::RolledBack) => paint.green(&format!(
                    "rolled back after {} s with {} bad answers, then none of {}",
                    seconds(self.bad.turned_ms),
                    self.bad.bad,
                    self.after_bad.0
                )),
                other => paint.red(other.map_or("not ended", Ending::words)),
            },
        );
        let lost = format!("{}", counts.lost());
        row("lost", if counts.lost() == 0 { paint.green(&lost) } else { paint.red(&lost) });
        let wrong = self.wrong();
        if wrong.is_empty() {
            let _ = writeln!(out, "\n{}", paint.bold("Next: the same with your own program"));
            let _ = writeln!(out, "  Write serin.yaml (docs/guides/getting-started.md; `serin lint` helps), then");
            for (command, about) in [
                ("serin serve", "runs it behind the proxy, and takes releases"),
                ("serin deploy", "after an edit: releases the new version, watched as here"),
                ("serin status -w", "what goes on, and what it waits for"),
            ] {
                let _ = writeln!(out, "    {command:<17}{}", paint.dim(about));
            }
        } else {
            let _ = writeln!(out, "\n{}", paint.red("That is not how it should be:"));
            for text in wrong {
                let _ = writeln!(out, "  {text}");
            }
        }
        if let Some(kept) = kept {
            let _ = writeln!(out, "\n{kept}");
        }
        out
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let counts = &self.counts;
        let release = |release: &Release| {
            json!({
                "rollout": release.number,
                "exit": release.exit,
                "ending": release.ending,
                "turned_ms": release.turned_ms,
                "took_ms": release.took_ms,
                "bad": release.bad,
                "lost": release.lost,
            })
        };
        let versions = counts.versions.iter();
        let versions = versions.map(|(v, a)| (v.clone(), json!({ "good": a.good, "bad": a.bad })));
        json!({
            "ok": self.wrong().is_empty(),
            "wrong": self.wrong(),
            "rate": self.rate,
            "seconds": self.seconds,
            "due": counts.due,
            "sent": counts.sent,
            "answered": counts.answered(),
            "bad": counts.bad(),
            "lost": counts.lost(),
            "lost_by": counts.lost,
            "versions": serde_json::Map::from_iter(versions),
            "good_release": release(&self.good),
            "bad_release": release(&self.bad),
            "after_good": { "answers": self.after_good.0, "others": self.after_good.1 },
            "after_bad": { "answers": self.after_bad.0, "others": self.after_bad.1 },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::Answers;
    use super::*;

    fn right() -> Facts {
        let answers = |good, bad| Answers { good, bad };
        let versions = [("1", answers(300, 0)), ("2", answers(680, 0)), ("3", answers(15, 5))];
        let release = |ending, exit| Release {
            ending: Some(ending),
            exit: Some(exit),
            turned_ms: Some(4000),
            ..Release::default()
        };
        Facts {
            rate: 100,
            seconds: 10.0,
            counts: Counts {
                due: 1000,
                sent: 1000,
                versions: versions.into_iter().map(|(v, a)| (v.to_owned(), a)).collect(),
                ..Counts::default()
            },
            good: release(Ending::Promoted, 0),
            bad: release(Ending::RolledBack, 1),
            after_good: (300, 0),
            after_bad: (300, 0),
        }
    }

    #[test]
    fn all_is_well_only_when_everything_happened() {
        assert_eq!(right().wrong(), Vec::<String>::new());
        let spoil: [fn(&mut Facts); 9] = [
            |f| f.counts.lost.extend([("reset".to_owned(), 1)]),
            |f| f.counts.sent = 800,
            |f| f.counts.open = 1,
            |f| f.counts.versions.extend([("2".to_owned(), Answers { good: 1, bad: 1 })]),
            |f| f.counts.versions.extend([("3".to_owned(), Answers { good: 20, bad: 0 })]),
            |f| f.good.ending = Some(Ending::RolledBack),
            |f| f.bad.exit = Some(0),
            |f| f.after_good.1 = 1,
            |f| f.after_bad = (0, 0),
        ];
        for (number, spoil) in spoil.into_iter().enumerate() {
            let mut facts = right();
            spoil(&mut facts);
            assert_eq!(facts.wrong().len(), 1, "{number}: {:?}", facts.wrong());
        }
    }
}
