//! The section of the document that the harness writes, between two markers.

use super::results::Results;
use super::table;

const BEGIN: &str = "<!-- bench delta: begin -->";
const END: &str = "<!-- bench delta: end -->";
/// Why a document can't be written.
pub(super) const NO_MARKERS: &str =
    "no section to write; add `<!-- bench delta: begin -->` and `<!-- bench delta: end -->`";

/// Replaces what stands between the markers; `None` if they are not there.
pub(super) fn replace(text: &str, section: &str) -> Option<String> {
    let (head, rest) = text.split_once(BEGIN)?;
    let (_, tail) = rest.split_once(END)?;
    Some(format!("{head}{BEGIN}\n{section}\n{END}{tail}"))
}

/// Tables and plots.
pub(super) fn section(results: &Results) -> String {
    let mut text = table::all(results);
    text.push_str("\n### Plots\n\nThe line joins what nothing beats in both figures.\n");
    for pair in &results.pairs {
        let name = &pair.name;
        text.push_str(&format!(
            "\n![{name}: patch size against CPU and memory to apply](benchmarks/{name}.svg)\n"
        ));
    }
    text
}
