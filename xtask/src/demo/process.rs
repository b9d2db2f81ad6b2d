//! Child processes: started with a log file each, always ended with the demo.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Between two looks at whether something has happened.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How long a process has to come up.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Why the demo ends early.
#[derive(Debug)]
pub(super) struct Failure(String);

impl Failure {
    pub(super) fn new(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A running process; killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    log: PathBuf,
    name: String,
}

impl Process {
    /// Starts `program` in `folder`; what it prints goes to `<name>.log` there.
    pub(super) fn start<S: AsRef<OsStr>>(
        program: &Path,
        args: impl IntoIterator<Item = S>,
        (folder, name): (&Path, &str),
    ) -> Result<Self, Failure> {
        let log = folder.join(format!("{name}.log"));
        let open = || {
            let out = File::options().create(true).append(true).open(&log)?;
            Ok((out.try_clone()?, out))
        };
        let (out, err) = open().map_err(|error: std::io::Error| Failure::new(name, error))?;
        let child = Command::new(program)
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| Failure::new(program.display(), error))?;
        Ok(Self {
            child,
            log,
            name: name.to_owned(),
        })
    }

    /// The exit code if it has ended; 255 if a signal ended it.
    pub(super) fn ended(&mut self) -> Result<Option<i32>, Failure> {
        let status = self
            .child
            .try_wait()
            .map_err(|error| Failure::new(&self.name, error))?;
        Ok(status.map(|status| status.code().unwrap_or(255)))
    }

    /// The most memory it has used so far, in bytes (`VmHWM` of proc(5)); 0 once it has ended.
    pub(super) fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    /// The failure of a process that should still run.
    pub(super) fn failure(&self, code: i32) -> Failure {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(8).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        Failure::text(format!(
            "{} ended with code {code}:\n{}",
            self.name,
            tail.join("\n")
        ))
    }

    /// Waits until `ready` gives something.
    pub(super) fn wait_until<T>(
        &mut self,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(value) = ready() {
                return Ok(value);
            }
            if let Some(code) = self.ended()? {
                return Err(self.failure(code));
            }
            if Instant::now() >= deadline {
                return Err(Failure::text(format!("{} is not ready in time", self.name)));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a program to its end and returns the JSON it prints.
pub(super) fn json<S: AsRef<OsStr>>(
    program: &Path,
    args: impl IntoIterator<Item = S>,
    folder: &Path,
) -> Result<Value, Failure> {
    let name = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let output = Command::new(program)
        .args(args)
        .arg("--json")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::new(&name, error))?;
    if !output.status.success() {
        return Err(Failure::new(&name, String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| Failure::new(&name, error))
}

/// A string member of what a program printed.
pub(super) fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
