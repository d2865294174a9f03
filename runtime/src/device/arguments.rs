//! The argument tables of a step's launches: one pointer per argument of each kernel, in one list.
//!
//! What lies in the workspace is filled in when the step is compiled; what lies in leaves is filled in before every run, and
//! what is another part of an array in every turn of a loop before the turn.
//! [`Arguments::new`] holds the plan against what the unsafe call needs: every buffer is as large as its kernel takes it,
//! lies inside of its memory, and no kernel writes an input.

use std::ops::Range;
use tapeless_compiler::kernel::Usage;
use tapeless_compiler::plan::{Buffer, BufferId, Part, Place, Plan, PlanResult};

/// The memory of a workspace, on whichever device.
#[derive(Clone, Copy)]
pub(super) struct Workspace {
    /// Where it begins.
    pub(super) start: *mut u8,
    /// How long it is.
    pub(super) bytes: usize,
}

/// The tables of all launches.
pub(super) struct Arguments {
    table: Vec<*mut u8>,
    launches: Vec<Entry>,
    /// Launches that run several times, in order.
    loops: Vec<Repeated>,
    /// Arguments that are parts of arrays, those of loops last and in their order.
    moves: Vec<Move>,
    /// Where each leaf stands.
    uses: Vec<Vec<Use>>,
    /// Where each leaf lies.
    leaves: Vec<*mut u8>,
}

/// One launch: its kernel, and where its arguments begin and end.
struct Entry {
    kernel: usize,
    first: usize,
    end: usize,
}

/// Launches that run once per turn.
struct Repeated {
    launches: Range<usize>,
    turns: usize,
    /// The arguments that are somewhere else in every turn.
    moves: Range<usize>,
}

/// An argument that is a part of an array.
struct Move {
    /// Its place in the table.
    position: usize,
    array: *mut u8,
    /// What it is in the first turn instead.
    initial: Option<*mut u8>,
    part: Part,
    /// How many bytes an element has.
    size: usize,
}

/// Where the address of a leaf is needed.
#[derive(Clone, Copy)]
enum Use {
    Table(usize),
    Array(usize),
    Initial(usize),
}

// SAFETY: the pointers are only followed during a run, which fills in those of leaves anew; the others point into the
// workspace, which the same step owns and which does not move.
unsafe impl Send for Arguments {}

impl Arguments {
    /// The tables for a plan on this workspace, or what is wrong with the plan.
    pub(super) fn new(plan: &Plan, workspace: Workspace) -> Result<Arguments, String> {
        let uses = vec![Vec::new(); plan.leaves.len()];
        let leaves = vec![std::ptr::null_mut(); plan.leaves.len()];
        let (table, launches, moves) = (Vec::new(), Vec::new(), Vec::new());
        let mut arguments = Arguments { table, launches, loops: Vec::new(), moves, uses, leaves };
        for at in 0..plan.launches.len() {
            arguments.launch(plan, at, workspace)?;
        }
        // Of all parts, those outside of loops come first: they never move.
        let loop_of = |position: usize| {
            let launch = arguments.launches.partition_point(|entry| entry.end <= position);
            plan.loops.iter().position(|turns| turns.launches.contains(&launch))
        };
        let mut order: Vec<(Option<usize>, usize)> =
            arguments.moves.iter().enumerate().map(|(at, part)| (loop_of(part.position), at)).collect();
        order.sort();
        for (number, turns) in plan.loops.iter().enumerate() {
            let first = order.partition_point(|(other, _)| *other < Some(number));
            let end = order.partition_point(|(other, _)| *other <= Some(number));
            let launches = turns.launches.clone();
            arguments.loops.push(Repeated { launches, turns: turns.turns, moves: first..end });
        }
        arguments.reorder(&order);
        arguments.move_to(0..arguments.moves.len(), 0);
        Ok(arguments)
    }

    fn launch(&mut self, plan: &Plan, at: usize, workspace: Workspace) -> Result<(), String> {
        let (launch, first) = (&plan.launches[at], self.table.len());
        let kernel = &plan.kernels[launch.kernel];
        if kernel.arguments().count() != launch.arguments.len() {
            return Err(format!("kernel {} takes {} arguments", kernel.name, kernel.arguments().count()));
        }
        for (parameter, argument) in kernel.arguments().zip(&launch.arguments) {
            let buffer = &plan.buffers[argument.0];
            if (parameter.dtype, parameter.elements) != (buffer.dtype, buffer.elements) {
                return Err(format!("kernel {} takes another array than buffer {}", kernel.name, argument.0));
            }
            let written = parameter.usage != Usage::Read;
            match buffer.place {
                Place::Part(part) => {
                    check_part(plan, buffer, &part, plan.turns(at))?;
                    self.part(plan, part, written, workspace)?;
                }
                Place::Leaf(_) | Place::Workspace(_) => {
                    let address = self.whole(plan, *argument, written, workspace, Use::Table(self.table.len()))?;
                    self.table.push(address);
                }
            }
        }
        self.launches.push(Entry { kernel: launch.kernel, first, end: self.table.len() });
        Ok(())
    }

    /// Adds an argument that is a part of an array.
    fn part(&mut self, plan: &Plan, part: Part, written: bool, workspace: Workspace) -> Result<(), String> {
        let at = self.moves.len();
        let array = self.whole(plan, part.of, written, workspace, Use::Array(at))?;
        let initial = part.initial.map(|initial| self.whole(plan, initial, written, workspace, Use::Initial(at)));
        let size = plan.buffers[part.of.0].dtype.size();
        self.moves.push(Move { position: self.table.len(), array, initial: initial.transpose()?, part, size });
        self.table.push(std::ptr::null_mut());
        Ok(())
    }

    /// Where a buffer that is no part lies. Where leaves lie is known later.
    fn whole(
        &mut self,
        plan: &Plan,
        id: BufferId,
        written: bool,
        workspace: Workspace,
        used: Use,
    ) -> Result<*mut u8, String> {
        let buffer = &plan.buffers[id.0];
        check_place(plan, buffer, written, workspace)?;
        match buffer.place {
            Place::Workspace(offset) => Ok(workspace.start.wrapping_add(offset)),
            Place::Leaf(leaf) => {
                self.uses[leaf].push(used);
                Ok(std::ptr::null_mut())
            }
            Place::Part(_) => Err("a part is part of a part".to_string()),
        }
    }

    /// Puts the moves into this order.
    fn reorder(&mut self, order: &[(Option<usize>, usize)]) {
        let mut moves: Vec<Option<Move>> = std::mem::take(&mut self.moves).into_iter().map(Some).collect();
        let mut places = vec![0; moves.len()];
        for (place, (_, at)) in order.iter().enumerate() {
            places[*at] = place;
            self.moves.extend(moves[*at].take());
        }
        for used in self.uses.iter_mut().flatten() {
            match used {
                Use::Table(_) => {}
                Use::Array(at) | Use::Initial(at) => *at = places[*at],
            }
        }
    }

    /// Fills in where a leaf lies.
    pub(super) fn set_leaf(&mut self, leaf: usize, pointer: *mut u8) {
        self.leaves[leaf] = pointer;
        for used in &self.uses[leaf] {
            match *used {
                Use::Table(position) => self.table[position] = pointer,
                Use::Array(at) => self.moves[at].array = pointer,
                Use::Initial(at) => self.moves[at].initial = Some(pointer),
            }
        }
    }

    /// Where all leaves lie, as far as they are set.
    pub(super) fn leaves(&self) -> &[*mut u8] {
        &self.leaves
    }

    /// Goes through every run of every launch, in order: its number, its kernel and its arguments.
    pub(super) fn each<E>(&mut self, mut run: impl FnMut(usize, usize, &[*mut u8]) -> Result<(), E>) -> Result<(), E> {
        let fixed = self.loops.first().map_or(self.moves.len(), |turns| turns.moves.start);
        self.move_to(0..fixed, 0);
        let (mut at, mut number) = (0, 0);
        while at < self.launches.len() {
            let (launches, turns, moves) = match self.loops.get(number) {
                Some(turns) if turns.launches.start == at => {
                    number += 1;
                    (turns.launches.clone(), turns.turns, turns.moves.clone())
                }
                _ => (at..at + 1, 1, 0..0),
            };
            at = launches.end;
            for turn in 0..turns {
                self.move_to(moves.clone(), turn);
                for launch in launches.clone() {
                    let Entry { kernel, first, end } = self.launches[launch];
                    run(launch, kernel, &self.table[first..end])?;
                }
            }
        }
        Ok(())
    }

    /// Fills in where these parts are in a turn.
    fn move_to(&mut self, moves: Range<usize>, turn: usize) {
        for Move { position, array, initial, part, size } in &self.moves[moves] {
            self.table[*position] = match initial {
                Some(initial) if turn == 0 => *initial,
                _ => array.wrapping_offset(part.start(turn) as isize * *size as isize),
            };
        }
    }
}

/// Holds a part against the array that it is of, in every turn.
fn check_part(plan: &Plan, buffer: &Buffer, part: &Part, turns: usize) -> Result<(), String> {
    let whole = |id: BufferId| plan.buffers.get(id.0).filter(|whole| whole.dtype == buffer.dtype);
    let Some(array) = whole(part.of).filter(|_| part.period > 0) else {
        return Err("a part is of another type than its array".to_string());
    };
    if let Some(initial) = part.initial
        && whole(initial).is_none_or(|initial| initial.elements != buffer.elements)
    {
        return Err("a part begins as another array".to_string());
    }
    let last = array.elements as i64 - buffer.elements as i64;
    let first = usize::from(part.initial.is_some());
    match (first..turns).all(|turn| (0..=last).contains(&part.start(turn))) {
        true => Ok(()),
        false => Err("a part leaves its array".to_string()),
    }
}

fn check_place(plan: &Plan, buffer: &Buffer, written: bool, workspace: Workspace) -> Result<(), String> {
    match buffer.place {
        Place::Workspace(offset) => {
            let end = offset + buffer.elements * buffer.dtype.size();
            let aligned = offset.is_multiple_of(buffer.dtype.size());
            if end <= workspace.bytes && aligned { Ok(()) } else { Err("a buffer leaves the workspace".to_string()) }
        }
        Place::Leaf(leaf) => {
            let leaf = &plan.leaves[leaf];
            if (leaf.dtype, leaf.shape.iter().product::<usize>()) != (buffer.dtype, buffer.elements) {
                return Err(format!("a buffer is not its leaf: {:?}", leaf.leaf));
            }
            match written && !leaf.leaf.is_kept() {
                true => Err("what is only read is written".to_string()),
                false => Ok(()),
            }
        }
        Place::Part(_) => Err("a part is part of a part".to_string()),
    }
}

/// Where each result of a plan begins in the workspace, or what is wrong with the plan.
pub(super) fn result_offsets(plan: &Plan) -> Result<Vec<usize>, String> {
    let offset = |result: &PlanResult| match plan.buffers[result.buffer.0].place {
        Place::Workspace(offset) => Ok(offset),
        Place::Leaf(_) | Place::Part(_) => Err(format!("the result {:?} does not lie by itself", result.role)),
    };
    plan.results.iter().map(offset).collect()
}
