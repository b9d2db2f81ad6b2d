//! The real executables, started as processes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a condition may take to come true before a test fails. Far above what it takes: a bad line has
/// no worst case.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// The passcode of keys in tests.
pub const PASSCODE: &str = "Correct horse 9 battery!";

/// The folder of this repository.
pub fn repository_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The folder with the executables. Cargo does not build other packages' executables for a test, so
/// this does, once; there is nothing to do when they are fresh.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).unwrap().to_owned();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build
            .args(["build", "--workspace", "--bins", "--quiet"])
            .current_dir(repository_root());
        if profile.file_name().is_some_and(|name| name == "release") {
            build.arg("--release");
        }
        build.arg("--target-dir").arg(profile.parent().unwrap());
        assert!(
            build.status().unwrap().success(),
            "cargo build --workspace --bins"
        );
        profile
    })
}

/// A command that finds the executables by name, in `folder`, without a terminal.
pub fn command(program: &str, in_folder: &Path) -> Command {
    let mut command = Command::new(folder().join(program));
    command
        .current_dir(in_folder)
        .env("STREEMBIT_PASSCODE", PASSCODE)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

/// Runs a program to its end.
pub fn run(program: &str, args: &[&str], in_folder: &Path) -> Output {
    command(program, in_folder).args(args).output().unwrap()
}

/// Runs a program that must succeed and returns the JSON it prints.
pub fn json(program: &str, args: &[&str], in_folder: &Path) -> serde_json::Value {
    let output = command(program, in_folder)
        .args(args)
        .arg("--json")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        text(&output)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// All that a program printed.
pub fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// Files below a folder that hold these bytes.
pub fn files_with(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else if path.is_file() {
            let content = std::fs::read(&path).unwrap();
            if content.windows(bytes.len()).any(|window| window == bytes) {
                found.push(path);
            }
        }
    }
    found
}

/// A program in the background; killed when dropped.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts it.
    pub fn start(program: &str, args: &[&str], in_folder: &Path) -> Self {
        let mut command = command(program, in_folder);
        Self(
            command
                .args(args)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    /// Starts it with its log in a file.
    pub fn start_logged(program: &str, args: &[&str], in_folder: &Path, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut command = command(program, in_folder);
        command.args(args).stdout(Stdio::null()).stderr(log);
        Self(command.spawn().unwrap())
    }

    /// Sends a signal, such as `TERM`, and waits for the end; the exit code, if it ended by itself.
    pub fn end_by(mut self, signal: &str) -> Option<i32> {
        let pid = self.0.id().to_string();
        let kill = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(kill.unwrap().success());
        self.0.wait().unwrap().code()
    }

    /// Waits for a condition while the program runs.
    pub fn wait_for<T>(&mut self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = condition() {
                return value;
            }
            if let Some(status) = self.0.try_wait().unwrap() {
                let mut log = String::new();
                if let Some(mut stderr) = self.0.stderr.take() {
                    stderr.read_to_string(&mut log).unwrap();
                }
                panic!("ended with {status} before {what}: {log}");
            }
            assert!(Instant::now() < deadline, "not in time: {what}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts to seed a repository; returns the program and the address of its node, which holds the head.
pub fn seed(repository: &Path) -> (Running, String) {
    let data = repository.join("seed");
    let (path, data_path) = (repository.to_str().unwrap(), data.to_str().unwrap());
    let args = [
        "-C",
        path,
        "seed",
        "--no-mdns",
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
    ];
    let mut seeder = Running::start("streembit-publisher", &args, repository);
    let address = seeder.wait_for("a node that listens and holds the head", || {
        let ask = ["status", "--json", "--data-directory", data_path];
        let status = run("streembit", &ask, repository);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).ok()?;
        let held = status.get("records")?.as_u64()? >= 1;
        let address = status.pointer("/listening/0")?.as_str()?;
        held.then(|| address.to_owned())
    });
    (seeder, address)
}

/// Replaces each key by its value.
pub fn substitute(line: &str, with: &BTreeMap<&str, String>) -> String {
    with.iter()
        .fold(line.to_owned(), |line, (from, to)| line.replace(from, to))
}
