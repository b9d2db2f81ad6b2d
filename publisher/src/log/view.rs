//! How the log has grown from each tree that was shown before, in one file with the newest checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use cli::durable;
use manifests::evidence::log_view::LogView;
use manifests::limits::{LOG_VIEW_BYTES_MAX, LOG_VIEW_SIZES_MAX};
use tlog::checkpoint::Checkpoint;
use tlog::hash::Hash;
use tlog::note::Note;
use tlog::split_view::Prefix;
use tlog::tree::Tree;

use super::{CHECKPOINT, Log, LogError, UNSHOWN, UNSHOWN_BYTES_MAX, VIEW, damaged};

impl Log {
    /// What others are shown, if something is.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn view(&self) -> Result<Option<LogView>, LogError> {
        let path = self.folder.join(VIEW);
        let limit = u64::try_from(LOG_VIEW_BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = durable::read_if_there(&path, limit)?;
        let view = bytes.map(|bytes| LogView::parse(&bytes)).transpose();
        view.map_err(|_| damaged(&path, "no view of a log"))
    }

    /// Remembers that a tree of this size was signed and is not shown before a larger one is signed. Witnesses may have
    /// cosigned it: who has it from them must find it in the history that is shown later.
    pub(super) fn remember_unshown(&self, size: u64) -> Result<(), LogError> {
        let shown = self.checkpoint()?;
        let shown = shown
            .map(|note| self.parse(CHECKPOINT, &note))
            .transpose()?;
        let mut sizes = self.unshown()?;
        if shown.is_some_and(|shown| size <= shown.size) || !sizes.insert(size) {
            return Ok(());
        }
        // A view has no room for more.
        let newest = sizes.iter().rev().take(LOG_VIEW_SIZES_MAX);
        let lines = newest.map(|size| format!("{size}\n"));
        self.put(UNSHOWN, &lines.collect::<String>())
    }

    fn unshown(&self) -> Result<BTreeSet<u64>, LogError> {
        let path = self.folder.join(UNSHOWN);
        let bytes = durable::read_if_there(&path, UNSHOWN_BYTES_MAX)?;
        let text = String::from_utf8(bytes.unwrap_or_default()).ok();
        let sizes = text.and_then(|text| text.lines().map(|line| line.parse().ok()).collect());
        sizes.ok_or_else(|| damaged(&path, "no list of sizes"))
    }

    /// How the log has grown to a tree from each that was shown before.
    pub(super) fn view_of(&self, note: &Note, tree: &Checkpoint) -> Result<LogView, LogError> {
        let mut roots: BTreeMap<u64, Hash> = BTreeMap::new();
        if let Some(before) = self.view()? {
            let prefixes = before.prefixes.iter();
            roots.extend(prefixes.map(|(size, prefix)| (*size, prefix.root)));
            let newest = self.parse(VIEW, &before.checkpoint)?;
            roots.insert(newest.size, newest.root);
        }
        let files = self.files();
        for size in self.unshown()? {
            let root = Tree::new(&files, size).root()?;
            roots.entry(size).or_insert(root);
        }
        let grown = roots
            .into_iter()
            .rev()
            .filter(|(size, _)| (1..tree.size).contains(size))
            .take(LOG_VIEW_SIZES_MAX);
        let prefixes = grown.map(|(size, root)| {
            let proof = Tree::new(&files, tree.size).consistency(size)?;
            Ok((size, Prefix { root, proof }))
        });
        Ok(LogView {
            prefixes: prefixes.collect::<Result<_, LogError>>()?,
            checkpoint: note.clone(),
        })
    }
}
