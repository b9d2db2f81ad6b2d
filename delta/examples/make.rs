//! Makes a delta with this crate alone: `make CODER BASE TARGET OUT`, where the coder is zstd or mixing. The
//! bytes are the same on every machine.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a program, not a part of the crate"
)]

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use delta::{Coder, CreateOptions};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [coder, base, target, out] = args.as_slice() else {
        eprintln!("make: wants CODER BASE TARGET OUT");
        return ExitCode::FAILURE;
    };
    let coder = match coder.as_str() {
        "mixing" => Coder::Mixing,
        _ => Coder::Zstd,
    };
    match make(coder, [base, target], out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("make: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(coder: Coder, [base, target]: [&str; 2], out: &str) -> Result<(), Box<dyn Error>> {
    let (base, target) = (fs::read(base)?, fs::read(target)?);
    let options = CreateOptions {
        coder,
        ..CreateOptions::default()
    };
    let mut delta = Vec::new();
    delta::create(&base, &target, &options, &|_| {}, &mut delta)?;
    fs::write(out, delta)?;
    Ok(())
}
