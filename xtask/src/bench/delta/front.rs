//! Which tools nothing beats in both of two figures.

/// Indices of the points that no other point equals or beats in both coordinates, from the lowest first
/// coordinate on. Lower is better; of equal points the first stays.
pub(super) fn pareto(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|one, other| {
        let (one, other) = (points[*one], points[*other]);
        one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1))
    });
    let mut front: Vec<usize> = Vec::new();
    for index in order {
        let lowest = front.last().map_or(f64::INFINITY, |last| points[*last].1);
        if points[index].1 < lowest {
            front.push(index);
        }
    }
    front
}
