//! A log of 10^6 entries: appending them in flat memory, and verifying a pack in it. The benchmark `log` prints the table
//! of docs/benchmarks.md.
#![allow(clippy::print_stdout, reason = "a benchmark")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use audit::pack::Pack;
use audit::pin::Trusted;
use audit::verify::{Case, verify};
use manifests::instant::UtcTime;
use publisher::log::Log;

use crate::logged::{ORIGIN, Publisher};

/// Entries between two looks at the memory.
const STEP: u64 = 100_000;
/// Entries appended in one go.
const BATCH: u64 = 1000;
/// Bytes of an entry: those of a `hashedrekord`.
const ENTRY_BYTES: usize = 490;
/// Times that a pack is verified.
const TIMES: u32 = 50;

/// Runs it, with as many entries as the first argument says.
pub fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    match words.next().as_deref() {
        Some("verify") => measure_verify(&words.next().unwrap(), &words.next().unwrap()),
        Some(count) => run(count.parse().unwrap()),
        None => run(1_000_000),
    }
}

/// Resident KiB at most of this process until now, and now.
fn resident() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let of = |name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    (of("VmHWM:"), of("VmRSS:"))
}

fn run(count: u64) {
    let publisher = Publisher::empty();
    println!("| entries | appended and integrated, entries/s | resident |\n|-:|-:|-:|");
    let log = Log::new(&publisher.path("repository/log"), ORIGIN);
    let mut from = 0;
    while from < count {
        let (start, end) = (Instant::now(), count.min(from + STEP));
        while from < end {
            let until = end.min(from + BATCH);
            let entries: Vec<Vec<u8>> = (from..until).map(entry).collect();
            log.append(entries.iter().map(Vec::as_slice)).unwrap();
            log.integrate().unwrap();
            from = until;
        }
        let speed = STEP as f64 / start.elapsed().as_secs_f64();
        println!("| {from} | {speed:.0} | {:.1} MiB |", mib(resident().1));
    }
    let image = publisher.path("image");
    fs::write(&image, "image").unwrap();
    let start = Instant::now();
    publisher.ok(&[
        "release",
        image.to_str().unwrap(),
        "--version",
        "1",
        "--deltas",
        "0",
    ]);
    publisher.ok(&["evidence", "pack", "1", "-o", "pack"]);
    publisher.ok(&["pin", "-o", "cam.pin"]);
    println!(
        "\nA release, its pack and a pin, of that log: {:.1} s.",
        start.elapsed().as_secs_f64()
    );
    let pack = publisher.path("pack");
    println!("The pack has {} bytes.", fs::metadata(&pack).unwrap().len());
    let again = Command::new(std::env::current_exe().unwrap())
        .arg("verify")
        .args([&pack, &publisher.path("cam.pin")])
        .status();
    assert!(again.unwrap().success());
}

fn entry(number: u64) -> Vec<u8> {
    let mut entry = number.to_be_bytes().to_vec();
    entry.resize(ENTRY_BYTES, b'x');
    entry
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Reads and verifies, each time from the disk.
fn measure_verify(pack: &str, pin: &str) {
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..TIMES {
        let start = Instant::now();
        let trusted = Trusted::read(Path::new(pin)).unwrap();
        let pack = Pack::open(Path::new(pack)).unwrap();
        let case = Case {
            pack: &pack,
            trusted: &trusted,
            at: UtcTime::from_system(std::time::SystemTime::now()),
            images: &[],
        };
        let outcome = verify(&case);
        assert_eq!(outcome.exit(), cli::Exit::Done, "{:?}", outcome.findings);
        times.push(start.elapsed());
    }
    times.sort();
    let median = times[times.len() / 2].as_secs_f64() * 1000.0;
    println!(
        "Verifying it takes {median:.1} ms (median of {TIMES}) and {:.1} MiB at most.",
        mib(resident().0)
    );
}
