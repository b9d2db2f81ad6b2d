//! The binary `streembit`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::program::start::<node::args::Args>()
}
