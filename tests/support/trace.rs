//! Programs run inside of other programs: under `strace`, `faketime`, `unshare`.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Calls that change files, each counted by itself.
pub const CALLS: &[&str] = &[
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "symlink",
    "chmod",
];
/// More calls of one kind than any run makes.
pub const CALLS_MAX: usize = 300;

/// Whether a tool works here; says what was not tried if not.
pub fn can(tool: &[&str], what: &str) -> bool {
    let mut command = Command::new(tool[0]);
    command
        .args(&tool[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let can = command.status().is_ok_and(|status| status.success());
    if !can {
        eprintln!("SKIPPED: {} does not work here; {what} not tried", tool[0]);
    }
    can
}

/// `inner` as arguments of another program, with its environment and folder.
pub fn through(outer: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(outer[0]);
    command
        .args(&outer[1..])
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(inner.get_current_dir().unwrap());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Whether calls can be traced here; says so if not.
pub fn can_trace() -> bool {
    let strace = ["strace", "-qq", "-o", "/dev/null", "true"];
    can(&strace, "kills and errors at every call were")
}

/// Runs a program until just before the `number`th `call`; says whether it was killed.
pub fn killed_at(program: &Command, call: &str, number: usize) -> bool {
    let trace = format!("--trace={call}");
    let inject = format!("--inject={call}:signal=SIGKILL:when={number}");
    let strace = ["strace", "-qq", "-f", "-o", "/dev/null", &trace, &inject];
    let output = through(&strace, program).output().unwrap();
    output.status.code().is_none()
}

/// Runs a program on a disk that is full from the `number`th `call` on; says whether it ended well.
pub fn full_from(program: &Command, call: &str, number: usize) -> bool {
    let trace = format!("--trace={call}");
    let inject = format!("--inject={call}:error=ENOSPC:when={number}+");
    let strace = ["strace", "-qq", "-f", "-o", "/dev/null", &trace, &inject];
    through(&strace, program).status().unwrap().success()
}

/// Runs a program in each of whose threads a call on one file fails from the `number`th on.
pub fn failing(
    program: &Command,
    (file, call): (&Path, &str),
    error: &str,
    number: usize,
) -> ExitStatus {
    let trace = format!("--trace={call}");
    let inject = format!("--inject={call}:error={error}:when={number}+");
    let file = format!("--trace-path={}", file.display());
    let strace = [
        "strace",
        "-qq",
        "-f",
        "-o",
        "/dev/null",
        &trace,
        &inject,
        &file,
    ];
    through(&strace, program).status().unwrap()
}
