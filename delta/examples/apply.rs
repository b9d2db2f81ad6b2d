//! Applies a delta: `apply BASE DELTA OUT`.
//!
//! Reads base and delta where a segment needs them; nothing is held but one segment.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "a program of its own"
)]

use std::{
    error::Error,
    fs::File,
    io::{BufReader, BufWriter, Write as _},
    ops::ControlFlow,
    process::ExitCode,
};

use delta::Delta;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match apply(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("apply: {error}");
            ExitCode::FAILURE
        }
    }
}

fn apply(args: &[String]) -> Result<(), Box<dyn Error>> {
    let [base, patch, out] = args else {
        return Err("usage: apply BASE DELTA OUT".into());
    };
    let open = |path: &String| File::open(path).map_err(|error| format!("{path}: {error}"));
    let (mut base, patch) = (open(base)?, open(patch)?);
    let size = patch.metadata()?.len();
    // A device takes what it expects from signed metadata, never from the delta.
    let expected = delta::inspect(BufReader::new(&patch), size)?.claims;
    let mut opened = Delta::open(patch, size, &expected)?;
    let mut out = BufWriter::new(File::create(out).map_err(|error| format!("{out}: {error}"))?);
    delta::apply(&mut opened, &mut base, &mut out, |_| {
        ControlFlow::Continue(())
    })?;
    out.flush()?;
    Ok(())
}
