//! Instructions become bytes at their new width, constants behind them.

use super::decode::START;
use super::table::{Form, Junction, Source, Wide, is_whole_in_parts, junction, stays, wide, wider};
use super::{Factor, Refusal};
use iced_x86::{BlockEncoder, BlockEncoderOptions, Code, Instruction, InstructionBlock, Mnemonic, OpKind, Register};
use std::collections::{HashMap, HashSet};

/// Where the new code begins: far behind the old one, so that no address of the one is one of the other.
const NEW: u64 = START << 8;

/// Where constants are until the size of the code is known.
const POOL: u64 = NEW + (START << 4);

/// The code of instructions, none of them on whole vectors of another width than 128 bits; `bytes` is what they were, and
/// `parts` are the addresses of those that run in parts.
pub(super) fn assemble(
    instructions: &[Instruction],
    parts: &HashSet<u64>,
    bytes: &[u8],
    factor: Factor,
) -> Result<Vec<u8>, Refusal> {
    let mut pool = Pool { old: bytes, new: Vec::new(), places: HashMap::new(), factor };
    let mut code = Vec::with_capacity(instructions.len() + 8);
    for instruction in instructions {
        let first = code.len();
        push(*instruction, parts.contains(&instruction.ip()), &mut code, &mut pool)?;
        // Who jumps to an instruction jumps to the first of those that it became.
        code[first..].iter_mut().for_each(|added| added.set_ip(0));
        code[first].set_ip(instruction.ip());
    }
    let mut bytes = encode(&code, factor.bytes())?;
    if !pool.new.is_empty() {
        bytes.resize(bytes.len().next_multiple_of(factor.bytes()), 0);
        bytes.extend(pool.new);
    }
    Ok(bytes)
}

/// The bytes of code whose constants follow it at the next multiple of the alignment.
fn encode(code: &[Instruction], alignment: usize) -> Result<Vec<u8>, Refusal> {
    let options = BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS | BlockEncoderOptions::RETURN_CONSTANT_OFFSETS;
    let encoded = BlockEncoder::encode(64, InstructionBlock::new(code, NEW), options);
    let encoded = encoded.map_err(|error| Refusal::Assemble(error.to_string()))?;
    let mut bytes = encoded.code_buffer;
    // Displacements were made for constants far away, since they come where the code ends.
    let moved = (NEW as i32 - POOL as i32) + bytes.len().next_multiple_of(alignment) as i32;
    let places = encoded.new_instruction_offsets.iter().zip(&encoded.constant_offsets);
    for (_, (start, parts)) in code.iter().zip(places).filter(|(instruction, _)| instruction.is_ip_rel_memory_operand())
    {
        let place = *start as usize + parts.displacement_offset();
        let field = bytes.get_mut(place..place + 4).and_then(|field| field.first_chunk_mut::<4>());
        let field = field.ok_or_else(|| Refusal::Assemble("a constant is not where it was put".to_string()))?;
        *field = i32::from_le_bytes(*field).wrapping_add(moved).to_le_bytes();
    }
    Ok(bytes)
}

/// Adds what an instruction becomes, which may be one that runs in parts.
fn push(
    mut instruction: Instruction,
    in_parts: bool,
    code: &mut Vec<Instruction>,
    pool: &mut Pool<'_>,
) -> Result<(), Refusal> {
    let factor = pool.factor;
    if let Some((junction, factor)) = junction(instruction.code(), factor) {
        return push_junction(&instruction, junction, factor, code);
    }
    // The bytes that the emitter widens are in a register: in memory there are fewer than any form of it would read.
    let bytes = instruction.code() == Code::VEX_Vpmovzxbw_xmm_xmmm64;
    if bytes && instruction.op1_kind() != OpKind::Register {
        return Err(Refusal::Instruction(instruction.code()));
    }
    let wide = wide(instruction.code(), factor);
    let is_part = |wide: &Wide| pool.loads_part(&instruction) || in_parts && !is_whole_in_parts(&instruction, wide);
    if let Some(wide) = wide.filter(|wide| !is_part(wide)) {
        pool.move_constant(&mut instruction, wide.source)?;
        return push_wide(instruction, wide, factor, code);
    }
    if wide.is_none() && !stays(&instruction) {
        return Err(Refusal::Instruction(instruction.code()));
    }
    pool.move_constant(&mut instruction, Source::One)?;
    if instruction.mnemonic() == Mnemonic::Ret {
        code.push(Instruction::with(Code::VEX_Vzeroupper));
    }
    code.push(instruction);
    Ok(())
}

/// Adds what joins or splits vectors, the larger of which are wider than four lanes by a factor.
fn push_junction(
    instruction: &Instruction,
    junction: Junction,
    factor: Factor,
    code: &mut Vec<Instruction>,
) -> Result<(), Refusal> {
    let registers = (0..3).all(|operand| instruction.op_kind(operand) == OpKind::Register);
    let [result, first, second] = [0, 1, 2].map(|operand| instruction.op_register(operand));
    let smaller = |register| if factor == Factor::Two { register } else { wider(register, Factor::Two) };
    let [whole, lower] = [result, first].map(|register| wider(register, factor));
    let added = match junction {
        Junction::Join(joined) if registers => Instruction::with4(joined, whole, lower, smaller(second), 1),
        // The second vector is the first one, perhaps in another register.
        Junction::Split(split) if registers => Instruction::with3(split, smaller(result), lower, 1),
        _ => return Err(Refusal::Instruction(instruction.code())),
    };
    code.push(added.map_err(|error| Refusal::Assemble(error.to_string()))?);
    Ok(())
}

/// Adds the wider form of an instruction on whole vectors.
fn push_wide(
    mut instruction: Instruction,
    wide: Wide,
    factor: Factor,
    code: &mut Vec<Instruction>,
) -> Result<(), Refusal> {
    let last = instruction.op_count() - 1;
    for operand in 0..=last {
        if instruction.op_kind(operand) == OpKind::Register {
            let register = instruction.op_register(operand);
            let register = match wide.source {
                Source::One if operand == last => register,
                Source::Half if operand == last && factor == Factor::Two => register,
                Source::Half if operand == last => Register::YMM0 + register.number() as u32,
                _ => wider(register, factor),
            };
            instruction.set_op_register(operand, register);
        }
    }
    if instruction.memory_displ_size() > 1 && !instruction.is_ip_rel_memory_operand() {
        instruction.set_memory_displ_size(1);
    }
    let result = instruction.op0_register();
    instruction.set_code(wide.code);
    let added = |instruction: Result<Instruction, iced_x86::IcedError>| {
        instruction.map_err(|error| Refusal::Assemble(error.to_string()))
    };
    match wide.form {
        Form::Same => code.push(instruction),
        Form::Compares => {
            instruction.set_op0_register(Register::K1);
            code.push(instruction);
            code.push(added(Instruction::with2(Code::EVEX_Vpmovm2d_zmm_kr, result, Register::K1))?);
        }
        Form::Blends => {
            let condition = instruction.op3_register();
            code.push(added(Instruction::with2(Code::EVEX_Vpmovb2m_kr_zmm, Register::K1, condition))?);
            instruction.set_op3_register(Register::None);
            instruction.set_op_mask(Register::K1);
            code.push(instruction);
        }
    }
    Ok(())
}

/// The constants behind the code.
struct Pool<'a> {
    /// The code and the constants as they were.
    old: &'a [u8],
    new: Vec<u8>,
    /// Where each constant is.
    places: HashMap<Vec<u8>, usize>,
    factor: Factor,
}

impl Pool<'_> {
    /// Moves the constant that an instruction reads, if it reads one.
    fn move_constant(&mut self, instruction: &mut Instruction, source: Source) -> Result<(), Refusal> {
        if !instruction.is_ip_rel_memory_operand() {
            return Ok(());
        }
        let constant = self.constant(instruction).ok_or(Refusal::Outside)?;
        let constant = match source {
            Source::One => constant.to_vec(),
            Source::Whole if is_uniform(constant) => constant[..4].repeat(self.factor.bytes() / 4),
            Source::Whole | Source::Half => return Err(Refusal::Constant),
        };
        let place = self.place(constant);
        instruction.set_memory_displacement64(POOL + place as u64);
        Ok(())
    }

    /// Whether an instruction loads a constant whose lanes differ, which is a part.
    fn loads_part(&self, instruction: &Instruction) -> bool {
        let loads = matches!(instruction.mnemonic(), Mnemonic::Vmovups | Mnemonic::Vmovdqu);
        let constant = || self.constant(instruction).unwrap_or_default();
        loads && instruction.is_ip_rel_memory_operand() && !is_uniform(constant())
    }

    /// The constant that an instruction reads.
    fn constant(&self, instruction: &Instruction) -> Option<&[u8]> {
        let size = instruction.memory_size().size();
        let start = usize::try_from(instruction.memory_displacement64().checked_sub(START)?).ok()?;
        self.old.get(start..start + size).filter(|_| size > 0)
    }

    fn place(&mut self, constant: Vec<u8>) -> usize {
        if let Some(&place) = self.places.get(&constant) {
            return place;
        }
        self.new.resize(self.new.len().next_multiple_of(constant.len().next_power_of_two()), 0);
        let place = self.new.len();
        self.new.extend(&constant);
        self.places.insert(constant, place);
        place
    }
}

/// Whether a constant is the same word in every lane.
fn is_uniform(constant: &[u8]) -> bool {
    constant.chunks(4).all(|word| *word == constant[..4])
}
