//! `streembit-audit split`: two checkpoints of a log that can't both be true, as evidence for anybody who has its key;
//! and evidence that others wrote, verified.

use std::path::{Path, PathBuf};

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use manifests::evidence::log_view::LogView;
use manifests::evidence::pack::VIEW;
use serde_json::json;
use tlog::checkpoint::Checkpoint;
use tlog::limits::EVIDENCE_BYTES_MAX;
use tlog::note::Note;
use tlog::policy::Policy;
use tlog::split_view::{Prefix, Shown, SplitView};

use crate::command::verify::open;
use crate::pin::Trusted;

/// Options of split
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A checkpoint, a log's view or a pack; or a file of evidence, alone
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// Another
    #[arg(value_name = "B")]
    pub second: Option<PathBuf>,
    /// What is trusted: the log's key is in its policy
    #[arg(long, value_name = "DIR")]
    pub pin: PathBuf,
    /// Where to write the evidence [default: split-view.json]
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// One state of a log, and what is known of earlier ones.
struct View {
    checkpoint: Note,
    whole: Option<LogView>,
}

/// Runs `split`: exit 6 if there are two histories, 0 if not.
///
/// # Errors
/// [`CliError`]: [`Exit::Undecided`] if nothing shows how one continues the other.
pub fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let trusted = Trusted::read(&args.pin)?;
    let policy = trusted.policy.ok_or_else(|| {
        CliError::new(Exit::Usage, "the pin trusts no log")
            .hint("a file policy in --pin DIR names the log's key")
    })?;
    let Some(second) = &args.second else {
        return verify(&args.first, &policy, output);
    };
    let (first, second) = (View::read(&args.first)?, View::read(second)?);
    let (old, new) = (first.said()?, second.said()?);
    let (smaller, larger) = if old.size <= new.size {
        (&first, &second)
    } else {
        (&second, &first)
    };
    let (before, after) = (smaller.said()?, larger.said()?);
    let prefix = larger.prefix(&before, &after)?;
    let notes = [&smaller.checkpoint, &larger.checkpoint];
    let mut logs = policy.logs().iter();
    let found = logs.find_map(|log| {
        let view = SplitView::between(notes, prefix.clone(), &log.key).ok()?;
        let shown = view.verify(&log.key).ok()?;
        Some((view, shown))
    });
    let Some((view, shown)) = found else {
        let value = json!({ "result": "consistent", "sizes": [before.size, after.size] });
        let text = format!(
            "no evidence of two histories: {} and {} entries",
            before.size, after.size
        );
        output.result(&value, text)?;
        return Ok(Exit::Done);
    };
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("split-view.json"));
    durable::replace(&out, view.encode().as_bytes(), Access::World)
        .context(Exit::No, "evidence")?;
    tell(&shown, Some(&out), output)
}

fn verify(path: &Path, policy: &Policy, output: Output) -> Result<Exit, CliError> {
    let limit = u64::try_from(EVIDENCE_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = durable::read(path, limit).context(Exit::Usage, "evidence")?;
    let view = SplitView::parse(&bytes).context(Exit::No, path.display())?;
    let mut logs = policy.logs().iter();
    let shown = logs.find_map(|log| view.verify(&log.key).ok());
    let shown = shown.ok_or_else(|| {
        let message = format!(
            "{}: shows no two histories of a log of the policy",
            path.display()
        );
        CliError::new(Exit::No, message)
            .hint("it may be of another log: name its key in the policy")
    })?;
    tell(&shown, None, output)
}

fn tell(shown: &Shown, out: Option<&Path>, output: Output) -> Result<Exit, CliError> {
    let [smaller, larger] = &shown.checkpoints;
    let value = json!({ "result": "split-view", "origin": shown.origin, "evidence": out,
        "sizes": [smaller.size, larger.size],
        "roots": [smaller.root.to_string(), larger.root.to_string()] });
    let mut text = format!(
        "TWO HISTORIES  {}, both signed by its key\n               {} entries, root {}\n               {} entries, root {}",
        shown.origin, smaller.size, smaller.root, larger.size, larger.root
    );
    if let Some(out) = out {
        text.push_str(&format!("\nevidence       {}", out.display()));
    }
    output.result(&value, text)?;
    Ok(Exit::Equivocation)
}

impl View {
    fn read(path: &Path) -> Result<Self, CliError> {
        // A view is a note with more in front: what is both is a view.
        let limit = u64::try_from(manifests::limits::LOG_VIEW_BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = durable::read(path, limit).context(Exit::Usage, "checkpoint")?;
        let view = match LogView::parse(&bytes) {
            Ok(view) => view,
            Err(_) => match Note::parse(&bytes) {
                Ok(checkpoint) => {
                    let whole = None;
                    return Ok(Self { checkpoint, whole });
                }
                Err(_) => {
                    let pack = open(path)?;
                    let bytes = pack.file(VIEW).unwrap_or_default();
                    LogView::parse(bytes).context(Exit::Usage, path.display())?
                }
            },
        };
        Ok(Self {
            checkpoint: view.checkpoint.clone(),
            whole: Some(view),
        })
    }

    fn said(&self) -> Result<Checkpoint, CliError> {
        self.checkpoint
            .text()
            .parse()
            .context(Exit::Usage, "checkpoint")
    }

    /// What this tree has at the size of an earlier one.
    fn prefix(&self, before: &Checkpoint, after: &Checkpoint) -> Result<Option<Prefix>, CliError> {
        if before.size == after.size {
            return Ok(None);
        }
        let whole = self.whole.as_ref();
        let prefix = whole
            .and_then(|view| view.prefixes.get(&before.size))
            .cloned();
        prefix.map(Some).ok_or_else(|| {
            let message = format!(
                "nothing shows what the log with {} entries had at {}",
                after.size, before.size
            );
            CliError::new(Exit::Undecided, message)
                .hint("give the log's view (log/view) or a pack in its place")
        })
    }
}
