//! The argument tables of a step's launches: one pointer per argument of each kernel, in one list.
//!
//! What lies in the workspace is filled in when the step is compiled; what lies in leaves is filled in before every run.
//! [`Arguments::new`] holds the plan against what the unsafe call needs: every buffer is as large as its kernel takes it,
//! lies inside of its memory, and no kernel writes an input.

use tapeless_compiler::kernel::Usage;
use tapeless_compiler::plan::{Buffer, Place, Plan, PlanResult};

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
    /// Where each leaf stands in the table.
    uses: Vec<Vec<usize>>,
}

/// One launch: its kernel, and where its arguments begin and end.
struct Entry {
    kernel: usize,
    first: usize,
    end: usize,
}

// SAFETY: the pointers are only followed during a run, which fills in those of leaves anew; the others point into the
// workspace, which the same step owns and which does not move.
unsafe impl Send for Arguments {}

impl Arguments {
    /// The tables for a plan on this workspace, or what is wrong with the plan.
    pub(super) fn new(plan: &Plan, workspace: Workspace) -> Result<Arguments, String> {
        let (mut table, mut launches, mut uses) = (Vec::new(), Vec::new(), vec![Vec::new(); plan.leaves.len()]);
        for launch in &plan.launches {
            let first = table.len();
            let kernel = &plan.kernels[launch.kernel];
            if kernel.arguments().count() != launch.arguments.len() {
                return Err(format!("kernel {} takes {} arguments", kernel.name, kernel.arguments().count()));
            }
            for (parameter, argument) in kernel.arguments().zip(&launch.arguments) {
                let buffer = &plan.buffers[argument.0];
                if (parameter.dtype, parameter.elements) != (buffer.dtype, buffer.elements) {
                    return Err(format!("kernel {} takes another array than buffer {}", kernel.name, argument.0));
                }
                check_place(plan, buffer, parameter.usage != Usage::Read, workspace)?;
                match buffer.place {
                    Place::Workspace(offset) => table.push(workspace.start.wrapping_add(offset)),
                    Place::Leaf(leaf) => {
                        uses[leaf].push(table.len());
                        table.push(std::ptr::null_mut());
                    }
                }
            }
            launches.push(Entry { kernel: launch.kernel, first, end: table.len() });
        }
        Ok(Arguments { table, launches, uses })
    }

    /// Fills in where a leaf lies.
    pub(super) fn set_leaf(&mut self, leaf: usize, pointer: *mut u8) {
        for &position in &self.uses[leaf] {
            self.table[position] = pointer;
        }
    }

    /// The tables of all launches, one behind the other.
    pub(super) fn table(&self) -> &[*mut u8] {
        &self.table
    }

    /// Every launch in order: its kernel and its arguments.
    pub(super) fn launches(&self) -> impl Iterator<Item = (usize, &[*mut u8])> {
        self.launches.iter().map(|entry| (entry.kernel, &self.table[entry.first..entry.end]))
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
    }
}

/// Where each result of a plan begins in the workspace, or what is wrong with the plan.
pub(super) fn result_offsets(plan: &Plan) -> Result<Vec<usize>, String> {
    let offset = |result: &PlanResult| match plan.buffers[result.buffer.0].place {
        Place::Workspace(offset) => Ok(offset),
        Place::Leaf(_) => Err(format!("the result {:?} lies in a leaf", result.role)),
    };
    plan.results.iter().map(offset).collect()
}
