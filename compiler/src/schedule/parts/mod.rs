//! Kernels of several nests.
//!
//! The parts of a group enter, with the axes that they run over together; one kernel leaves. Where all but the first follow
//! what that one reduces, they are its epilogue. Else around everything are loops over
//! the shared axes. Inside of them the parts stand in [`Stage`]s, one after the other: single values first, then loops over
//! what is left of the axes. Parts with the same axes left stand in one loop, where one uses what another has just computed.
//! What a later loop needs of an earlier one is kept in scratch arrays as long as one turn of the shared loops lasts. Sums
//! along the shared axes begin with zeros and grow turn by turn; where there is work for several threads, in pieces of the
//! first axis, whose sums are summed up in order.

mod follow;
mod pieces;
mod spread;
pub(super) mod stages;
mod write;

use super::{Flat, Part, flat_kernel, for_target, gpu};
use crate::dtype::DType;
use crate::kernel::{Kernel, Parameter, Usage};
use crate::nest::{Index, Nest, Reducer, flatten};
use crate::target::Target;
use stages::stages;
use write::PartsWriter;

/// The kernel of parts: one parameter per operand in order, then the kept results in order, then scratch.
pub fn parts_kernel(
    shared: &[usize],
    parts: &[Part<'_>],
    operand_shapes: &[Vec<usize>],
    name: &str,
    target: &Target,
) -> Kernel {
    if let Some((nest, results)) = follow::followed(parts, operand_shapes.len()) {
        let flat = Flat::with_results(&nest, &results, operand_shapes);
        return flat_kernel(&flat, name, target);
    }
    let laid: Vec<Laid<'_>> = parts.iter().map(|part| Laid::new(part, shared.len())).collect();
    let stages = stages(&laid, operand_shapes.len());
    let parameters = operand_shapes.iter().enumerate().map(|(operand, shape)| Parameter {
        dtype: read_dtype(parts, operand),
        elements: shape.iter().product(),
        usage: Usage::Read,
    });
    let parameters: Vec<Parameter> = parameters.collect();
    if let Some(threads) = target.threads() {
        let group = gpu::Group { shared, parts: &laid, stages: &stages, operand_shapes };
        if let Some(kernel) = gpu::parts_kernel(group, &parameters, name, threads) {
            return kernel;
        }
    }
    let writer = PartsWriter::new(shared, &laid, &stages, parameters, operand_shapes, name, target);
    for_target(writer.kernel(), target)
}

/// The type of an operand; what nothing reads counts as f32.
fn read_dtype(parts: &[Part<'_>], operand: usize) -> DType {
    let mut reads = parts.iter().flat_map(|part| &part.nest.reads);
    reads.find(|read| read.operand == operand).map_or(DType::F32, |read| read.dtype)
}

/// A part with its axes sorted by what they are for.
pub(super) struct Laid<'a> {
    pub(super) nest: &'a Nest,
    /// The axes of the shared loops.
    pub(super) shared: &'a [usize],
    pub(super) kept: bool,
    /// The output axes that are left.
    pub(super) outputs: Vec<usize>,
    /// The reduction axes that are left.
    pub(super) reductions: Vec<usize>,
    /// Whether it sums up along the shared axes.
    pub(super) sums: bool,
}

impl<'a> Laid<'a> {
    fn new(part: &Part<'a>, shared: usize) -> Laid<'a> {
        let Part { nest, axes, kept } = *part;
        debug_assert_eq!(axes.len(), shared, "a part says what each shared axis is");
        // Axes of extent 1 are always at 0 and need no loop.
        let left = |axis: &usize| !axes.contains(axis) && nest.extents[*axis] > 1;
        Laid {
            nest,
            shared: axes,
            kept,
            outputs: (0..nest.outputs).filter(left).collect(),
            reductions: (nest.outputs..nest.extents.len()).filter(left).collect(),
            sums: axes.iter().any(|&axis| axis >= nest.outputs),
        }
    }

    /// The extents of the loops that it needs inside of the shared ones.
    pub(super) fn extents(&self) -> Vec<usize> {
        self.outputs.iter().chain(&self.reductions).map(|&axis| self.nest.extents[axis]).collect()
    }

    /// Whether anything is combined within one turn of the shared loops.
    pub(super) fn reduces(&self) -> bool {
        !self.reductions.is_empty()
    }

    /// How values combine.
    pub(super) fn reducer(&self) -> Reducer {
        self.nest.reducer.expect("only a nest with a reducer has reduction axes")
    }

    /// How many elements the result has.
    pub(super) fn result_elements(&self) -> usize {
        self.nest.extents[..self.nest.outputs].iter().product()
    }

    /// What one turn leaves: the elements of an array over the output axes that are left.
    fn elements(&self) -> usize {
        self.outputs.iter().map(|&axis| self.nest.extents[axis]).product()
    }

    /// Where the element of a point lies in what one turn leaves, over the axes of the nest.
    fn place(&self) -> Index {
        let axes: Vec<Index> = self.outputs.iter().map(|&axis| Index::axis(axis)).collect();
        let extents: Vec<usize> = self.outputs.iter().map(|&axis| self.nest.extents[axis]).collect();
        flatten(&axes, &extents)
    }

    /// Where the element of a point lies in the result, over the axes of the nest.
    pub(super) fn write(&self) -> Index {
        let axis = |axis: usize| if self.nest.extents[axis] > 1 { Index::axis(axis) } else { Index::default() };
        let axes: Vec<Index> = (0..self.nest.outputs).map(axis).collect();
        flatten(&axes, &self.nest.extents[..self.nest.outputs])
    }

    /// Where a reader of this part finds an element in what one turn leaves: its index per axis of the result, taken together
    /// over the axes that are left.
    fn found(&self, index: &[Index]) -> Index {
        let axes: Vec<Index> = self.outputs.iter().map(|&axis| index[axis].clone()).collect();
        let extents: Vec<usize> = self.outputs.iter().map(|&axis| self.nest.extents[axis]).collect();
        flatten(&axes, &extents)
    }
}
