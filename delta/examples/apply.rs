//! Applies a delta with this crate alone, as a small device could: `apply BASE DELTA OUT`.
//!
//! What the delta says of base and target is believed here. A device takes it from signed metadata.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "a program, not a part of the crate"
)]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::ops::ControlFlow;
use std::process::ExitCode;

use delta::Delta;

fn main() -> ExitCode {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [base, delta, out] = paths.as_slice() else {
        eprintln!("apply: wants BASE DELTA OUT");
        return ExitCode::FAILURE;
    };
    match apply(base, delta, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("apply: {delta}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn apply(base: &str, delta: &str, out: &str) -> Result<(), Box<dyn Error>> {
    let mut base = File::open(base)?;
    let file = File::open(delta)?;
    let size = file.metadata()?.len();
    let info = delta::inspect(&file, size)?;
    let mut opened = Delta::open(file, size, &info.claims)?;
    let mut writer = BufWriter::new(File::create(out)?);
    delta::apply(&mut opened, &mut base, &mut writer, |_| {
        ControlFlow::Continue(())
    })?;
    Ok(())
}
