//! Kernels for blocks of threads.
//!
//! A kernel enters that was written for lanes; it leaves as one for so many threads. Local arrays that are too large for the
//! memory of a block become scratch, of which each iteration of a parallel loop has a part. A kernel that says how many threads
//! it is for keeps them.

use crate::kernel::{
    Expression, Kernel, LoopId, LoopKind, MOST_SHARED_BYTES, ParameterId, SHARED_BYTES, Statement, Usage,
};
use crate::nest::Index;

/// The kernel on this many threads.
pub(super) fn on_threads(mut kernel: Kernel, threads: usize) -> Kernel {
    kernel.threads = kernel.threads.or(Some(threads));
    let most = if kernel.fragments.is_empty() { SHARED_BYTES } else { MOST_SHARED_BYTES };
    while kernel.local_offsets().1 > most {
        let local = kernel.parameters.iter().enumerate().filter(|(_, parameter)| parameter.usage == Usage::Local);
        let largest = local.max_by_key(|(_, parameter)| parameter.elements * parameter.dtype.size());
        let (largest, _) = largest.expect("local arrays take memory");
        spill(&mut kernel, ParameterId(largest));
    }
    kernel
}

/// Makes scratch of a local array.
fn spill(kernel: &mut Kernel, array: ParameterId) {
    let part = kernel.parameters[array.0].elements;
    let mut parts = 0;
    for statement in &mut kernel.body {
        if let Statement::Loop { id, extent, kind: LoopKind::Parallel, body } = statement
            && shift(body, array, *id, part as i64)
        {
            parts = parts.max(*extent);
        }
    }
    kernel.parameters[array.0].elements = part * parts;
    kernel.parameters[array.0].usage = Usage::Scratch;
}

/// Moves all accesses to an array to the part of an iteration; whether there are any.
fn shift(statements: &mut [Statement], array: ParameterId, iteration: LoopId, part: i64) -> bool {
    let mut found = false;
    for statement in statements {
        let index = match statement {
            Statement::Loop { body, .. } | Statement::Within { body, .. } => {
                found |= shift(body, array, iteration, part);
                continue;
            }
            Statement::Let(_, Expression::Load { parameter, index })
            | Statement::Store { parameter, index, .. }
            | Statement::Accumulate { parameter, index, .. }
                if *parameter == array =>
            {
                index
            }
            _ => continue,
        };
        *index = index.clone().plus(&Index::axis(iteration.0).times(part));
        found = true;
    }
    found
}
