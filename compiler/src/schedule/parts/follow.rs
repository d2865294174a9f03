//! Parts that follow what the first one reduces, as one nest with several results.
//!
//! Parts enter; if all but the first are elementwise over its output axes, one nest leaves whose epilogue computes them all.
//! So what updates a parameter and its slots runs where the gradient is still in registers, tile by tile.

use crate::dtype::DType;
use crate::nest::{Atom, Body, Index, Nest, Read, Reducer, Scalar, ScalarId};
use crate::schedule::Part;

/// The nest of parts that follow the first one, and which scalars of its epilogue are kept, with their types.
pub(super) fn followed(parts: &[Part<'_>], operands: usize) -> Option<(Nest, Vec<(ScalarId, DType)>)> {
    let (first, others) = parts.split_first()?;
    if others.is_empty() || first.nest.reducer.is_none_or(|reducer| reducer == Reducer::ArgMax) {
        return None;
    }
    let extents = &first.nest.extents[..first.nest.outputs];
    let follows = |part: &Part<'_>| {
        let mut own = part.nest.reads.iter().filter(|read| read.operand >= operands);
        let elementwise = part.nest.reducer.is_none() && part.nest.extents == extents;
        elementwise && own.all(|read| is_straight(read, extents)) && !gathers(part.nest)
    };
    if !others.iter().all(follows) {
        return None;
    }
    let mut nest = first.nest.clone();
    let mut epilogue = nest.epilogue.take().unwrap_or_else(|| Body { scalars: vec![Scalar::Reduced] });
    let mut values = vec![ScalarId(epilogue.scalars.len() - 1)];
    for part in others {
        let value = append(part.nest, &values, operands, &mut nest.reads, &mut epilogue);
        values.push(value);
    }
    let kept = parts.iter().zip(&values).filter(|(part, _)| part.kept);
    let results = kept.map(|(part, &value)| (value, part.nest.dtype)).collect();
    nest.epilogue = Some(epilogue);
    Some((nest, results))
}

/// Whether a read finds the element of the point where it stands.
fn is_straight(read: &Read, extents: &[usize]) -> bool {
    let at = |axis: usize| if extents[axis] == 1 { Index::default() } else { Index::axis(axis) };
    read.index.iter().enumerate().all(|(axis, index)| *index == at(axis) || *index == Index::axis(axis))
}

/// Whether any position depends on what is read.
fn gathers(nest: &Nest) -> bool {
    let gathers = |index: &Index| index.any(&mut |atom| matches!(atom, Atom::Gathered { .. }));
    let mut positions = nest.reads.iter().flat_map(|read| &read.index);
    let scalars = nest.body.scalars.iter();
    positions.any(gathers) || scalars.into_iter().any(|scalar| matches!(scalar, Scalar::Index(index) if gathers(index)))
}

/// Appends the body of a part to an epilogue; its value there. What it reads of earlier parts are values of the epilogue.
fn append(part: &Nest, values: &[ScalarId], operands: usize, reads: &mut Vec<Read>, epilogue: &mut Body) -> ScalarId {
    let mut ids: Vec<ScalarId> = Vec::new();
    for scalar in &part.body.scalars {
        let id = match scalar {
            Scalar::Read(number) => match part.reads[*number].operand.checked_sub(operands) {
                Some(earlier) => values[earlier],
                None => {
                    let number = position(&part.reads[*number], reads);
                    known(epilogue, Scalar::Read(number))
                }
            },
            other => known(epilogue, other.renumbered(&ids)),
        };
        ids.push(id);
    }
    *ids.last().expect("a verified body is not empty")
}

/// The number of a read, which is added if it is not there.
fn position(read: &Read, reads: &mut Vec<Read>) -> usize {
    reads.iter().position(|known| known == read).unwrap_or_else(|| {
        reads.push(read.clone());
        reads.len() - 1
    })
}

/// The scalar of a body that is this one, which is added if it is not there.
fn known(body: &mut Body, scalar: Scalar) -> ScalarId {
    // Numbers are equal if all their bits are: 0.0 and -0.0 are not.
    let same = |known: &Scalar| match (known, &scalar) {
        (Scalar::Constant(a, x), Scalar::Constant(b, y)) => a == b && x.to_bits() == y.to_bits(),
        (known, scalar) => known == scalar,
    };
    match body.scalars.iter().position(same) {
        Some(at) => ScalarId(at),
        None => body.push(scalar),
    }
}
