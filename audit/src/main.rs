//! The binary `streembit-audit`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::program::start::<audit::args::Args>()
}
