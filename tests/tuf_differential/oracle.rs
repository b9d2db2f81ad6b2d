//! python-tuf in a process of its own: found or installed, asked, and its answers.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::case::Case;

/// Path of a Python that has python-tuf.
const INTERPRETER: &str = "STREEMBIT_PYTHON_TUF";
const PACKAGES: [&str; 2] = ["tuf==7.0.0", "securesystemslib[crypto]==1.4.0"];
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/tuf_oracle.py");
/// Fails unless the packages are there in the versions that the classes were written for.
const PROBE: &str = "import tuf, cryptography, securesystemslib; assert tuf.__version__ == '7.0.0'";

/// What python-tuf made of a case.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) refresh: Option<Refusal>,
    pub(super) search: Option<Refusal>,
    pub(super) found: Value,
    /// SHA-256 of every stored file by role.
    pub(super) stored: BTreeMap<String, String>,
}

/// An exception.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) class: String,
    /// Its text and those of its causes.
    pub(super) text: String,
}

/// A Python with python-tuf, made if need be; or why there is none.
pub(super) fn interpreter() -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os(INTERPRETER) {
        let given = PathBuf::from(given);
        return probe(&given).map(|()| given);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-tuf");
    let python = folder.join("bin/python");
    if probe(&python).is_ok() {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(PACKAGES))?;
    probe(&python).map(|()| python)
}

fn probe(python: &Path) -> Result<(), String> {
    run(Command::new(python).args(["-c", PROBE]))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{command:?}: {}",
        text.lines().last().unwrap_or_default()
    ))
}

/// The process.
#[derive(Debug)]
pub(super) struct Oracle {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    pub(super) fn start(python: &Path) -> Self {
        let mut command = Command::new(python);
        command
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self {
            questions: child.stdin.take(),
            child,
            answers,
        }
    }

    /// Poses a case; [`Oracle::answer`] takes the answer, so that we may work meanwhile.
    pub(super) fn ask(&mut self, case: &Case) {
        let stored = &case.stored;
        let top = [
            ("timestamp", &stored.timestamp),
            ("snapshot", &stored.snapshot),
            ("targets", &stored.targets),
        ];
        let top = top
            .into_iter()
            .filter_map(|(role, bytes)| Some((role, hex::encode(bytes.as_ref()?))));
        let roles = stored
            .roles
            .iter()
            .map(|(role, bytes)| (role.as_str(), hex::encode(bytes)));
        let trusted: BTreeMap<_, _> = top.chain(roles).collect();
        let files: BTreeMap<_, _> = case
            .files
            .iter()
            .map(|(name, bytes)| (name, hex::encode(bytes)))
            .collect();
        let question = json!({
            "root": hex::encode(&stored.root),
            "trusted": trusted,
            "files": files,
            "now": case.now.as_unix(),
            "path": case.path,
        });
        writeln!(self.questions.as_mut().unwrap(), "{question}").unwrap();
    }

    pub(super) fn answer(&mut self) -> Answer {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let mut answer: Value =
            serde_json::from_str(&line).expect("the oracle died, see its stderr");
        let refusal = |value: &Value| {
            let text = |index: usize| value[index].as_str().unwrap().to_owned();
            (!value.is_null()).then(|| Refusal {
                class: text(0),
                text: text(1),
            })
        };
        Answer {
            refresh: refusal(&answer["refresh"]),
            search: refusal(&answer["search"]),
            found: answer["found"].take(),
            stored: serde_json::from_value(answer["stored"].take()).unwrap(),
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.questions = None;
        drop(self.child.wait());
    }
}
