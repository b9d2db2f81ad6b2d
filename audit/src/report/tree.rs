//! The tree of a log as a drawing (SVG): the newest entries one by one, what came before as whole subtrees.

use std::collections::BTreeMap;

use tlog::proof::middle;

use super::page::{escape, kind, words};
use crate::follow::Said;

/// Entries that are drawn one by one.
const ENTRIES_SHOWN: u64 = 24;
/// Pixels between two leaves, and between two levels.
const STEP: (f64, f64) = (38.0, 34.0);
const MARGIN: f64 = 24.0;

/// A drawing under way.
struct Drawing<'a> {
    entries: &'a BTreeMap<u64, Said>,
    /// What ends before is drawn as a whole.
    cutoff: u64,
    columns: f64,
    /// Lines are under the nodes.
    lines: String,
    nodes: String,
}

/// Where a node is: its column, and its height above the leaves.
#[derive(Clone, Copy)]
struct Node {
    x: f64,
    height: f64,
}

/// Draws the tree of `size` entries.
pub(super) fn draw(size: u64, entries: &BTreeMap<u64, Said>) -> String {
    if size == 0 {
        return "<p>The log is empty.</p>".to_owned();
    }
    let mut drawing = Drawing {
        entries,
        cutoff: size.saturating_sub(ENTRIES_SHOWN),
        columns: 0.0,
        lines: String::new(),
        nodes: String::new(),
    };
    let top = drawing.node(0, size);
    let width = drawing.columns.mul_add(STEP.0, 2.0 * MARGIN);
    let height = top.height.mul_add(STEP.1, 3.0 * MARGIN);
    let down = height - 2.0 * MARGIN;
    format!(
        "<svg role=\"img\" aria-label=\"The log's tree\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\"><g transform=\"translate({MARGIN} {down:.0})\">{}{}</g></svg>",
        drawing.lines, drawing.nodes
    )
}

impl Drawing<'_> {
    fn node(&mut self, first: u64, end: u64) -> Node {
        let split = middle(first, end).filter(|_| end > self.cutoff);
        let Some(split) = split else {
            return self.leaf(first, end);
        };
        let (left, right) = (self.node(first, split), self.node(split, end));
        let node = Node {
            x: f64::midpoint(left.x, right.x),
            height: left.height.max(right.height) + 1.0,
        };
        for child in [left, right] {
            self.line(node, child);
        }
        let (x, y) = place(node);
        let title = format!("entries {first} to {}", end.saturating_sub(1));
        self.push(format_args!(
            "<circle class=\"node\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"4\"><title>{title}</title></circle>"
        ));
        node
    }

    /// An entry, or a subtree that is drawn as a whole.
    fn leaf(&mut self, first: u64, end: u64) -> Node {
        let node = Node {
            x: self.columns + 0.5,
            height: 0.0,
        };
        self.columns += 1.0;
        let (x, y) = place(node);
        let last = end.saturating_sub(1);
        if first < last {
            self.push(format_args!(
                "<path class=\"whole\" d=\"M{x:.0} {y:.0} l-16 22 h32 z\"><title>entries {first} to {last}</title></path>\
                 <text x=\"{x:.0}\" y=\"{:.0}\">{first}–{last}</text>",
                y + 36.0
            ));
            return node;
        }
        let said = self.entries.get(&first);
        let (class, title) = (kind(said), escape(&words(said)));
        self.push(format_args!(
            "<a href=\"#entry-{first}\"><circle class=\"leaf {class}\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"10\">\
             <title>entry {first}: {title}</title></circle></a><text x=\"{x:.0}\" y=\"{:.0}\">{first}</text>",
            y + 26.0
        ));
        node
    }

    fn line(&mut self, from: Node, to: Node) {
        let ((x, y), (to_x, to_y)) = (place(from), place(to));
        let line = format!("<path class=\"edge\" d=\"M{x:.0} {y:.0} L{to_x:.0} {to_y:.0}\"/>");
        self.lines.push_str(&line);
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.nodes.push_str(&text.to_string());
    }
}

/// Pixels, upwards from the leaves.
fn place(node: Node) -> (f64, f64) {
    (node.x * STEP.0, -node.height * STEP.1)
}
