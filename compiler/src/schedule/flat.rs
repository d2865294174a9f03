//! Nests over flat operands.
//!
//! A nest enters; the same nest leaves with one position per operand instead of one index per operand axis, and with the axes
//! that are best for loops: none of extent 1, none that positions divide if two can stand for it, and no two neighbours that
//! could be one. The points and their order along the reduction axes stay as they were.

use crate::dtype::DType;
use crate::kernel::{Parameter, Usage};
use crate::nest::{Atom, Body, Index, Nest, Reducer, Scalar, ScalarId, flatten, unflatten};
use std::ops::Range;

/// A nest whose operands are rows of elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Flat {
    /// The operands, then the outputs.
    pub parameters: Vec<Parameter>,
    /// Extents of all axes: output axes, then reduction axes.
    pub extents: Vec<usize>,
    /// How many of the axes are output axes.
    pub outputs: usize,
    /// The reads that the bodies use.
    pub reads: Vec<FlatRead>,
    /// As in [`Nest`].
    pub body: Body,
    /// As in [`Nest`].
    pub reducer: Option<Reducer>,
    /// The position along the one reduction axis of the nest, for [`Reducer::ArgMax`].
    pub argument: Index,
    /// As in [`Nest`].
    pub epilogue: Option<Body>,
    /// Which scalars of the last body are written, one per output.
    pub results: Vec<ScalarId>,
    /// Where the elements of a point are written.
    pub write: Index,
}

/// One operand as seen from the axes.
#[derive(Clone, Debug, PartialEq)]
pub struct FlatRead {
    /// Which operand.
    pub operand: usize,
    /// Its element type.
    pub dtype: DType,
    /// The position in it.
    pub position: Index,
}

impl Flat {
    /// The nest over flat operands of these shapes.
    pub fn new(nest: &Nest, operand_shapes: &[Vec<usize>]) -> Flat {
        let body = nest.epilogue.as_ref().or(nest.reducer.is_none().then_some(&nest.body));
        let last = body.map_or(0, |body| body.scalars.len() - 1);
        Flat::with_results(nest, &[(ScalarId(last), nest.dtype)], operand_shapes)
    }

    /// The nest over flat operands of these shapes, with several outputs: which scalars of its last body, and of which types.
    pub fn with_results(nest: &Nest, results: &[(ScalarId, DType)], operand_shapes: &[Vec<usize>]) -> Flat {
        let reads = nest.reads.iter().map(|read| FlatRead {
            operand: read.operand,
            dtype: read.dtype,
            position: flatten(&read.index, &operand_shapes[read.operand]),
        });
        let output_extents = &nest.extents[..nest.outputs];
        let axes: Vec<Index> = (0..nest.extents.len()).map(Index::axis).collect();
        let flat = Flat {
            parameters: parameters(nest, results, operand_shapes),
            extents: nest.extents.clone(),
            outputs: nest.outputs,
            reads: reads.collect(),
            body: nest.body.clone(),
            reducer: nest.reducer,
            argument: axes.get(nest.outputs).cloned().unwrap_or_default(),
            epilogue: nest.epilogue.clone(),
            results: results.iter().map(|&(scalar, _)| scalar).collect(),
            write: flatten(&axes[..nest.outputs], output_extents),
        };
        match flat.extents.contains(&0) {
            // Nothing runs over an empty axis, so there is nothing to make better.
            true => flat,
            false => flat.without_ones().split().joined(),
        }
    }

    /// The position of the first output among the parameters.
    pub fn first_output(&self) -> usize {
        self.parameters.len() - self.results.len()
    }

    /// The element type of the output, where there is one only.
    pub fn dtype(&self) -> DType {
        self.parameters[self.first_output()].dtype
    }

    /// The axes that elements of the output are written along.
    pub fn output_axes(&self) -> Range<usize> {
        0..self.outputs
    }

    /// The axes that are reduced.
    pub fn reduction_axes(&self) -> Range<usize> {
        self.outputs..self.extents.len()
    }

    /// Whether an index changes along an axis, by itself or by what it gathers.
    pub fn depends(&self, index: &Index, axis: usize) -> bool {
        index.any(&mut |atom| match atom {
            Atom::Axis(other) => *other == axis,
            Atom::Gathered { read, .. } => self.depends(&self.reads[*read].position, axis),
            Atom::Quotient(..) | Atom::Remainder(..) | Atom::Clamped(..) => false,
        })
    }

    /// Whether anything in a body changes along an axis.
    pub fn body_depends(&self, body: &Body, axis: usize) -> bool {
        body.scalars.iter().any(|scalar| match scalar {
            Scalar::Read(read) => self.depends(&self.reads[*read].position, axis),
            Scalar::Index(index) => self.depends(index, axis),
            Scalar::Constant(..) | Scalar::Reduced | Scalar::Apply(..) => false,
        })
    }

    /// How many divisions the positions take.
    fn divisions(&self) -> usize {
        let bodies = [Some(&self.body), self.epilogue.as_ref()];
        let scalars = bodies.into_iter().flatten().flat_map(|body| &body.scalars).filter_map(|scalar| match scalar {
            Scalar::Index(index) => Some(index),
            _ => None,
        });
        let positions = self.reads.iter().map(|read| &read.position);
        positions.chain(scalars).chain([&self.write, &self.argument]).map(divisions).sum()
    }

    /// The nest over other axes: each old axis as an index over the new ones.
    fn over(&self, old: &[Index], extents: Vec<usize>, outputs: usize) -> Flat {
        let change = |index: &Index| index.substitute(old, &extents, 0);
        let change_body = |body: &Body| Body {
            scalars: body
                .scalars
                .iter()
                .map(|scalar| match scalar {
                    Scalar::Index(index) => Scalar::Index(change(index)),
                    other => other.clone(),
                })
                .collect(),
        };
        Flat {
            reads: self
                .reads
                .iter()
                .map(|read| FlatRead { position: change(&read.position), ..read.clone() })
                .collect(),
            body: change_body(&self.body),
            argument: change(&self.argument),
            epilogue: self.epilogue.as_ref().map(change_body),
            write: change(&self.write),
            parameters: self.parameters.clone(),
            reducer: self.reducer,
            results: self.results.clone(),
            extents: extents.clone(),
            outputs,
        }
    }

    /// The nest with other axes in place of some neighbouring ones. `replaced` gives each of those from the new ones, which
    /// are numbered from the first of those.
    fn replace(&self, axes: Range<usize>, by: &[usize], replaced: &[Index]) -> Flat {
        let mut extents = self.extents.clone();
        extents.splice(axes.clone(), by.iter().copied());
        let old: Vec<Index> = (0..self.extents.len())
            .map(|axis| match axis {
                _ if axis < axes.start => Index::axis(axis),
                _ if axis < axes.end => replaced[axis - axes.start].clone(),
                _ => Index::axis(axis - axes.len() + by.len()),
            })
            .collect();
        let outputs = if axes.start < self.outputs { self.outputs - axes.len() + by.len() } else { self.outputs };
        self.over(&old, extents, outputs)
    }

    /// The nest with one axis in place of each of these lists of output axes, the last of a list counting fastest. Those come
    /// last of the output axes, in this order.
    pub(super) fn joining(&self, lists: &[Vec<usize>]) -> Flat {
        let joined = |axis: &usize| lists.iter().any(|list| list.contains(axis));
        let alone: Vec<usize> = self.output_axes().filter(|axis| !joined(axis)).collect();
        let outputs = alone.len() + lists.len();
        let lengths = |list: &Vec<usize>| list.iter().map(|&axis| self.extents[axis]).collect::<Vec<usize>>();
        let extents = alone.iter().map(|&axis| self.extents[axis]);
        let extents = extents.chain(lists.iter().map(|list| lengths(list).iter().product()));
        let extents: Vec<usize> = extents.chain(self.reduction_axes().map(|axis| self.extents[axis])).collect();
        let mut old = vec![Index::default(); self.extents.len()];
        alone.iter().enumerate().for_each(|(new, &axis)| old[axis] = Index::axis(new));
        for (list, new) in lists.iter().zip(alone.len()..) {
            let parts = unflatten(&Index::axis(new), &lengths(list), &extents);
            list.iter().zip(parts).for_each(|(&axis, part)| old[axis] = part);
        }
        self.reduction_axes().zip(outputs..).for_each(|(axis, new)| old[axis] = Index::axis(new));
        self.over(&old, extents, outputs)
    }

    fn without_ones(mut self) -> Flat {
        while let Some(axis) = self.extents.iter().position(|&extent| extent == 1) {
            self = self.replace(axis..axis + 1, &[], &[Index::default()]);
        }
        self
    }

    /// Splits axes by the numbers that positions divide them by, as long as that saves divisions.
    fn split(mut self) -> Flat {
        while let Some(better) = self.split_once() {
            self = better;
        }
        self
    }

    fn split_once(&self) -> Option<Flat> {
        let mut divisors = Vec::new();
        for read in &self.reads {
            read.position.any(&mut |atom| {
                if let Atom::Quotient(inner, by) | Atom::Remainder(inner, by) = atom {
                    divisors.extend((0..self.extents.len()).filter(|&axis| inner.uses(axis)).map(|axis| (axis, *by)));
                }
                false
            });
        }
        divisors.sort_unstable();
        divisors.dedup();
        divisors.into_iter().find_map(|(axis, by)| {
            let inner = by as usize;
            if inner >= self.extents[axis] || !self.extents[axis].is_multiple_of(inner) {
                return None;
            }
            let whole = Index::axis(axis).times(by).plus(&Index::axis(axis + 1));
            let split = self.replace(axis..axis + 1, &[self.extents[axis] / inner, inner], &[whole]);
            (split.divisions() < self.divisions()).then_some(split)
        })
    }

    /// Joins neighbouring axes wherever that takes no more divisions.
    fn joined(mut self) -> Flat {
        let mut axis = 0;
        while axis + 1 < self.extents.len() {
            match self.join(axis) {
                Some(joined) => self = joined,
                None => axis += 1,
            }
        }
        self
    }

    fn join(&self, axis: usize) -> Option<Flat> {
        if axis + 1 == self.outputs {
            return None;
        }
        let extent = self.extents[axis] * self.extents[axis + 1];
        let mut extents = self.extents.clone();
        extents.splice(axis..axis + 2, [extent]);
        let (whole, by) = (Index::axis(axis), self.extents[axis + 1] as i64);
        let joined =
            self.replace(axis..axis + 2, &[extent], &[whole.divided(by, &extents), whole.modulo(by, &extents)]);
        (joined.divisions() <= self.divisions()).then_some(joined)
    }
}

/// The parameters of the kernel: how many elements each operand has and of which type, then the outputs. An operand that
/// nothing reads counts as f32.
fn parameters(nest: &Nest, results: &[(ScalarId, DType)], operand_shapes: &[Vec<usize>]) -> Vec<Parameter> {
    let operands = operand_shapes.iter().enumerate().map(|(operand, shape)| Parameter {
        dtype: nest.reads.iter().find(|read| read.operand == operand).map_or(DType::F32, |read| read.dtype),
        elements: shape.iter().product(),
        usage: Usage::Read,
    });
    let elements = nest.extents[..nest.outputs].iter().product();
    let outputs = results.iter().map(|&(_, dtype)| Parameter { dtype, elements, usage: Usage::Written });
    operands.chain(outputs).collect()
}

fn divisions(index: &Index) -> usize {
    let mut count = 0;
    index.any(&mut |atom| {
        count += usize::from(matches!(atom, Atom::Quotient(..) | Atom::Remainder(..)));
        false
    });
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nest::Read;

    fn copy(extents: &[usize], shape: &[usize], index: Vec<Index>) -> Flat {
        let mut body = Body::default();
        body.push(Scalar::Read(0));
        let nest = Nest {
            extents: extents.to_vec(),
            outputs: extents.len(),
            reads: vec![Read { operand: 0, dtype: DType::F32, index }],
            body,
            reducer: None,
            epilogue: None,
            dtype: DType::F32,
        };
        Flat::new(&nest, &[shape.to_vec()])
    }

    #[test]
    fn elementwise_axes_become_one() {
        let flat = copy(&[3, 1, 5, 7], &[3, 5, 7], vec![Index::axis(0), Index::axis(2), Index::axis(3)]);
        assert_eq!(flat.extents, [105]);
        assert_eq!(flat.reads[0].position, Index::axis(0));
        assert_eq!(flat.write, Index::axis(0));
    }

    #[test]
    fn broadcast_axes_stay() {
        let flat = copy(&[3, 5, 7], &[5, 7], vec![Index::axis(1), Index::axis(2)]);
        assert_eq!(flat.extents, [3, 35]);
        assert_eq!(flat.reads[0].position, Index::axis(1));
    }

    #[test]
    fn a_transposed_view_of_a_joined_axis_is_split() {
        // The output [4, 15] is the operand [3, 4, 5] with its axes permuted to [4, 3, 5] and joined.
        let flat_position = Index::axis(0).times(15).plus(&Index::axis(1));
        let permuted = unflatten(&flat_position, &[4, 3, 5], &[4, 15]);
        let index = vec![permuted[1].clone(), permuted[0].clone(), permuted[2].clone()];
        let flat = copy(&[4, 15], &[3, 4, 5], index);
        assert_eq!(flat.extents, [4, 3, 5]);
        let expected = Index::axis(0).times(5).plus(&Index::axis(1).times(20)).plus(&Index::axis(2));
        assert_eq!(flat.reads[0].position, expected);
    }
}
