//! Our client against python-tuf 7.0.0, the reference implementation: both get the same devices and the
//! same repositories, right and wrong ones, made by chance from a seed. Where they differ, the
//! difference must belong to a class that is named and explained; all else fails.
//!
//! `STREEMBIT_SEED` is the seed, `STREEMBIT_CASES` the number of cases, `STREEMBIT_FIRST` the first of them,
//! `STREEMBIT_PYTHON_TUF` a Python that has python-tuf; without it a virtual environment is made below
//! `target`.

mod case;
mod classes;
mod damage;
mod document;
mod evidence;
mod forge;
mod mutation;
mod oracle;
mod run;
mod seeded;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use case::Case;
use oracle::Oracle;
use verdict::Verdict;

const SEED: u64 = 0x7075_7475;
const CASES: u64 = 10_000;
/// Processes of python-tuf, each with a thread of ours.
const WORKERS: u64 = 2;
/// Of 100 changed cases so many at least are accepted by both: what is accepted alone is compared in
/// full.
const ACCEPTED_SHARE_MIN: u64 = 30;
/// Kinds of refusals that must occur.
const REFUSAL_KINDS_MIN: usize = 80;
/// Of 100 cases so many at least end with a target that both find.
const FOUND_SHARE_MIN: u64 = 5;
/// Differences that are printed in full.
const PRINTED_MAX: usize = 5;

/// What the cases came to.
#[derive(Debug, Default)]
struct Tally {
    cases: u64,
    changed: u64,
    changed_accepted: u64,
    accepted: u64,
    found: u64,
    refused: u64,
    classes: BTreeMap<&'static str, u64>,
    refusals: BTreeMap<String, u64>,
    exceptions: BTreeSet<String>,
    unexplained: Vec<String>,
}

/// The same verdict as the reference implementation, or a reason.
#[test]
fn agrees_with_python_tuf() {
    let python = match oracle::interpreter() {
        Ok(python) => python,
        Err(why) => {
            eprintln!("SKIPPED: no python-tuf: {why}");
            return;
        }
    };
    let seed = number("STREEMBIT_SEED", SEED);
    let cases = number("STREEMBIT_CASES", CASES);
    let first = number("STREEMBIT_FIRST", 0);
    let work = |worker| {
        work(
            &python,
            seed,
            (first + worker..first + cases).step_by(usize::try_from(WORKERS).unwrap()),
        )
    };
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect()
    });
    let mut all = Tally::default();
    for tally in tallies {
        all.add(tally);
    }
    all.print(seed);
    all.check(cases);
}

/// The table for readers has every class and no other.
#[test]
fn classes_are_documented() {
    let text = include_str!("../docs/interoperability.md");
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.split(" | ").count() == 3);
    let documented: BTreeSet<&str> = rows
        .skip(1)
        .filter_map(|row| row[2..].split(" | ").next())
        .collect();
    let written: BTreeSet<&str> = classes::all().map(|class| class.name).collect();
    assert_eq!(documented, written);
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// Runs the cases with these numbers.
fn work(python: &Path, seed: u64, indices: impl Iterator<Item = u64>) -> Tally {
    let mut oracle = Oracle::start(python);
    let mut tally = Tally::default();
    for index in indices {
        let case = Case::build(seed, index);
        oracle.ask(&case);
        let ours = run::follow(&case);
        let theirs = oracle.answer();
        tally.count(
            &Verdict {
                case: &case,
                ours: &ours,
                theirs: &theirs,
            },
            (seed, index),
        );
    }
    tally
}

impl Tally {
    fn count(&mut self, verdict: &Verdict<'_>, (seed, index): (u64, u64)) {
        self.cases += 1;
        let changed = !verdict.case.mutations.is_empty();
        self.changed += u64::from(changed);
        if let Some(error) = verdict.ours.refusal() {
            *self.refusals.entry(verdict::kind(error)).or_default() += 1;
        }
        self.exceptions
            .extend(verdict.their_refusal().map(|refusal| refusal.class.clone()));
        let Some(difference) = verdict.difference() else {
            let accepted = u64::from(verdict.both_accept());
            self.accepted += accepted;
            self.found += accepted * u64::from(!verdict.ours.found.is_null());
            self.refused += 1 - accepted;
            self.changed_accepted += accepted * u64::from(changed);
            return;
        };
        match classes::of(&difference, verdict) {
            Some(class) => *self.classes.entry(class.name).or_default() += 1,
            None => self
                .unexplained
                .push(report(verdict, &difference, (seed, index))),
        }
    }

    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.changed += other.changed;
        self.changed_accepted += other.changed_accepted;
        self.accepted += other.accepted;
        self.found += other.found;
        self.refused += other.refused;
        for (class, count) in other.classes {
            *self.classes.entry(class).or_default() += count;
        }
        for (kind, count) in other.refusals {
            *self.refusals.entry(kind).or_default() += count;
        }
        self.exceptions.extend(other.exceptions);
        self.unexplained.extend(other.unexplained);
    }

    fn print(&self, seed: u64) {
        let Self {
            cases,
            changed,
            changed_accepted,
            accepted,
            refused,
            ..
        } = self;
        eprintln!("seed {seed}: {cases} cases, both accept {accepted}, both refuse {refused}");
        eprintln!("both find the same target in {}", self.found);
        eprintln!("of {changed} changed cases both accept {changed_accepted}");
        eprintln!(
            "{} kinds of refusals, exceptions {:?}",
            self.refusals.len(),
            self.exceptions
        );
        for class in classes::all() {
            let count = self.classes.get(class.name).copied().unwrap_or_default();
            eprintln!("{count:6} {}: {}", class.name, class.why);
        }
    }

    /// Nothing is unexplained, and the cases were worth their time.
    fn check(&self, cases: u64) {
        let shown: Vec<_> = self.unexplained.iter().take(PRINTED_MAX).cloned().collect();
        assert!(
            shown.is_empty(),
            "{} unexplained differences, such as\n{}",
            self.unexplained.len(),
            shown.join("\n"),
        );
        assert_eq!(self.cases, cases);
        // A handful of cases, to look into one of them, need not be varied.
        if cases < CASES {
            return;
        }
        let share = self.changed_accepted * 100 / self.changed.max(1);
        assert!(
            share >= ACCEPTED_SHARE_MIN,
            "both accept {share} % of the changed cases"
        );
        let found = self.found * 100 / self.cases.max(1);
        assert!(
            found >= FOUND_SHARE_MIN,
            "both find a target in {found} % of the cases"
        );
        let kinds = self.refusals.len();
        assert!(kinds >= REFUSAL_KINDS_MIN, "{kinds} kinds of refusals");
    }
}

/// What it takes to look into a difference.
fn report(
    verdict: &Verdict<'_>,
    difference: &verdict::Difference,
    (seed, index): (u64, u64),
) -> String {
    let ours = verdict.ours.refusal().map(ToString::to_string);
    let theirs = verdict.their_refusal();
    format!(
        "{difference:?}: seed {seed}, case {index}, changes {:?}\n  ours: {ours:?} found {}\n  theirs: {theirs:?} found {}",
        verdict.case.mutations, verdict.ours.found, verdict.theirs.found,
    )
}
