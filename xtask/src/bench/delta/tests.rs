//! The pure parts: apt's texts, pairs, command lines, front, goals, tables, plots, the document.

use std::path::Path;

use super::apt::{self, Package};
use super::document;
use super::front::pareto;
use super::goal::goals;
use super::pair::{self, Source};
use super::plot;
use super::results::{Cost, PairResult, Results, Row};
use super::scale::{self, Scale};
use super::table;
use super::tool::{Files, Tool};

fn cost(user_seconds: f64, memory_bytes: u64) -> Option<Cost> {
    Some(Cost {
        user_seconds,
        memory_bytes,
    })
}

fn row(tool: Tool, patch_bytes: u64, create: Option<Cost>, apply: Option<Cost>) -> Row {
    Row {
        tool,
        patch_bytes,
        create,
        apply,
        python: false,
    }
}

fn pair(name: &str, rows: Vec<Row>) -> PairResult {
    PairResult {
        name: name.to_owned(),
        what: "two <images>".to_owned(),
        tuned: false,
        old_bytes: 33_000_000,
        new_bytes: 33_000_000,
        rows,
        both: cost(30.0, 1 << 28),
        left_out: vec!["rdiff: left out".to_owned()],
    }
}

fn results(pairs: Vec<PairResult>) -> Results {
    let mut results = Results::new(vec!["Processor: one".to_owned()]);
    results.pairs = pairs;
    results
}

fn kernel() -> PairResult {
    pair(
        "kimg",
        vec![
            row(
                Tool::Mixing,
                1_600_000,
                cost(20.0, 1 << 27),
                cost(2.0, 12 << 20),
            ),
            row(
                Tool::Zstd,
                2_100_000,
                cost(15.0, 1 << 27),
                cost(0.02, 5 << 20),
            ),
            row(
                Tool::Hdiffz,
                2_000_000,
                cost(8.0, 1 << 27),
                cost(0.04, 4 << 20),
            ),
            row(
                Tool::Bsdiff,
                2_600_000,
                cost(35.0, 1 << 28),
                cost(0.5, 74 << 20),
            ),
        ],
    )
}

#[test]
fn front_holds_what_nothing_beats_in_both() {
    let points = [(3.0, 1.0), (1.0, 3.0), (2.0, 2.0), (2.5, 2.5), (1.0, 4.0)];
    assert_eq!(pareto(&points), [1, 2, 0]);
    assert_eq!(pareto(&[(1.0, 1.0), (1.0, 1.0)]), [0]);
    assert!(pareto(&[]).is_empty());
}

#[test]
fn goals_are_met_or_not_by_share() {
    let goals = goals(&results(vec![kernel()]));
    let text: Vec<String> = goals
        .iter()
        .map(|goal| format!("{} {:.3} {}", goal.what, goal.share, goal.is_met()))
        .collect();
    assert_eq!(
        text,
        [
            "kimg: mixing against the prototype's 1748138 bytes 0.915 true",
            "kimg: zstd against hdiffz 1.050 false",
            "kimg: CPU to apply mixing, per byte, against the prototype 0.330 true",
            "all: memory to apply mixing against 16 MiB 0.750 true",
            "kimg: CPU to create by both coders against bsdiff 0.857 true",
        ]
    );
}

#[test]
fn goals_on_own_builds_are_shares_of_hdiffz() {
    let rows = |mixing| {
        vec![
            row(
                Tool::Mixing,
                mixing,
                cost(9.0, 1 << 27),
                cost(1.0, 12 << 20),
            ),
            row(Tool::Hdiffz, 1000, cost(7.0, 1 << 27), cost(0.1, 4 << 20)),
        ]
    };
    let found = goals(&results(vec![
        pair("upd", rows(640)),
        pair("big", rows(971)),
    ]));
    let of = |start: &str| {
        let found = found.iter().find(|goal| goal.what.starts_with(start));
        found.unwrap().is_met()
    };
    assert!(!of("upd: mixing"));
    assert!(!of("big: mixing"));
    assert!(!of("upd: CPU to create"));
    let found = goals(&results(vec![
        pair("upd", rows(628)),
        pair("big", rows(970)),
    ]));
    let sizes = found.iter().filter(|goal| goal.what.contains(": mixing"));
    assert!(sizes.clone().count() == 2 && sizes.clone().all(|goal| goal.is_met()));
}

#[test]
fn table_marks_the_least_and_what_is_from_the_reference() {
    let mut kernel = kernel();
    kernel.rows[2] = row(Tool::Hdiffz, 2_000_000, None, None);
    let text = table::all(&results(vec![kernel]));
    assert!(
        text.contains("| kimg | **1600000** | 2100000 | 2000000* | 2600000 |"),
        "{text}"
    );
    assert!(text.contains("| kimg | 0.800 | 1.050 | 1.000 | 1.300 |"));
    assert!(text.contains("20.0 s / 134 MB"));
    assert!(text.contains("* kimg: rdiff: left out"));
    assert!(text.contains("| pair | ours, mixing | ours, zstd | hdiffz | bsdiff |\n|-|-:|"));
}

#[test]
fn scale_places_and_marks_values() {
    let scale = Scale::of([1e5, 1e7].into_iter(), (0.0, 100.0));
    assert!(scale.at(1e5) > 0.0 && scale.at(1e7) < 100.0);
    assert!((scale.at(1e6) - 50.0).abs() < 1e-6);
    assert!(scale.marks().len() >= 3);
    let one = Scale::of([5.0].into_iter(), (0.0, 100.0));
    assert!((one.at(5.0) - 50.0).abs() < 1e-6);
    let read = [scale::bytes(2e6), scale::bytes(1.5e3), scale::seconds(0.02)];
    assert_eq!(read, ["2 MB", "1.5 kB", "20 ms"]);
}

#[test]
fn plot_names_every_tool_in_both_panels() {
    let svg = plot::svg(&kernel());
    for label in ["ours, mixing", "ours, zstd", "hdiffz", "bsdiff"] {
        assert_eq!(svg.matches(&format!(">{label}<")).count(), 2, "{label}");
    }
    assert!(svg.contains("two &lt;images&gt;"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    assert!(plot::svg(&pair("empty", Vec::new())).ends_with("</svg>\n"));
}

#[test]
fn section_replaces_what_stands_between_the_markers() {
    let text = "a\n<!-- bench delta: begin -->\nold\n<!-- bench delta: end -->\nb\n";
    let new = document::replace(text, "new").unwrap();
    assert_eq!(
        new,
        "a\n<!-- bench delta: begin -->\nnew\n<!-- bench delta: end -->\nb\n"
    );
    assert!(document::replace("no markers", "new").is_none());
    assert!(document::section(&results(vec![kernel()])).contains("(benchmarks/kimg.svg)"));
}

#[test]
fn texts_of_apt_are_read() {
    let package = |name: &str, version: &str| Package {
        name: name.to_owned(),
        version: version.to_owned(),
    };
    let simulated = "Reading…\nInst libc6 (2.36-9 Debian:12.1/oldstable [arm64]) []\nConf libc6\n\
        Inst base-files [12.1] (12.4 Debian:12.1/oldstable [arm64])\n";
    assert_eq!(
        apt::installed(simulated),
        [package("libc6", "2.36-9"), package("base-files", "12.4")]
    );
    let madison = "  curl | 7.88-1 | http://mirror.example/debian bookworm/main arm64 Packages\n";
    assert_eq!(apt::listed(madison), [package("curl", "7.88-1")]);
}

#[test]
fn sources_take_each_suite_from_its_archive() {
    let mirrors = "http://other.example/ nodistro -\nhttp://one.example/debian/ bookworm Debian\n\
        http://one.example/security/ bookworm-security Debian\n";
    let text = apt::sources(mirrors, &["trixie", "trixie-security"], false).unwrap();
    assert_eq!(
        text,
        "deb http://one.example/debian/ trixie main non-free-firmware\n\
         deb http://one.example/security/ trixie-security main non-free-firmware\n"
    );
    let none = apt::sources("", &["trixie"], true).unwrap_err().to_string();
    assert!(none.contains("no Debian archive of packages"), "{none}");
}

#[test]
fn pairs_are_chosen_by_name_or_file() {
    let all = pair::wanted(&[], &[]).unwrap();
    assert!(all.len() >= 10);
    let one = pair::wanted(&["kimg".to_owned()], &["mine=a,b".to_owned()]).unwrap();
    assert_eq!(one.len(), 2);
    assert!(matches!(&one[1].source, Source::Files { old, .. } if old == Path::new("a")));
    let unknown = pair::wanted(&["kernel".to_owned()], &[]).unwrap_err();
    assert!(unknown.to_string().contains("known: uboot"), "{unknown}");
    for bad in ["mine", "mine=a", "=a,b", "../mine=a,b", "mine=a,"] {
        assert!(pair::wanted(&[], &[bad.to_owned()]).is_err(), "{bad}");
    }
}

#[test]
fn window_of_zstd_covers_both_images() {
    let path = Path::new;
    let files = Files {
        old: path("old"),
        new: path("new"),
        patch: path("patch"),
        out: path("out"),
        bytes: 33_000_000,
    };
    let programs = super::Programs::without_ours(super::HDiff::Program("bin/hdiffz".into()));
    let line = programs.create(Tool::ZstdFast, files).concat();
    assert!(line.contains(&"--long=26".into()) || line.contains(&"--long=27".into()));
    assert_eq!(programs.create(Tool::Rdiff, files).len(), 2);
    assert_eq!(programs.apply(Tool::Hdiffz, files)[0], "bin/hpatchz");
    assert!(programs.idle(Tool::Hdiffz).is_none());
    assert!(Tool::Bsdiff.left_out(65 << 20).is_some() && Tool::Bsdiff.left_out(1).is_none());
}
