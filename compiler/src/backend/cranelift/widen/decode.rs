//! Bytes become instructions: all that control reaches, in order of their addresses.

use super::Refusal;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};
use std::collections::BTreeMap;

/// The address of the first byte. What the pass adds has no address, which is 0.
pub(super) const START: u64 = 1 << 20;

/// The instructions that control reaches from the first one. Constants and padding are not among them.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Instruction>, Refusal> {
    let mut found: BTreeMap<u64, Instruction> = BTreeMap::new();
    let mut starts = vec![START];
    while let Some(start) = starts.pop() {
        let offset = start.checked_sub(START).and_then(|offset| usize::try_from(offset).ok());
        let rest = offset.and_then(|offset| bytes.get(offset..)).ok_or(Refusal::Outside)?;
        let mut decoder = Decoder::with_ip(64, rest, start, DecoderOptions::NONE);
        while !found.contains_key(&decoder.ip()) {
            let instruction = decoder.decode();
            if instruction.is_invalid() {
                return Err(Refusal::Outside);
            }
            found.insert(instruction.ip(), instruction);
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
    let instructions: Vec<Instruction> = found.into_values().collect();
    let apart = instructions.windows(2).all(|pair| pair[0].next_ip() <= pair[1].ip());
    if apart { Ok(instructions) } else { Err(Refusal::Outside) }
}
