//! How local arrays lie in memory.
//!
//! A kernel enters; where each of its local arrays lies leaves. Matrices that are contracted, or that fragments are unloaded
//! to, have rows that are so much further apart than they are long that the threads of a warp, which take rows side by side,
//! find them in different banks of memory. What a staged loop fills is there once per stage. In kernels with fragments,
//! arrays that are not needed at the same time may lie at the same place.

use super::{Expression, Factor, Kernel, LoopKind, Statement, Usage};
use crate::dtype::DType;
use std::ops::Range;

/// What local arrays are aligned to, in bytes.
const LINE: usize = 64;

/// How a local array lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many elements lie side by side.
    pub width: usize,
    /// How far such rows are apart, in elements.
    pub pitch: usize,
    /// How many times the array is there.
    pub stages: usize,
    /// How far these are apart, in bytes.
    pub stage_bytes: usize,
}

impl Layout {
    /// How many bytes all of it takes.
    pub fn bytes(&self) -> usize {
        (self.stages * self.stage_bytes).next_multiple_of(LINE)
    }
}

/// The layouts of all parameters, of which only those of local arrays mean anything.
pub fn layouts(kernel: &Kernel) -> Vec<Layout> {
    let plain = kernel.parameters.iter().map(|parameter| {
        let width = parameter.elements.max(1);
        Layout { width, pitch: width, stages: 1, stage_bytes: 0 }
    });
    let mut layouts: Vec<Layout> = plain.collect();
    shape(kernel, &kernel.body, None, &mut layouts);
    for (layout, parameter) in layouts.iter_mut().zip(&kernel.parameters) {
        layout.stage_bytes = parameter.elements / layout.width * layout.pitch * parameter.dtype.size();
    }
    layouts
}

/// Gives rows to matrices, and stages to what is filled ahead.
fn shape(kernel: &Kernel, statements: &[Statement], stages: Option<usize>, layouts: &mut [Layout]) {
    for statement in statements {
        match statement {
            Statement::Loop { kind: LoopKind::Staged { stages }, body, .. } => {
                shape(kernel, body, Some(*stages), layouts);
            }
            Statement::Loop { body, .. } => shape(kernel, body, stages, layouts),
            Statement::Contract { left, right, depth, .. } => {
                for Factor { array, along_depth } in [left, right] {
                    let Some(parameter) = kernel.parameters.get(array.0) else { continue };
                    let width = if *along_depth { *depth } else { parameter.elements / depth.max(&1) };
                    // Eight rows of 16 bytes are taken at once; of f32 across the sum, eight elements of four rows.
                    let pad = if parameter.dtype == DType::F32 && !along_depth { 32 } else { 16 };
                    let layout = &mut layouts[array.0];
                    (layout.width, layout.pitch) = (width.max(1), width + pad / parameter.dtype.size());
                    layout.stages = stages.unwrap_or(1);
                }
            }
            Statement::Unload { fragment, array } => {
                let columns = kernel.fragments.get(fragment.0).map_or(1, |declared| declared.columns.max(1));
                if let Some(layout) = layouts.get_mut(array.0) {
                    (layout.width, layout.pitch) = (columns, columns + 8);
                }
            }
            _ => {}
        }
    }
}

/// The bytes of each local array in the memory of a block or thread, and how many bytes there are together.
pub fn local_memory(kernel: &Kernel) -> (Vec<Option<Range<usize>>>, usize) {
    let layouts = layouts(kernel);
    let mut live = vec![None; kernel.parameters.len()];
    for (at, statement) in steps(kernel).into_iter().enumerate() {
        use_in(statement, &mut |parameter| {
            if let Some(live) = live.get_mut(parameter) {
                let (first, _) = live.unwrap_or((at, at));
                *live = Some((first, at));
            }
        });
    }
    let mut places: Vec<Option<Range<usize>>> = vec![None; kernel.parameters.len()];
    let local = |parameter: &usize| kernel.parameters[*parameter].usage == Usage::Local;
    for parameter in (0..places.len()).filter(local) {
        let size = layouts[parameter].bytes();
        let mut taken: Vec<Range<usize>> = Vec::new();
        for (other, place) in places.iter().enumerate() {
            let apart = matches!((live[parameter], live[other]), (Some((first, last)), Some((from, to)))
                if !kernel.fragments.is_empty() && (last < from || to < first));
            taken.extend(place.clone().filter(|_| !apart));
        }
        taken.sort_by_key(|place| place.start);
        let free = taken.iter().fold(0, |start, place| match start + size <= place.start {
            true => start,
            false => start.max(place.end),
        });
        places[parameter] = Some(free..free + size);
    }
    let end = places.iter().flatten().map(|place| place.end).max().unwrap_or(0);
    (places, end)
}

/// The statements that run one after the other in the iterations of parallel loops.
fn steps(kernel: &Kernel) -> Vec<&Statement> {
    let inner = |statement| match statement {
        &Statement::Loop { kind: LoopKind::Parallel, ref body, .. } => body.iter().collect(),
        other => vec![other],
    };
    kernel.body.iter().flat_map(inner).collect()
}

/// Visits the parameters that a statement names.
fn use_in(statement: &Statement, visit: &mut dyn FnMut(usize)) {
    match statement {
        Statement::Loop { body, .. } | Statement::Within { body, .. } => {
            body.iter().for_each(|statement| use_in(statement, visit));
        }
        Statement::Let(_, Expression::Load { parameter, .. })
        | Statement::Store { parameter, .. }
        | Statement::Accumulate { parameter, .. } => visit(parameter.0),
        Statement::Copy(copy) => [copy.from, copy.to].into_iter().for_each(|parameter| visit(parameter.0)),
        Statement::Contract { left, right, .. } => [left, right].into_iter().for_each(|factor| visit(factor.array.0)),
        Statement::Unload { array, .. } => visit(array.0),
        Statement::Let(..) | Statement::Assign(..) | Statement::Clear(_) => {}
    }
}
