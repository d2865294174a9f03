//! A load of one value that goes into all lanes is one instruction.
//!
//! Cranelift makes one of the two only where it sees the load next to its only use. Here they stand next to each other, and
//! the single value is used nowhere else if no path reads its register before writing it.

use iced_x86::{Code, FlowControl, Instruction, InstructionInfoFactory, OpAccess, Register};
use std::collections::{HashMap, HashSet};

/// Registers, one bit each.
type Registers = u16;

/// Makes loads into all lanes of loads whose value goes into all lanes and nowhere else.
pub(super) fn broadcasts(instructions: &mut Vec<Instruction>) {
    let targets: HashSet<u64> = instructions.iter().filter_map(target).collect();
    let pair = |at: usize| is_pair(&instructions[at], &instructions[at + 1], &targets);
    let pairs: Vec<usize> = (0..instructions.len().saturating_sub(1)).filter(|&at| pair(at)).collect();
    if pairs.is_empty() {
        return;
    }
    let live = live_before(instructions);
    let unread = |at: usize| {
        let (single, all) = (instructions[at].op0_register(), instructions[at + 1].op0_register());
        single == all || live.get(at + 2).is_some_and(|live| live & bit(single) == 0)
    };
    let folded: Vec<usize> = pairs.into_iter().filter(|&at| unread(at)).collect();
    for &at in &folded {
        let all = instructions[at + 1].op0_register();
        instructions[at].set_code(Code::VEX_Vbroadcastss_xmm_m32);
        instructions[at].set_op0_register(all);
    }
    let mut kept: Vec<bool> = vec![true; instructions.len()];
    folded.iter().for_each(|&at| kept[at + 1] = false);
    let mut kept = kept.into_iter();
    instructions.retain(|_| kept.next().unwrap_or(true));
}

fn target(instruction: &Instruction) -> Option<u64> {
    let branches =
        matches!(instruction.flow_control(), FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch);
    branches.then(|| instruction.near_branch_target())
}

fn is_pair(load: &Instruction, all: &Instruction, targets: &HashSet<u64>) -> bool {
    load.code() == Code::VEX_Vmovss_xmm_m32
        && all.code() == Code::VEX_Vbroadcastss_xmm_xmm
        && all.op1_register() == load.op0_register()
        && !targets.contains(&all.ip())
}

/// Which vector registers may be read before they are written, before each instruction.
fn live_before(instructions: &[Instruction]) -> Vec<Registers> {
    let positions: HashMap<u64, usize> = instructions.iter().enumerate().map(|(at, i)| (i.ip(), at)).collect();
    let mut factory = InstructionInfoFactory::new();
    let effects: Vec<(Registers, Registers)> = instructions.iter().map(|i| effects(&mut factory, i)).collect();
    let mut live = vec![0; instructions.len()];
    loop {
        let mut changed = false;
        for at in (0..instructions.len()).rev() {
            let falls =
                !matches!(instructions[at].flow_control(), FlowControl::UnconditionalBranch | FlowControl::Return);
            let next = if falls { live.get(at + 1).copied().unwrap_or(0) } else { 0 };
            let branch = target(&instructions[at]).and_then(|target| positions.get(&target));
            let after = next | branch.map_or(0, |&to| live[to]);
            let (read, written) = effects[at];
            let before = read | (after & !written);
            changed |= before != live[at];
            live[at] = before;
        }
        if !changed {
            return live;
        }
    }
}

/// The vector registers that an instruction reads, and those that it writes whole.
fn effects(factory: &mut InstructionInfoFactory, instruction: &Instruction) -> (Registers, Registers) {
    let (mut read, mut written) = (0, 0);
    for used in factory.info(instruction).used_registers() {
        match used.access() {
            OpAccess::Write => written |= bit(used.register()),
            OpAccess::CondWrite | OpAccess::None | OpAccess::NoMemAccess => {}
            _ => read |= bit(used.register()),
        }
    }
    (read, written)
}

fn bit(register: Register) -> Registers {
    match register.is_vector_register() {
        true => 1 << (register.number() % 16),
        false => 0,
    }
}
