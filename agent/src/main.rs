//! The binary `streembit-agent`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::program::start::<agent::args::Args>()
}
