//! Which instructions there are, and what becomes of them.
//!
//! [`modern`] comes first: instructions of the old encoding, which Cranelift uses for moves and some scalars, become those of
//! the new one, which clears what is above. After it, an instruction is one on whole vectors, of which [`wide`] says what it
//! becomes, or what stands for joining or splitting vectors, of which [`junction`] says so, or one on integers, single values
//! or parts, which [`stays`] as it is, or refused. Where code runs in parts, those on whole vectors stay as well, but for
//! what [`is_whole_in_parts`].

use super::Factor;
use iced_x86::{Code, ConditionCode, EncodingKind, Instruction, Mnemonic, OpKind, Register};

/// What an instruction on whole vectors becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wide {
    /// The wider instruction.
    pub(super) code: Code,
    /// How much of the last operand there is.
    pub(super) source: Source,
    /// What is special about it.
    pub(super) form: Form,
}

/// How large the last operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A whole vector.
    Whole,
    /// Half of one, in a register too.
    Half,
    /// One value.
    One,
}

/// How a wider instruction has its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As the narrow one.
    Same,
    /// Its result is a mask register, which has to become lanes of ones and zeros.
    Compares,
    /// Its condition is a mask register, which has to be made of lanes of ones and zeros.
    Blends,
}

/// What a vector instruction becomes, if it is one that works lane by lane.
pub(super) fn wide(code: Code, factor: Factor) -> Option<Wide> {
    let (ymm, zmm, source) = row(code)?;
    let form = match code {
        _ if factor == Factor::Two => Form::Same,
        Code::VEX_Vcmpps_xmm_xmm_xmmm128_imm8
        | Code::VEX_Vpcmpeqd_xmm_xmm_xmmm128
        | Code::VEX_Vpcmpgtd_xmm_xmm_xmmm128 => Form::Compares,
        Code::VEX_Vpblendvb_xmm_xmm_xmmm128_xmm => Form::Blends,
        _ => Form::Same,
    };
    let code = if factor == Factor::Two { ymm } else { zmm };
    Some(Wide { code, source, form })
}

/// Whether an instruction on whole vectors is on whole ones where code runs in parts, too: if it moves vectors, which the
/// register allocator may do with any of them anywhere, or puts one value into all lanes, which more lanes do not harm.
pub(super) fn is_whole_in_parts(instruction: &Instruction, wide: &Wide) -> bool {
    let moves = matches!(instruction.mnemonic(), Mnemonic::Vmovups | Mnemonic::Vmovdqu);
    let registers = (instruction.op0_kind(), instruction.op1_kind()) == (OpKind::Register, OpKind::Register);
    wide.source == Source::One || moves && (registers || instruction.memory_base() == Register::RSP)
}

/// Whether an instruction stays as it is: on integers, or on single values or parts in vector registers in the new encoding.
pub(super) fn stays(instruction: &Instruction) -> bool {
    let operands = 0..instruction.op_count();
    let mut registers = operands.filter(|&operand| instruction.op_kind(operand) == OpKind::Register);
    let vectors = registers.any(|operand| instruction.op_register(operand).is_vector_register());
    match instruction.encoding() {
        _ if vectors => {
            let mnemonic = instruction.mnemonic();
            instruction.encoding() == EncodingKind::VEX && (is_single(mnemonic) || is_part(mnemonic))
        }
        EncodingKind::Legacy => is_integer(instruction),
        _ => false,
    }
}

fn is_single(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(
        mnemonic,
        Vmovss
            | Vmovsd
            | Vmovd
            | Vmovq
            | Vaddss
            | Vsubss
            | Vmulss
            | Vdivss
            | Vsqrtss
            | Vmaxss
            | Vminss
            | Vroundss
            | Vfmadd132ss
            | Vfmadd213ss
            | Vfmadd231ss
            | Vucomiss
            | Vcvtsi2ss
            | Vcvttss2si
    )
}

fn is_part(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(mnemonic, Vinsertps | Vpinsrd | Vpextrd | Vpextrq | Vpshufd | Vpackusdw | Vpackuswb)
}

/// What stands for joining or splitting vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Junction {
    /// The lower half of the wider vector, and behind it the other.
    Join(Code),
    /// The upper half of the wider vector.
    Split(Code),
}

/// What becomes of an instruction that stands for joining or splitting vectors; its registers are larger than its halves.
pub(super) fn junction(code: Code, factor: Factor) -> Option<(Junction, Factor)> {
    Some(match (code, factor) {
        (Code::VEX_Vpunpcklqdq_xmm_xmm_xmmm128, _) => {
            (Junction::Join(Code::VEX_Vinserti128_ymm_ymm_xmmm128_imm8), Factor::Two)
        }
        (Code::VEX_Vpunpckhqdq_xmm_xmm_xmmm128, _) => {
            (Junction::Split(Code::VEX_Vextracti128_xmmm128_ymm_imm8), Factor::Two)
        }
        (Code::VEX_Vpunpckldq_xmm_xmm_xmmm128, Factor::Four) => {
            (Junction::Join(Code::EVEX_Vinserti64x4_zmm_k1z_zmm_ymmm256_imm8), Factor::Four)
        }
        (Code::VEX_Vpunpckhdq_xmm_xmm_xmmm128, Factor::Four) => {
            (Junction::Split(Code::EVEX_Vextracti64x4_ymmm256_k1z_zmm_imm8), Factor::Four)
        }
        _ => return None,
    })
}

fn is_integer(instruction: &Instruction) -> bool {
    use Mnemonic::*;
    let conditional = instruction.condition_code() != ConditionCode::None;
    conditional
        || matches!(
            instruction.mnemonic(),
            Add | Sub
                | Imul
                | Mul
                | Div
                | Neg
                | Not
                | And
                | Or
                | Xor
                | Shl
                | Shr
                | Sar
                | Cmp
                | Test
                | Mov
                | Movzx
                | Movsx
                | Movsxd
                | Lea
                | Push
                | Pop
                | Jmp
                | Ret
        )
}

/// An instruction of the old encoding in the new one; others as they are.
pub(super) fn modern(mut instruction: Instruction) -> Instruction {
    let Some(code) = new_encoding(instruction.code()) else { return instruction };
    // The old encoding has its result in its first operand.
    let accumulates = matches!(
        code,
        Code::VEX_Vaddss_xmm_xmm_xmmm32
            | Code::VEX_Vsubss_xmm_xmm_xmmm32
            | Code::VEX_Vmulss_xmm_xmm_xmmm32
            | Code::VEX_Vxorps_xmm_xmm_xmmm128
    );
    instruction.set_code(code);
    if accumulates {
        match instruction.op1_kind() {
            OpKind::Register => instruction.set_op2_register(instruction.op1_register()),
            kind => instruction.set_op2_kind(kind),
        }
        instruction.set_op1_kind(OpKind::Register);
        instruction.set_op1_register(instruction.op0_register());
    }
    instruction
}

/// The register with the same number that is wider by a factor.
pub(super) fn wider(register: Register, factor: Factor) -> Register {
    let first = if factor == Factor::Two { Register::YMM0 } else { Register::ZMM0 };
    if register.is_xmm() { first + register.number() as u32 } else { register }
}

/// All instructions on whole vectors at 128 bits.
#[cfg(test)]
pub(super) fn narrow_codes() -> impl Iterator<Item = Code> {
    Code::values().filter(|&code| row(code).is_some())
}

/// What an instruction of the old encoding is in the new one.
fn new_encoding(code: Code) -> Option<Code> {
    use Code::*;
    Some(match code {
        Movaps_xmm_xmmm128 => VEX_Vmovups_xmm_xmmm128,
        Movaps_xmmm128_xmm => VEX_Vmovups_xmmm128_xmm,
        Movups_xmm_xmmm128 => VEX_Vmovups_xmm_xmmm128,
        Movups_xmmm128_xmm => VEX_Vmovups_xmmm128_xmm,
        Movdqa_xmm_xmmm128 => VEX_Vmovdqu_xmm_xmmm128,
        Movdqa_xmmm128_xmm => VEX_Vmovdqu_xmmm128_xmm,
        Movdqu_xmm_xmmm128 => VEX_Vmovdqu_xmm_xmmm128,
        Movdqu_xmmm128_xmm => VEX_Vmovdqu_xmmm128_xmm,
        Movss_xmm_xmmm32 => VEX_Vmovss_xmm_m32,
        Movd_xmm_rm32 => VEX_Vmovd_xmm_rm32,
        Movd_rm32_xmm => VEX_Vmovd_rm32_xmm,
        Addss_xmm_xmmm32 => VEX_Vaddss_xmm_xmm_xmmm32,
        Subss_xmm_xmmm32 => VEX_Vsubss_xmm_xmm_xmmm32,
        Mulss_xmm_xmmm32 => VEX_Vmulss_xmm_xmm_xmmm32,
        Xorps_xmm_xmmm128 => VEX_Vxorps_xmm_xmm_xmmm128,
        Xorpd_xmm_xmmm128 => VEX_Vxorps_xmm_xmm_xmmm128,
        Ucomiss_xmm_xmmm32 => VEX_Vucomiss_xmm_xmmm32,
        Cvttss2si_r32_xmmm32 => VEX_Vcvttss2si_r32_xmmm32,
        Cvttss2si_r64_xmmm32 => VEX_Vcvttss2si_r64_xmmm32,
        _ => return None,
    })
}

/// Every instruction on whole vectors, at 256 and 512 bits.
fn row(code: Code) -> Option<(Code, Code, Source)> {
    use Code::*;
    use Source::{Half, One, Whole};
    Some(match code {
        VEX_Vmovups_xmm_xmmm128 => (VEX_Vmovups_ymm_ymmm256, EVEX_Vmovups_zmm_k1z_zmmm512, Whole),
        VEX_Vmovups_xmmm128_xmm => (VEX_Vmovups_ymmm256_ymm, EVEX_Vmovups_zmmm512_k1z_zmm, Whole),
        VEX_Vmovdqu_xmm_xmmm128 => (VEX_Vmovdqu_ymm_ymmm256, EVEX_Vmovdqu32_zmm_k1z_zmmm512, Whole),
        VEX_Vmovdqu_xmmm128_xmm => (VEX_Vmovdqu_ymmm256_ymm, EVEX_Vmovdqu32_zmmm512_k1z_zmm, Whole),
        VEX_Vbroadcastss_xmm_xmm => (VEX_Vbroadcastss_ymm_xmm, EVEX_Vbroadcastss_zmm_k1z_xmmm32, One),
        VEX_Vbroadcastss_xmm_m32 => (VEX_Vbroadcastss_ymm_m32, EVEX_Vbroadcastss_zmm_k1z_xmmm32, One),
        VEX_Vpbroadcastd_xmm_xmmm32 => (VEX_Vpbroadcastd_ymm_xmmm32, EVEX_Vpbroadcastd_zmm_k1z_xmmm32, One),
        VEX_Vpmovzxwd_xmm_xmmm64 => (VEX_Vpmovzxwd_ymm_xmmm128, EVEX_Vpmovzxwd_zmm_k1z_ymmm256, Half),
        VEX_Vaddps_xmm_xmm_xmmm128 => (VEX_Vaddps_ymm_ymm_ymmm256, EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er, Whole),
        VEX_Vsubps_xmm_xmm_xmmm128 => (VEX_Vsubps_ymm_ymm_ymmm256, EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er, Whole),
        VEX_Vmulps_xmm_xmm_xmmm128 => (VEX_Vmulps_ymm_ymm_ymmm256, EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er, Whole),
        VEX_Vdivps_xmm_xmm_xmmm128 => (VEX_Vdivps_ymm_ymm_ymmm256, EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er, Whole),
        VEX_Vmaxps_xmm_xmm_xmmm128 => (VEX_Vmaxps_ymm_ymm_ymmm256, EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae, Whole),
        VEX_Vminps_xmm_xmm_xmmm128 => (VEX_Vminps_ymm_ymm_ymmm256, EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae, Whole),
        VEX_Vsqrtps_xmm_xmmm128 => (VEX_Vsqrtps_ymm_ymmm256, EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er, Whole),
        VEX_Vroundps_xmm_xmmm128_imm8 => {
            (VEX_Vroundps_ymm_ymmm256_imm8, EVEX_Vrndscaleps_zmm_k1z_zmmm512b32_imm8_sae, Whole)
        }
        VEX_Vfmadd132ps_xmm_xmm_xmmm128 => {
            (VEX_Vfmadd132ps_ymm_ymm_ymmm256, EVEX_Vfmadd132ps_zmm_k1z_zmm_zmmm512b32_er, Whole)
        }
        VEX_Vfmadd213ps_xmm_xmm_xmmm128 => {
            (VEX_Vfmadd213ps_ymm_ymm_ymmm256, EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er, Whole)
        }
        VEX_Vfmadd231ps_xmm_xmm_xmmm128 => {
            (VEX_Vfmadd231ps_ymm_ymm_ymmm256, EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er, Whole)
        }
        VEX_Vcvtdq2ps_xmm_xmmm128 => (VEX_Vcvtdq2ps_ymm_ymmm256, EVEX_Vcvtdq2ps_zmm_k1z_zmmm512b32_er, Whole),
        VEX_Vcvttps2dq_xmm_xmmm128 => (VEX_Vcvttps2dq_ymm_ymmm256, EVEX_Vcvttps2dq_zmm_k1z_zmmm512b32_sae, Whole),
        EVEX_Vcvtudq2ps_xmm_k1z_xmmm128b32 => {
            (EVEX_Vcvtudq2ps_ymm_k1z_ymmm256b32, EVEX_Vcvtudq2ps_zmm_k1z_zmmm512b32_er, Whole)
        }
        VEX_Vandps_xmm_xmm_xmmm128 => (VEX_Vandps_ymm_ymm_ymmm256, EVEX_Vandps_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vandnps_xmm_xmm_xmmm128 => (VEX_Vandnps_ymm_ymm_ymmm256, EVEX_Vandnps_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vorps_xmm_xmm_xmmm128 => (VEX_Vorps_ymm_ymm_ymmm256, EVEX_Vorps_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vxorps_xmm_xmm_xmmm128 => (VEX_Vxorps_ymm_ymm_ymmm256, EVEX_Vxorps_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpand_xmm_xmm_xmmm128 => (VEX_Vpand_ymm_ymm_ymmm256, EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpandn_xmm_xmm_xmmm128 => (VEX_Vpandn_ymm_ymm_ymmm256, EVEX_Vpandnd_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpor_xmm_xmm_xmmm128 => (VEX_Vpor_ymm_ymm_ymmm256, EVEX_Vpord_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpxor_xmm_xmm_xmmm128 => (VEX_Vpxor_ymm_ymm_ymmm256, EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpaddd_xmm_xmm_xmmm128 => (VEX_Vpaddd_ymm_ymm_ymmm256, EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpsubd_xmm_xmm_xmmm128 => (VEX_Vpsubd_ymm_ymm_ymmm256, EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpmulld_xmm_xmm_xmmm128 => (VEX_Vpmulld_ymm_ymm_ymmm256, EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpmaxsd_xmm_xmm_xmmm128 => (VEX_Vpmaxsd_ymm_ymm_ymmm256, EVEX_Vpmaxsd_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpmaxud_xmm_xmm_xmmm128 => (VEX_Vpmaxud_ymm_ymm_ymmm256, EVEX_Vpmaxud_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpminsd_xmm_xmm_xmmm128 => (VEX_Vpminsd_ymm_ymm_ymmm256, EVEX_Vpminsd_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpminud_xmm_xmm_xmmm128 => (VEX_Vpminud_ymm_ymm_ymmm256, EVEX_Vpminud_zmm_k1z_zmm_zmmm512b32, Whole),
        VEX_Vpslld_xmm_xmm_imm8 => (VEX_Vpslld_ymm_ymm_imm8, EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8, Whole),
        VEX_Vpsrad_xmm_xmm_imm8 => (VEX_Vpsrad_ymm_ymm_imm8, EVEX_Vpsrad_zmm_k1z_zmmm512b32_imm8, Whole),
        VEX_Vpsrld_xmm_xmm_imm8 => (VEX_Vpsrld_ymm_ymm_imm8, EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8, Whole),
        VEX_Vcmpps_xmm_xmm_xmmm128_imm8 => {
            (VEX_Vcmpps_ymm_ymm_ymmm256_imm8, EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae, Whole)
        }
        VEX_Vpcmpeqd_xmm_xmm_xmmm128 => (VEX_Vpcmpeqd_ymm_ymm_ymmm256, EVEX_Vpcmpeqd_kr_k1_zmm_zmmm512b32, Whole),
        VEX_Vpcmpgtd_xmm_xmm_xmmm128 => (VEX_Vpcmpgtd_ymm_ymm_ymmm256, EVEX_Vpcmpgtd_kr_k1_zmm_zmmm512b32, Whole),
        VEX_Vpblendvb_xmm_xmm_xmmm128_xmm => {
            (VEX_Vpblendvb_ymm_ymm_ymmm256_ymm, EVEX_Vpblendmb_zmm_k1z_zmm_zmmm512, Whole)
        }
        // Eight bytes, loaded one way or the other, are the eight words that the next widening takes.
        VEX_Vpmovzxbw_xmm_xmmm64 => (VEX_Vpmovzxbw_ymm_xmmm128, EVEX_Vpmovzxbw_zmm_k1z_ymmm256, Half),
        _ => return None,
    })
}
