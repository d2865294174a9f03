//! Bytes become instructions: all that control reaches, in order of their addresses.

use super::Refusal;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};

/// The address of the first byte. What the pass adds has no address, which is 0.
pub(super) const START: u64 = 1 << 20;

/// The instructions that control reaches from the first one. Constants and padding are not among them.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Instruction>, Refusal> {
    let mut instructions: Vec<Instruction> = Vec::new();
    let mut found = vec![false; bytes.len()];
    let mut starts = vec![START];
    while let Some(start) = starts.pop() {
        let mut place =
            start.checked_sub(START).and_then(|place| usize::try_from(place).ok()).ok_or(Refusal::Outside)?;
        let rest = bytes.get(place..).ok_or(Refusal::Outside)?;
        let mut decoder = Decoder::with_ip(64, rest, start, DecoderOptions::NONE);
        while !*found.get(place).ok_or(Refusal::Outside)? {
            let instruction = decoder.decode();
            if instruction.is_invalid() {
                return Err(Refusal::Outside);
            }
            found[place] = true;
            place += instruction.len();
            instructions.push(instruction);
            match instruction.flow_control() {
                FlowControl::Next => continue,
                FlowControl::ConditionalBranch => starts.push(instruction.near_branch_target()),
                FlowControl::UnconditionalBranch => {
                    starts.push(instruction.near_branch_target());
                    break;
                }
                FlowControl::Return => break,
                _ => return Err(Refusal::Instruction(instruction.code())),
            }
        }
    }
    instructions.sort_unstable_by_key(Instruction::ip);
    let apart = instructions.windows(2).all(|pair| pair[0].next_ip() <= pair[1].ip());
    if apart { Ok(instructions) } else { Err(Refusal::Outside) }
}
