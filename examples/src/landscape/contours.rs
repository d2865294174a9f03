//! Contours. What enters are heights at the points of a grid and a level; what leaves are lines along which the height is that
//! level, open ones from border to border and closed ones that end where they begin.
//!
//! Each cell of the grid is two triangles, and the height is linear on each. So a triangle has one piece of a line or none, and
//! an edge between two triangles, where a line goes from one to the other, has one place of it.

use super::{Place, Plane};
use std::collections::BTreeMap;

/// Two points of the grid, the smaller number first.
type Edge = (usize, usize);

/// The lines at a level.
pub(super) fn contours(plane: &Plane, heights: &[f32], level: f32) -> Vec<Vec<Place>> {
    let place = |(from, to): Edge| {
        let part = f64::from((level - heights[from]) / (heights[to] - heights[from]));
        let (from, to) = (plane.place(from), plane.place(to));
        (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1))
    };
    let edges = joined(pieces(plane, heights, level));
    edges.into_iter().map(|line| line.into_iter().map(place).collect()).collect()
}

/// The edges that are joined to each edge: two where a line goes on, one at a border.
fn pieces(plane: &Plane, heights: &[f32], level: f32) -> BTreeMap<Edge, Vec<Edge>> {
    let (columns, rows) = plane.points;
    let mut pieces: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
    for corner in (0..rows - 1).flat_map(|row| (0..columns - 1).map(move |column| row * columns + column)) {
        let across = corner + columns + 1;
        for triangle in [[corner, corner + 1, across], [corner, corner + columns, across]] {
            let above = triangle.map(|point| heights[point] > level);
            // The corner that is on one side while the two others are on the other.
            let Some(single) = (0..3).find(|&at| (0..3).all(|other| at == other || above[at] != above[other])) else {
                continue;
            };
            let edge = |other: usize| {
                let [one, other] = [triangle[single], triangle[other]];
                (one.min(other), one.max(other))
            };
            let [one, other] = [edge((single + 1) % 3), edge((single + 2) % 3)];
            pieces.entry(one).or_default().push(other);
            pieces.entry(other).or_default().push(one);
        }
    }
    pieces
}

/// The lines that pieces make up.
fn joined(mut pieces: BTreeMap<Edge, Vec<Edge>>) -> Vec<Vec<Edge>> {
    let mut lines = Vec::new();
    // Open lines first, from one of their ends.
    let start = |pieces: &BTreeMap<Edge, Vec<Edge>>| {
        let end = pieces.iter().find(|(_, joined)| joined.len() == 1);
        end.or_else(|| pieces.iter().next()).map(|(edge, _)| *edge)
    };
    while let Some(start) = start(&pieces) {
        let (mut line, mut at) = (vec![start], start);
        while let Some(next) = pieces.get_mut(&at).and_then(Vec::pop) {
            if let Some(back) = pieces.get_mut(&next) {
                back.retain(|edge| *edge != at);
            }
            line.push(next);
            at = next;
        }
        lines.push(line);
        pieces.retain(|_, joined| !joined.is_empty());
    }
    lines
}
