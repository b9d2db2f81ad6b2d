//! `cargo xtask bench node`: the memory of an idle node, as full and as leaf.

use std::fs;
use std::io::{self, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use super::section;

const DOCUMENT: &str = "docs/benchmarks.md";
const NAME: &str = "node";
/// What is measured: the mode, whether among other nodes, and the resident MiB that it may have.
const GOALS: [(&str, bool, f64); 3] = [
    ("leaf", false, 12.0),
    ("leaf", true, 12.0),
    ("full", true, 32.0),
];
/// Other nodes around the one that is measured.
const PEERS: usize = 4;

/// What to measure, and what to do with the figures.
#[derive(Debug, clap::Args)]
pub(crate) struct Plan {
    /// Write the section of docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Seconds until a node counts as idle
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Why there is no figure.
#[derive(Debug)]
struct Failure(String);

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A node, killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What was measured of one node.
struct Figure {
    mode: &'static str,
    goal: f64,
    resident: f64,
    anonymous: f64,
    peak: f64,
    threads: u64,
    peers: u64,
}

/// Measures, prints and writes; exit 1 if a goal is missed or nothing can be measured.
pub(crate) fn run(root: &Path, plan: &Plan) -> ExitCode {
    let figures = match measure(root, plan) {
        Ok(figures) => figures,
        Err(Failure(why)) => {
            eprintln!("node: {why}");
            return ExitCode::FAILURE;
        }
    };
    let text = table(&figures, plan);
    println!("{text}");
    if plan.write
        && let Err(error) = section::write(&root.join(DOCUMENT), NAME, &text)
    {
        eprintln!("{DOCUMENT}: {error}");
        return ExitCode::FAILURE;
    }
    let met = figures.iter().all(|figure| figure.resident <= figure.goal);
    if met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn measure(root: &Path, plan: &Plan) -> Result<Vec<Figure>, Failure> {
    let program = build(root)?;
    let folder = tempfile::tempdir()?;
    let bootstrap = Node::new(&program, folder.path(), "bootstrap", &[])?;
    let named = bootstrap.address();
    let _first = bootstrap.start(&program, "full")?;
    let mut others = Vec::new();
    for number in 1..PEERS {
        let name = format!("peer{number}");
        let node = Node::new(&program, folder.path(), &name, std::slice::from_ref(&named))?;
        others.push(node.start(&program, "full")?);
    }
    let mut measured = Vec::new();
    for (mode, is_among, goal) in GOALS {
        let entrance = is_among.then_some(&named).into_iter().cloned();
        let entrance: Vec<String> = entrance.collect();
        let name = format!("{mode}-{}", entrance.len());
        let node = Node::new(&program, folder.path(), &name, &entrance)?;
        measured.push((mode, goal, node.start(&program, mode)?, node));
    }
    thread::sleep(Duration::from_secs(plan.seconds));
    let figure = |(mode, goal, running, node): &(&'static str, f64, Running, Node)| {
        let status = fs::read_to_string(format!("/proc/{}/status", running.0.id()))?;
        let number = |member: &str| number(&status, member);
        Ok(Figure {
            mode,
            goal: *goal,
            resident: mib(number("VmRSS")?),
            anonymous: mib(number("RssAnon")?),
            peak: mib(number("VmHWM")?),
            threads: number("Threads")?,
            peers: node.peers(&program)?,
        })
    };
    measured.iter().map(figure).collect()
}

fn build(root: &Path) -> Result<PathBuf, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args([
            "build",
            "--release",
            "--package",
            "node",
            "--bin",
            "streembit",
        ])
        .args(["--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()?;
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut built = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    let built = built.next_back();
    built.ok_or_else(|| Failure("cargo builds no program `streembit`".to_owned()))
}

/// A node's folder, key and settings.
struct Node {
    folder: PathBuf,
    key: PathBuf,
    port: u16,
    peer_id: String,
    bootstrap: Vec<String>,
}

impl Node {
    fn new(program: &Path, at: &Path, name: &str, bootstrap: &[String]) -> Result<Self, Failure> {
        let folder = at.join(name);
        fs::create_dir(&folder)?;
        let key = folder.join("account.key");
        let made = Command::new(program)
            .args([
                "account",
                "create",
                name,
                "--no-passcode",
                "--json",
                "--key",
            ])
            .arg(&key)
            .output()?;
        let said = String::from_utf8_lossy(&made.stderr);
        let account: serde_json::Value = serde_json::from_slice(&made.stdout)
            .map_err(|error| Failure(format!("account create: {error}: {said}")))?;
        let peer_id = account["peer_id"].as_str().unwrap_or_default().to_owned();
        // Free now, and nobody else's in the moment until the node takes it.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Self {
            folder,
            key,
            port,
            peer_id,
            bootstrap: bootstrap.to_vec(),
        })
    }

    fn start(&self, program: &Path, mode: &str) -> Result<Running, Failure> {
        let config = self.folder.join("node.toml");
        let settings = format!(
            "data-directory = {:?}\nmode = {mode:?}\nmdns = false\nlisten = [\"/ip4/127.0.0.1/tcp/{}\"]\n\
             bootstrap = {:?}\n",
            self.folder.join("data"),
            self.port,
            self.bootstrap
        );
        fs::write(&config, settings)?;
        let child = Command::new(program)
            .args(["run", "--quiet", "--config"])
            .arg(&config)
            .arg("--key")
            .arg(&self.key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        Ok(Running(child))
    }

    /// Where others dial it.
    fn address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", self.port, self.peer_id)
    }

    fn peers(&self, program: &Path) -> Result<u64, Failure> {
        Ok(self.status(program)?["peers"].as_u64().unwrap_or(0))
    }

    fn status(&self, program: &Path) -> Result<serde_json::Value, Failure> {
        let mut asked = Command::new(program)
            .args(["status", "--json", "--data-directory"])
            .arg(self.folder.join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut text = String::new();
        if let Some(stdout) = &mut asked.stdout {
            stdout.read_to_string(&mut text)?;
        }
        asked.wait()?;
        serde_json::from_str(&text).map_err(|error| Failure(format!("status: {error}")))
    }
}

/// A number of `/proc/PID/status`.
fn number(status: &str, member: &str) -> Result<u64, Failure> {
    let line = status.lines().find_map(|line| line.strip_prefix(member));
    let word = line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
    let missing = || Failure(format!("no {member} in the process's status"));
    word.and_then(|word| word.parse().ok()).ok_or_else(missing)
}

fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

fn table(figures: &[Figure], plan: &Plan) -> String {
    let mut text = format!(
        "`streembit run`, release profile, {} s after the start, alone and among {PEERS} full nodes on loopback:\n\n\
         | mode | resident | of it not of files | most | goal | threads | peers |\n|-|-:|-:|-:|-:|-:|-:|\n",
        plan.seconds
    );
    for figure in figures {
        text.push_str(&format!(
            "| {} | {:.1} MiB | {:.1} MiB | {:.1} MiB | {:.0} MiB | {} | {} |\n",
            figure.mode,
            figure.resident,
            figure.anonymous,
            figure.peak,
            figure.goal,
            figure.threads,
            figure.peers
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_status_are_found_by_name() {
        let status = "Name:\tstreembit\nVmHWM:\t   11264 kB\nVmRSS:\t   10240 kB\nThreads:\t3\n";
        assert_eq!(number(status, "VmRSS").unwrap(), 10_240);
        assert_eq!(number(status, "Threads").unwrap(), 3);
        assert!(number(status, "RssAnon").is_err());
        assert!((mib(10_240) - 10.0).abs() < f64::EPSILON);
    }
}
