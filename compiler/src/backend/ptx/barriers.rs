//! Where the threads of a block wait for each other.
//!
//! A kernel enters; which of its statements stand behind a barrier leaves. What counts is a lanes loop as a whole, or a
//! statement outside of all of them, which every thread runs and where one thread stores. Such a unit waits where it loads
//! what may have been stored since the last barrier, or stores what may have been loaded or stored since.

use crate::kernel::{Expression, Kernel, LoopKind, ParameterId, Statement, Usage, WARP, local_memory};
use std::collections::HashSet;

/// Statements, by where they are.
pub(super) type Behind = HashSet<*const Statement>;

/// The statements of a phase that stand behind a barrier. Where arrays lie is the business of the whole kernel.
pub(super) fn barriers(kernel: &Kernel, whole: &Kernel, threads: usize) -> Behind {
    let mut walk = Walk { kernel, threads, memory: memory(whole), behind: Behind::new() };
    let mut since = Since { loaded: vec![false; kernel.parameters.len()], stored: vec![None; kernel.parameters.len()] };
    walk.statements(&kernel.body, &mut since);
    walk.behind
}

/// Whether a parameter that is loaded from may be one array with one that is stored to.
pub(super) fn may_be_stored_to(kernel: &Kernel, ParameterId(loaded): ParameterId) -> bool {
    (0..kernel.parameters.len()).any(|stored| may_be_one(kernel, loaded, stored))
}

/// Parameters that are one array have the same type and extent.
fn may_be_one(kernel: &Kernel, loaded: usize, stored: usize) -> bool {
    let (loaded, stored) = (&kernel.parameters[loaded], &kernel.parameters[stored]);
    loaded.usage == Usage::Read
        && stored.usage == Usage::Written
        && (loaded.dtype, loaded.elements) == (stored.dtype, stored.elements)
}

/// Who stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// One thread, always the same.
    One,
    /// Any.
    All,
}

/// What has happened to each parameter since the last barrier.
#[derive(Clone, Debug, PartialEq)]
struct Since {
    loaded: Vec<bool>,
    stored: Vec<Option<Who>>,
}

impl Since {
    fn clear(&mut self) {
        self.loaded.fill(false);
        self.stored.fill(None);
    }

    /// What may have happened on one of two ways.
    fn join(&mut self, other: &Since) {
        self.loaded.iter_mut().zip(&other.loaded).for_each(|(mine, other)| *mine |= other);
        for (mine, other) in self.stored.iter_mut().zip(&other.stored) {
            *mine = if *mine == Some(Who::All) { *mine } else { other.or(*mine) };
        }
    }
}

/// What a unit does to parameters.
#[derive(Default)]
struct Unit {
    loads: Vec<usize>,
    stores: Vec<usize>,
    sums: Vec<usize>,
}

struct Walk<'k> {
    kernel: &'k Kernel,
    threads: usize,
    /// For each parameter, the one that stands for all that may share memory with it.
    memory: Vec<usize>,
    behind: Behind,
}

impl Walk<'_> {
    fn statements(&mut self, statements: &[Statement], since: &mut Since) {
        for statement in statements {
            match statement {
                Statement::Loop { extent: 0, .. } => {}
                Statement::Loop { kind: LoopKind::Serial | LoopKind::Parallel, body, .. } => self.turns(body, since),
                Statement::Loop { kind: LoopKind::Lanes { .. }, .. } => self.unit(statement, Who::All, since),
                // Its turns have barriers of their own; in the end, all of its arrays have been read.
                Statement::Loop { kind: LoopKind::Staged { .. }, .. } => {
                    self.unit(statement, Who::All, since);
                    since.stored.fill(None);
                }
                Statement::Unload { .. } => self.unit(statement, Who::All, since),
                // Folding through memory has barriers of its own.
                Statement::Let(_, Expression::Combine(..)) if self.threads > WARP => since.clear(),
                _ => self.unit(statement, Who::One, since),
            }
        }
    }

    /// The body of a loop, before which there may be the end of the same body.
    fn turns(&mut self, body: &[Statement], since: &mut Since) {
        loop {
            let before = since.clone();
            let mut after = before.clone();
            self.statements(body, &mut after);
            since.join(&after);
            if *since == before {
                *since = after;
                return;
            }
        }
    }

    fn unit(&mut self, statement: &Statement, who: Who, since: &mut Since) {
        let mut unit = Unit::default();
        collect(statement, &mut unit);
        for parameter in unit.loads.iter_mut().chain(&mut unit.stores) {
            *parameter = self.memory[*parameter];
        }
        if self.waits(&unit, who, since) {
            self.behind.insert(std::ptr::from_ref(statement));
            since.clear();
        }
        unit.loads.iter().for_each(|&parameter| since.loaded[parameter] = true);
        for &parameter in unit.stores.iter().chain(&unit.sums) {
            let before = since.stored[parameter];
            since.stored[parameter] = if before == Some(Who::All) { before } else { Some(who) };
        }
    }

    fn waits(&self, unit: &Unit, who: Who, since: &Since) -> bool {
        let usage = |parameter: usize| self.kernel.parameters[parameter].usage;
        // What one thread has stored it may store or add to again.
        let by_others = |parameter: usize| match (since.stored[parameter], who) {
            (None, _) | (Some(Who::One), Who::One) => false,
            (Some(_), _) => true,
        };
        let loads = || unit.loads.iter().any(|&parameter| since.stored[parameter].is_some());
        let sums = || unit.sums.iter().any(|&parameter| by_others(parameter));
        // Each element of a result is stored once, by the iteration that loads it if it is an operand too: but if one thread
        // stores it, all others have loaded it.
        let stores = || {
            unit.stores.iter().any(|&parameter| match usage(parameter) {
                Usage::Written => {
                    let operand = |other: usize| since.loaded[other] && may_be_one(self.kernel, other, parameter);
                    who == Who::One && (0..since.loaded.len()).any(operand)
                }
                _ => since.loaded[parameter] || by_others(parameter),
            })
        };
        loads() || sums() || stores()
    }
}

fn collect(statement: &Statement, unit: &mut Unit) {
    match statement {
        Statement::Loop { body, .. } => body.iter().for_each(|statement| collect(statement, unit)),
        Statement::Let(_, Expression::Load { parameter, .. }) => unit.loads.push(parameter.0),
        Statement::Store { parameter, .. } => unit.stores.push(parameter.0),
        Statement::Accumulate { parameter, .. } => unit.sums.push(parameter.0),
        Statement::Within { body, .. } => body.iter().for_each(|statement| collect(statement, unit)),
        Statement::Copy(copy) => {
            unit.loads.push(copy.from.0);
            unit.stores.push(copy.to.0);
        }
        Statement::Contract { left, right, .. } => unit.loads.extend([left.array.0, right.array.0]),
        Statement::Unload { array, .. } => unit.stores.push(array.0),
        Statement::Let(..) | Statement::Assign(..) | Statement::Clear(_) => {}
    }
}

/// For each parameter, the first one that may share memory with it, or with one that does.
fn memory(kernel: &Kernel) -> Vec<usize> {
    let (places, _) = local_memory(kernel);
    let mut memory: Vec<usize> = (0..places.len()).collect();
    for (at, place) in places.iter().enumerate() {
        for (other, earlier) in places[..at].iter().enumerate() {
            if let (Some(place), Some(earlier)) = (place, earlier)
                && place.start < earlier.end
                && earlier.start < place.end
            {
                let (mine, theirs) = (memory[at], memory[other]);
                memory.iter_mut().filter(|known| **known == mine).for_each(|known| *known = theirs);
            }
        }
    }
    memory
}
