//! Makes deltas: `make BASE TARGET OUT [--coder zstd|mixing|both] [--threads N]`.
//!
//! With `both`, one search serves both coders, and `OUT.zstd` and `OUT.mixing` are written.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "a program of its own"
)]

use std::{
    error::Error,
    fs::{self, File},
    process::ExitCode,
};

use delta::{Coder, CreateOptions, Matched};

/// What the command line asks for.
struct Order {
    base: String,
    target: String,
    /// Files to write, each with its coder.
    outputs: Vec<(String, Coder)>,
    threads: usize,
}

fn main() -> ExitCode {
    match order(std::env::args().skip(1)).and_then(|order| make(&order)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("make: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(order: &Order) -> Result<(), Box<dyn Error>> {
    let base = fs::read(&order.base).map_err(|error| format!("{}: {error}", order.base))?;
    let target = fs::read(&order.target).map_err(|error| format!("{}: {error}", order.target))?;
    let matched = Matched::new(&base, &target)?;
    for (path, coder) in &order.outputs {
        let options = CreateOptions {
            threads: order.threads,
            coder: *coder,
            ..CreateOptions::default()
        };
        let mut out = File::create(path).map_err(|error| format!("{path}: {error}"))?;
        matched.create(&options, &|_| {}, &mut out)?;
    }
    Ok(())
}

fn order(mut args: impl Iterator<Item = String>) -> Result<Order, Box<dyn Error>> {
    let (mut paths, mut coder, mut threads) = (Vec::new(), "zstd".to_owned(), 1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--coder" => coder = args.next().ok_or("--coder needs a name")?,
            "--threads" => threads = args.next().ok_or("--threads needs a number")?.parse()?,
            _ => paths.push(arg),
        }
    }
    let [base, target, out] = <[String; 3]>::try_from(paths)
        .map_err(|_| "usage: make BASE TARGET OUT [--coder zstd|mixing|both] [--threads N]")?;
    let outputs = match coder.as_str() {
        "zstd" => vec![(out, Coder::Zstd)],
        "mixing" => vec![(out, Coder::Mixing)],
        "both" => vec![
            (format!("{out}.zstd"), Coder::Zstd),
            (format!("{out}.mixing"), Coder::Mixing),
        ],
        _ => return Err(format!("no coder {coder}: zstd, mixing or both").into()),
    };
    Ok(Order {
        base,
        target,
        outputs,
        threads,
    })
}
