//! The binary `streembit-tuf`: exit code 0 or 1, as the conformance suite's protocol has it.

use std::process::ExitCode;

fn main() -> ExitCode {
    if cli::program::start::<agent::tuf::args::Args>() == ExitCode::SUCCESS {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
