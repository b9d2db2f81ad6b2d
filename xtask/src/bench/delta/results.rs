//! The figures, as they are kept, printed and drawn. Numbers only: nothing is run here.

use serde::{Deserialize, Serialize};

use super::image::Images;
use super::measure::Run;
use super::pair::Pair;
use super::tool::Tool;

/// What a program took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cost {
    /// User CPU seconds of all its threads.
    pub(super) user_seconds: f64,
    /// Most memory held at a time.
    pub(super) memory_bytes: u64,
}

impl Cost {
    /// One program after the other.
    pub(super) fn then(self, next: Self) -> Self {
        Self {
            user_seconds: self.user_seconds + next.user_seconds,
            memory_bytes: self.memory_bytes.max(next.memory_bytes),
        }
    }
}

/// One tool on one pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) tool: Tool,
    pub(super) patch_bytes: u64,
    /// `None` if the figure is not from this run.
    pub(super) create: Option<Cost>,
    pub(super) apply: Option<Cost>,
    /// Whether a module in Python ran, which holds whole images to apply a patch.
    #[serde(default)]
    pub(super) python: bool,
}

/// All tools on one pair.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PairResult {
    pub(super) name: String,
    pub(super) what: String,
    /// Whether parameters of the coders were chosen while looking at it.
    pub(super) tuned: bool,
    pub(super) old_bytes: u64,
    pub(super) new_bytes: u64,
    pub(super) rows: Vec<Row>,
    /// Both of our coders in one run, which search once.
    pub(super) both: Option<Cost>,
    /// Tools that were not run on it, and why.
    pub(super) left_out: Vec<String>,
}

impl PairResult {
    pub(super) fn new(pair: &Pair, images: &Images, run: &Run<'_>) -> Self {
        let what = match &images.note {
            Some(note) => format!("{}; {note}", pair.what),
            None => pair.what.clone(),
        };
        let (old_bytes, new_bytes) = run.sizes();
        Self {
            name: pair.name.clone(),
            what,
            tuned: pair.tuned,
            old_bytes,
            new_bytes,
            rows: Vec::new(),
            both: None,
            left_out: Vec::new(),
        }
    }

    pub(super) fn row(&self, tool: Tool) -> Option<&Row> {
        self.rows.iter().find(|row| row.tool == tool)
    }

    pub(super) fn bytes(&self, tool: Tool) -> Option<u64> {
        self.row(tool).map(|row| row.patch_bytes)
    }
}

/// Everything one run of the harness found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Results {
    /// The machine and the versions of the tools, a line each.
    pub(super) machine: Vec<String>,
    pub(super) pairs: Vec<PairResult>,
    /// What could not be measured, and why.
    pub(super) skipped: Vec<String>,
    /// What went wrong.
    pub(super) failures: Vec<String>,
}

impl Results {
    pub(super) fn new(machine: Vec<String>) -> Self {
        Self {
            machine,
            pairs: Vec::new(),
            skipped: Vec::new(),
            failures: Vec::new(),
        }
    }

    pub(super) fn pair(&self, name: &str) -> Option<&PairResult> {
        self.pairs.iter().find(|pair| pair.name == name)
    }
}
