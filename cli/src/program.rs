//! The frame of a `main`: arguments, logging, result, exit code.

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::exit::{CliError, Exit};
use crate::logging;
use crate::output::Output;

/// Options that every command of every binary takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Print results as JSON, one object per line
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Log more to standard error (-v decisions, -vv details, -vvv all); RUST_LOG overrides it
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How log lines look
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "STREEMBIT_LOG_FORMAT"
    )]
    pub log_format: logging::Format,
}

impl Common {
    /// The output these options ask for.
    pub fn output(&self) -> Output {
        Output {
            json: self.json,
            quiet: self.quiet,
        }
    }
}

/// A binary's command line.
pub trait Program: Parser {
    /// Name for errors.
    const NAME: &'static str;
    /// The shared options.
    fn common(&self) -> &Common;
    /// Does what was asked.
    ///
    /// # Errors
    /// [`CliError`] with the exit code.
    fn run(self) -> Result<Exit, CliError>;
}

/// Parses the arguments, runs the program, reports an error and returns the exit code.
pub fn start<P: Program>() -> ExitCode {
    forbid_dumps();
    let program = match P::try_parse() {
        Ok(program) => program,
        Err(error) => {
            let usage = error.use_stderr();
            let printed = error.print();
            let failed = printed.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe);
            return if usage || failed {
                code(Exit::Usage)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let common = program.common().clone();
    logging::start(common.verbose, common.log_format);
    match program.run() {
        Ok(exit) => code(exit),
        Err(error) => {
            common.output().error(P::NAME, &error);
            code(error.exit)
        }
    }
}

/// A core file would hold keys and passcodes, and so does the memory that other programs of the same user could
/// otherwise read (threats K75).
fn forbid_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Where these are refused there is nothing left to do.
    let _refused = setrlimit(Resource::Core, none);
    let _refused = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}

/// Prints a shell completion script for a binary.
pub fn completions<P: CommandFactory>(shell: Shell, name: &str) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut P::command(), name, &mut script);
    let text = String::from_utf8_lossy(&script);
    // A closed pipe is the reader's choice.
    drop(Output::default().result(&text, &text));
}

pub use clap_complete::Shell;
