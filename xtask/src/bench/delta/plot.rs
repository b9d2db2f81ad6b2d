//! One picture per pair, as SVG: patch size against CPU and against memory to apply.

use super::front::pareto;
use super::reference::HPATCHZ_MEMORY;
use super::results::{PairResult, Row};
use super::scale::{self, Scale};
use super::tool::Tool;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
/// Left edges of the two panels' axes.
const PANELS: [f64; 2] = [70.0, 550.0];
const PANEL_WIDTH: f64 = 390.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 364.0;
const OURS: &str = "#c2410c";
const OTHERS: &str = "#1d4ed8";
/// Pixels that a letter of a label takes.
const LETTER: f64 = 7.2;
const LINE: f64 = 13.0;

/// What is drawn for one tool.
struct Point {
    label: String,
    ours: bool,
    /// Whether a figure is from the reference.
    reference: bool,
    value: (f64, f64),
}

/// A panel: its title, its axis and its points.
struct Panel {
    title: &'static str,
    left: f64,
    unit: fn(f64) -> String,
    points: Vec<Point>,
}

/// The picture of one pair.
pub(super) fn svg(pair: &PairResult) -> String {
    let (name, what) = (escape(&pair.name), escape(&pair.what));
    let size = scale::bytes(pair.new_bytes as f64);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"24\"><tspan font-size=\"14\" font-weight=\"bold\">{name}</tspan> ({size}): \
         {what}</text>\n"
    );
    let [left, right] = PANELS;
    let panels = [
        Panel {
            title: "user CPU to apply",
            left,
            unit: scale::seconds,
            points: points(pair, cpu),
        },
        Panel {
            title: "memory to apply",
            left: right,
            unit: scale::bytes,
            points: points(pair, memory),
        },
    ];
    for panel in panels.iter().filter(|panel| !panel.points.is_empty()) {
        text.push_str(&panel.svg());
    }
    text.push_str("</svg>\n");
    text
}

/// First figure of a panel, and whether it is from the reference.
type Figure = fn(&Row) -> Option<(f64, bool)>;

fn cpu(row: &Row) -> Option<(f64, bool)> {
    let apply = row.apply?;
    Some((apply.user_seconds.max(0.001), row.create.is_none()))
}

/// The Python module holds whole images, which the tool itself does not.
fn memory(row: &Row) -> Option<(f64, bool)> {
    if row.python {
        return Some((HPATCHZ_MEMORY as f64, true));
    }
    Some((row.apply?.memory_bytes as f64, row.create.is_none()))
}

fn points(pair: &PairResult, figure: Figure) -> Vec<Point> {
    let point = |row: &Row| {
        let (value, reference) = figure(row)?;
        let mark = if reference { " (reference)" } else { "" };
        let label = match row.tool {
            Tool::ZstdBest => "zstd -19",
            Tool::ZstdFast => "zstd -3",
            other => other.label(),
        };
        Some(Point {
            label: format!("{label}{mark}"),
            ours: row.tool.is_ours(),
            reference,
            value: (value, row.patch_bytes as f64),
        })
    };
    pair.rows.iter().filter_map(point).collect()
}

impl Panel {
    fn svg(&self) -> String {
        let right = self.left + PANEL_WIDTH;
        let values: Vec<(f64, f64)> = self.points.iter().map(|point| point.value).collect();
        let across = Scale::of(values.iter().map(|value| value.0), (self.left, right));
        let up = Scale::of(values.iter().map(|value| value.1), (BOTTOM, TOP));
        let places: Vec<(f64, f64)> = values
            .iter()
            .map(|(x, y)| (across.at(*x), up.at(*y)))
            .collect();
        let mut text = self.axes(&across, &up);
        let corners: Vec<(f64, f64)> = pareto(&values).iter().map(|it| places[*it]).collect();
        text.push_str(&staircase(&corners));
        let mut taken: Vec<Box> = places.iter().map(|place| Box::around(*place)).collect();
        taken.extend(corners.windows(2).flat_map(Box::step));
        for (point, place) in self.points.iter().zip(&places) {
            text.push_str(&point.svg(*place));
        }
        for (point, place) in self.points.iter().zip(&places) {
            let place = free(&point.label, *place, (self.left, right), &taken);
            taken.push(place);
            text.push_str(&format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{}\"{}>{}</text>\n",
                place.left,
                place.bottom - 3.0,
                point.colour(),
                if point.ours {
                    " font-weight=\"bold\""
                } else {
                    ""
                },
                escape(&point.label)
            ));
        }
        text
    }

    /// Frame, marks and titles.
    fn axes(&self, across: &Scale, up: &Scale) -> String {
        let (left, right) = (self.left, self.left + PANEL_WIDTH);
        let mut text = String::new();
        for mark in across.marks() {
            let x = across.at(mark);
            text.push_str(&format!(
                "<path d=\"M{x:.1} {TOP}V{BOTTOM}\" stroke=\"#e5e7eb\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#4b5563\">{}</text>\n",
                BOTTOM + 17.0,
                (self.unit)(mark)
            ));
        }
        for mark in up.marks() {
            let y = up.at(mark);
            text.push_str(&format!(
                "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#e5e7eb\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#4b5563\">{}</text>\n",
                left - 6.0,
                y + 4.0,
                scale::bytes(mark)
            ));
        }
        text.push_str(&format!(
            "<path d=\"M{left} {TOP}V{BOTTOM}H{right}\" fill=\"none\" stroke=\"#4b5563\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{} (log)</text>\n\
             <text x=\"{left}\" y=\"{:.1}\">patch size (log)</text>\n",
            left + PANEL_WIDTH / 2.0,
            BOTTOM + 40.0,
            self.title,
            TOP - 10.0
        ));
        text
    }
}

/// The line of what nothing beats, by steps: between two tools there is nothing to be had.
fn staircase(corners: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (x, y) in corners {
        if path.is_empty() {
            path.push_str(&format!("M{x:.1} {y:.1}"));
        } else {
            path.push_str(&format!("H{x:.1}V{y:.1}"));
        }
    }
    format!("<path d=\"{path}\" fill=\"none\" stroke=\"#16a34a\" stroke-width=\"1.5\"/>\n")
}

impl Point {
    const fn colour(&self) -> &'static str {
        if self.ours { OURS } else { OTHERS }
    }

    fn svg(&self, (x, y): (f64, f64)) -> String {
        let colour = self.colour();
        let fill = if self.reference { "#ffffff" } else { colour };
        format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"{fill}\" stroke=\"{colour}\" \
             stroke-width=\"1.5\"/>\n"
        )
    }
}

/// Pixels that are taken.
#[derive(Clone, Copy)]
struct Box {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Box {
    fn around((x, y): (f64, f64)) -> Self {
        Self {
            left: x - 5.0,
            right: x + 5.0,
            top: y - 5.0,
            bottom: y + 5.0,
        }
    }

    /// The two lines of a step from one corner of the front to the next.
    fn step(corners: &[(f64, f64)]) -> [Self; 2] {
        let (from, to) = (corners[0], corners[1]);
        let line = |(left, top): (f64, f64), (right, bottom): (f64, f64)| Self {
            left: left - 1.0,
            right: right + 1.0,
            top: top - 1.0,
            bottom: bottom + 1.0,
        };
        [line(from, (to.0, from.1)), line((to.0, from.1), to)]
    }

    /// Pixels that both take.
    fn shared(&self, other: &Self) -> f64 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }

    /// Pixels outside the panel.
    fn outside(&self, (left, right): (f64, f64)) -> f64 {
        let beside = (left - self.left).max(0.0) + (self.right - right).max(0.0);
        let beyond = (TOP - self.top).max(0.0) + (self.bottom - BOTTOM).max(0.0);
        beside * LINE + beyond * LINE
    }
}

/// The place of a label near its point that hides the least.
fn free(label: &str, (x, y): (f64, f64), edges: (f64, f64), taken: &[Box]) -> Box {
    let width = label.chars().count() as f64 * LETTER;
    let beside = [x + 8.0, x - 8.0 - width, x - width / 2.0];
    let mut places = Vec::new();
    for distance in [0.0, 14.0, 27.0, 40.0] {
        for side in beside {
            for middle in [y - distance, y + distance] {
                places.push(Box {
                    left: side,
                    right: side + width,
                    top: middle - LINE / 2.0,
                    bottom: middle + LINE / 2.0,
                });
            }
        }
    }
    let hides = |place: &Box| {
        let hidden: f64 = taken.iter().map(|other| place.shared(other)).sum();
        hidden + place.outside(edges)
    };
    // The first of the best: places stand in the order of preference.
    places
        .iter()
        .copied()
        .min_by(|one, other| hides(one).total_cmp(&hides(other)))
        .unwrap_or_else(|| Box::around((x, y)))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
