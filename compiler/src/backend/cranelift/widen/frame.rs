//! The frame: what lies in it grows with the vectors.
//!
//! Cranelift's functions keep the caller's frame pointer, take the size of their frame off the stack pointer and reach saved
//! registers and spills by displacements from it. Displacements and size times the factor keep everything apart. Spills of
//! whole vectors then begin at multiples of their size where the stack pointer does, so it is rounded down; the frame pointer
//! brings it back.

use super::Refusal;
use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};

/// The most that a frame may take. Larger ones would have to touch the stack page by page.
const PAGE: usize = 4096;

/// Scales the frame by a factor.
pub(super) fn scale(instructions: &mut Vec<Instruction>, factor: usize) -> Result<(), Refusal> {
    for at in 0..instructions.len() {
        let instruction = &instructions[at];
        let refused = Err(Refusal::Frame(instruction.code()));
        if uses(instruction, Register::RBP) && !keeps_frame_pointer(instruction) {
            return refused;
        }
        match role(instruction) {
            None => {}
            Some(Role::Kept) => {}
            Some(Role::Taken) if at == 2 && is_prologue(&instructions[..2]) => grow(&mut instructions[at], factor)?,
            Some(Role::Given) if instructions.get(at + 1).is_some_and(brings_back) => {
                grow(&mut instructions[at], factor)?
            }
            Some(Role::Slot) => move_slot(&mut instructions[at], factor)?,
            Some(_) => return refused,
        }
    }
    if instructions.get(2).and_then(role) == Some(Role::Taken) {
        let whole = -(16 * factor as i32);
        let round = Instruction::with2(Code::And_rm64_imm8, Register::RSP, whole);
        instructions.insert(3, round.map_err(|error| Refusal::Assemble(error.to_string()))?);
    }
    Ok(())
}

/// Whether an instruction stores a vector to the frame.
pub(super) fn is_spill(instruction: &Instruction) -> bool {
    let stores = instruction.op_count() == 2 && instruction.op0_kind() == OpKind::Memory;
    let whole = matches!(
        instruction.mnemonic(),
        Mnemonic::Movups
            | Mnemonic::Movaps
            | Mnemonic::Movdqu
            | Mnemonic::Movdqa
            | Mnemonic::Vmovups
            | Mnemonic::Vmovdqu
    );
    stores && whole && instruction.memory_base() == Register::RSP
}

/// What an instruction does with the stack pointer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It keeps or brings back the stack or frame pointer.
    Kept,
    /// It takes the frame off the stack pointer.
    Taken,
    /// It adds the frame to the stack pointer.
    Given,
    /// It reads or writes a place in the frame.
    Slot,
    /// Anything else.
    Other,
}

fn role(instruction: &Instruction) -> Option<Role> {
    if keeps_frame_pointer(instruction) {
        return Some(Role::Kept);
    }
    let to_pointer = instruction.op0_kind() == OpKind::Register && instruction.op0_register() == Register::RSP;
    Some(match instruction.code() {
        Code::Sub_rm64_imm8 | Code::Sub_rm64_imm32 if to_pointer => Role::Taken,
        Code::Add_rm64_imm8 | Code::Add_rm64_imm32 if to_pointer => Role::Given,
        _ if !uses(instruction, Register::RSP) => return None,
        _ if is_slot(instruction) => Role::Slot,
        _ => Role::Other,
    })
}

/// An operand in memory at a whole displacement from the stack pointer, which is in no other operand.
fn is_slot(instruction: &Instruction) -> bool {
    let registers = (0..instruction.op_count()).filter(|&operand| instruction.op_kind(operand) == OpKind::Register);
    let mut others = registers.map(|operand| instruction.op_register(operand));
    let displacement = instruction.memory_displacement64() as i64;
    let is_moved = !matches!(instruction.mnemonic(), Mnemonic::Lea | Mnemonic::Push | Mnemonic::Pop);
    let whole = displacement >= 0 && displacement % 8 == 0;
    is_moved
        && whole
        && instruction.memory_index() == Register::None
        && others.all(|r| r.full_register() != Register::RSP)
}

fn uses(instruction: &Instruction, register: Register) -> bool {
    let operands = (0..instruction.op_count()).filter(|&operand| instruction.op_kind(operand) == OpKind::Register);
    let mut operands = operands.map(|operand| instruction.op_register(operand).full_register());
    instruction.memory_base() == register
        || instruction.memory_index() == register
        || operands.any(|operand| operand == register)
        || (register == Register::RSP && instruction.is_stack_instruction() && instruction.code() != Code::Retnq)
}

fn keeps_frame_pointer(instruction: &Instruction) -> bool {
    is_push(instruction) || is_pop(instruction) || sets_frame_pointer(instruction) || brings_back(instruction)
}

fn is_prologue(instructions: &[Instruction]) -> bool {
    is_push(&instructions[0]) && sets_frame_pointer(&instructions[1])
}

fn is_push(instruction: &Instruction) -> bool {
    instruction.code() == Code::Push_r64 && instruction.op0_register() == Register::RBP
}

fn is_pop(instruction: &Instruction) -> bool {
    instruction.code() == Code::Pop_r64 && instruction.op0_register() == Register::RBP
}

fn sets_frame_pointer(instruction: &Instruction) -> bool {
    is_move(instruction, Register::RBP, Register::RSP)
}

fn brings_back(instruction: &Instruction) -> bool {
    is_move(instruction, Register::RSP, Register::RBP)
}

fn is_move(instruction: &Instruction, to: Register, from: Register) -> bool {
    let registers = (instruction.op0_kind(), instruction.op1_kind()) == (OpKind::Register, OpKind::Register);
    instruction.mnemonic() == Mnemonic::Mov
        && registers
        && (instruction.op0_register(), instruction.op1_register()) == (to, from)
}

/// The frame's size in an instruction that takes or gives it.
fn grow(instruction: &mut Instruction, factor: usize) -> Result<(), Refusal> {
    let bytes = usize::try_from(instruction.immediate(1)).ok().and_then(|bytes| bytes.checked_mul(factor));
    let bytes = bytes.filter(|&bytes| bytes < PAGE);
    let bytes = bytes.ok_or(Refusal::LargeFrame(instruction.immediate(1) as usize))?;
    let large = if instruction.mnemonic() == Mnemonic::Sub { Code::Sub_rm64_imm32 } else { Code::Add_rm64_imm32 };
    instruction.set_code(large);
    instruction.set_op1_kind(OpKind::Immediate32to64);
    instruction.set_immediate32to64(bytes as i64);
    Ok(())
}

fn move_slot(instruction: &mut Instruction, factor: usize) -> Result<(), Refusal> {
    let displacement = instruction.memory_displacement64() * factor as u64;
    if displacement >= PAGE as u64 {
        return Err(Refusal::Frame(instruction.code()));
    }
    instruction.set_memory_displacement64(displacement);
    // One byte where that is enough; the assembler takes four where it is not.
    instruction.set_memory_displ_size(1);
    Ok(())
}
