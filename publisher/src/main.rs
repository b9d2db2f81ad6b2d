//! The binary `streembit-publisher`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::program::start::<publisher::args::Args>()
}
