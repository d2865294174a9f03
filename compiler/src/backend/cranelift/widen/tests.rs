use super::*;
use iced_x86::{
    BlockEncoder, BlockEncoderOptions, Decoder, DecoderOptions, InstructionBlock, MemoryOperand, OpKind, Register,
};

/// The bytes of a function with constants behind it. A constant's address is that of [`constant`].
fn bytes(instructions: &[Instruction], constants: &[u8]) -> Vec<u8> {
    let block = InstructionBlock::new(instructions, decode::START);
    let encoded = BlockEncoder::encode(64, block, BlockEncoderOptions::DONT_FIX_BRANCHES).expect("test code is code");
    let mut bytes = encoded.code_buffer;
    assert!(bytes.len() <= CONSTANTS);
    bytes.resize(CONSTANTS, 0);
    bytes.extend(constants);
    bytes
}

/// Where constants begin.
const CONSTANTS: usize = 1024;

fn constant(offset: usize) -> MemoryOperand {
    MemoryOperand::with_base_displ(Register::RIP, (decode::START as usize + CONSTANTS + offset) as i64)
}

fn frame(displacement: i64) -> MemoryOperand {
    MemoryOperand::with_base_displ(Register::RSP, displacement)
}

/// An instruction with up to four operands.
macro_rules! code {
    ($code:ident) => {
        Instruction::with(Code::$code)
    };
    ($code:ident, $a:expr) => {
        Instruction::with1(Code::$code, $a).expect("a test writes what there is")
    };
    ($code:ident, $a:expr, $b:expr) => {
        Instruction::with2(Code::$code, $a, $b).expect("a test writes what there is")
    };
    ($code:ident, $a:expr, $b:expr, $c:expr) => {
        Instruction::with3(Code::$code, $a, $b, $c).expect("a test writes what there is")
    };
    ($code:ident, $a:expr, $b:expr, $c:expr, $d:expr) => {
        Instruction::with4(Code::$code, $a, $b, $c, $d).expect("a test writes what there is")
    };
}

/// A jump to the instruction with an address.
fn jump(code: Code, to: u64) -> Instruction {
    Instruction::with_branch(code, to).expect("a jump")
}

/// The instructions of code, one per line, up to the end of what control reaches.
fn listing(code: &Widened) -> String {
    let instructions = decode::decode(&code.bytes).expect("widened code is a function");
    let line = |instruction: &Instruction| {
        let operands: Vec<String> = (0..instruction.op_count()).map(|at| operand(instruction, at)).collect();
        format!("{:?} {}", instruction.mnemonic(), operands.join(", ")).trim_end().to_string()
    };
    instructions.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn operand(instruction: &Instruction, at: u32) -> String {
    match instruction.op_kind(at) {
        OpKind::Register => format!("{:?}", instruction.op_register(at)),
        OpKind::Memory if instruction.is_ip_rel_memory_operand() => {
            format!("[constant {:#x}]", instruction.memory_displacement64() - decode::START)
        }
        OpKind::Memory => {
            format!("[{:?} + {}]", instruction.memory_base(), instruction.memory_displacement64() as i64)
        }
        OpKind::NearBranch64 => format!("{:#x}", instruction.near_branch_target() - decode::START),
        _ => format!("{}", instruction.immediate(at) as i64),
    }
}

fn prologue(bytes: i32) -> [Instruction; 3] {
    [
        code!(Push_r64, Register::RBP),
        code!(Mov_rm64_r64, Register::RBP, Register::RSP),
        code!(Sub_rm64_imm8, Register::RSP, bytes),
    ]
}

fn epilogue(bytes: i32) -> [Instruction; 4] {
    [
        code!(Add_rm64_imm8, Register::RSP, bytes),
        code!(Mov_rm64_r64, Register::RSP, Register::RBP),
        code!(Pop_r64, Register::RBP),
        code!(Retnq),
    ]
}

fn function(body: &[Instruction]) -> Vec<Instruction> {
    [body, &[code!(Retnq)]].concat()
}

/// The code at vectors that are wider by a factor, none of it in parts.
fn widen(bytes: &[u8], factor: Factor) -> Result<Widened, Refusal> {
    super::widen(bytes, &[], factor)
}

fn widened(body: &[Instruction], factor: Factor) -> Result<Widened, Refusal> {
    widen(&bytes(&function(body), &[]), factor)
}

#[test]
fn a_frame_grows_with_its_spills() {
    let body = [
        code!(Mov_rm64_r64, frame(0), Register::RBX),
        code!(Movdqu_xmmm128_xmm, frame(16), Register::XMM3),
        code!(VEX_Vaddps_xmm_xmm_xmmm128, Register::XMM1, Register::XMM2, frame(16)),
        code!(VEX_Vaddss_xmm_xmm_xmmm32, Register::XMM1, Register::XMM2, frame(16)),
        code!(Mov_r64_rm64, Register::RBX, frame(0)),
    ];
    let code = bytes(&[&prologue(96)[..], &body, &epilogue(96)].concat(), &[]);
    assert_eq!(spills(&code), 1);
    insta::assert_snapshot!(listing(&widen(&code, Factor::Two).expect("all of it is known")), @r"
    Push RBP
    Mov RBP, RSP
    Sub RSP, 192
    And RSP, -32
    Mov [RSP + 0], RBX
    Vmovdqu [RSP + 32], YMM3
    Vaddps YMM1, YMM2, [RSP + 32]
    Vaddss XMM1, XMM2, [RSP + 32]
    Mov RBX, [RSP + 0]
    Add RSP, 192
    Mov RSP, RBP
    Pop RBP
    Vzeroupper
    Ret
    ");
    insta::assert_snapshot!(listing(&widen(&code, Factor::Four).expect("all of it is known")), @r"
    Push RBP
    Mov RBP, RSP
    Sub RSP, 384
    And RSP, -64
    Mov [RSP + 0], RBX
    Vmovdqu32 [RSP + 64], ZMM3
    Vaddps ZMM1, ZMM2, [RSP + 64]
    Vaddss XMM1, XMM2, [RSP + 64]
    Mov RBX, [RSP + 0]
    Add RSP, 384
    Mov RSP, RBP
    Pop RBP
    Vzeroupper
    Ret
    ");
}

#[test]
fn frames_that_are_used_otherwise_are_refused() {
    let refused = |body: &[Instruction]| {
        widen(&bytes(&[&prologue(96)[..], body, &epilogue(96)].concat(), &[]), Factor::Two).expect_err("refused")
    };
    let address = code!(Lea_r64_m, Register::RAX, frame(16));
    assert_eq!(refused(&[address]), Refusal::Frame(Code::Lea_r64_m));
    let indexed = MemoryOperand::with_base_index_scale_displ_size(Register::RSP, Register::RAX, 1, 16, 1);
    assert_eq!(refused(&[code!(Mov_r64_rm64, Register::RAX, indexed)]), Refusal::Frame(Code::Mov_r64_rm64));
    assert_eq!(refused(&[code!(Mov_r32_rm32, Register::EAX, frame(20))]), Refusal::Frame(Code::Mov_r32_rm32));
    let moved = code!(Mov_rm64_r64, Register::RAX, Register::RSP);
    assert_eq!(refused(&[moved]), Refusal::Frame(Code::Mov_rm64_r64));
    let mut large = prologue(0);
    large[2] = code!(Sub_rm64_imm32, Register::RSP, 2048);
    let large = bytes(&[&large[..], &epilogue(0)].concat(), &[]);
    assert_eq!(widen(&large, Factor::Two), Err(Refusal::LargeFrame(2048)));
}

/// What runs in parts stays at four lanes, but for what moves vectors, joins and splits them, or fills them with one value.
#[test]
fn parts_stay_narrow() {
    use Register::{RDI, XMM1, XMM2, XMM3};
    let memory = || MemoryOperand::with_base(RDI);
    let body = [
        code!(VEX_Vmovups_xmm_xmmm128, XMM1, memory()),
        code!(Movdqu_xmm_xmmm128, XMM2, memory()),
        code!(VEX_Vaddps_xmm_xmm_xmmm128, XMM1, XMM2, constant(0)),
        code!(VEX_Vaddps_xmm_xmm_xmmm128, XMM1, XMM2, frame(16)),
        code!(VEX_Vcmpps_xmm_xmm_xmmm128_imm8, XMM2, XMM1, XMM3, 1),
        code!(VEX_Vpblendvb_xmm_xmm_xmmm128_xmm, XMM2, XMM1, XMM3, XMM2),
        code!(VEX_Vpmovzxwd_xmm_xmmm64, XMM3, memory()),
        code!(VEX_Vbroadcastss_xmm_m32, XMM3, memory()),
        code!(Movaps_xmm_xmmm128, XMM2, XMM1),
        code!(Movdqu_xmmm128_xmm, frame(16), XMM2),
        code!(Movdqu_xmm_xmmm128, XMM3, frame(16)),
        code!(VEX_Vpunpckhqdq_xmm_xmm_xmmm128, XMM2, XMM3, XMM3),
        code!(VEX_Vpunpcklqdq_xmm_xmm_xmmm128, XMM3, XMM1, XMM2),
        code!(VEX_Vmovups_xmmm128_xmm, memory(), XMM1),
        // Behind the part.
        code!(VEX_Vaddps_xmm_xmm_xmmm128, XMM1, XMM2, constant(0)),
        code!(VEX_Vmovups_xmmm128_xmm, memory(), XMM1),
    ];
    let code = bytes(&[&prologue(96)[..], &body, &epilogue(96)].concat(), &[7; 16]);
    let places: Vec<usize> = decode::decode(&code)
        .expect("test code is a function")
        .iter()
        .map(|instruction| (instruction.ip() - decode::START) as usize)
        .collect();
    let parts = [places[3]..places[7], places[7]..places[17]];
    let wide = super::widen(&code, &parts, Factor::Two).expect("all of it is known");
    insta::assert_snapshot!(listing(&wide), @r"
    Push RBP
    Mov RBP, RSP
    Sub RSP, 192
    And RSP, -32
    Vmovups XMM1, [RDI + 0]
    Vmovdqu XMM2, [RDI + 0]
    Vaddps XMM1, XMM2, [constant 0x80]
    Vaddps XMM1, XMM2, [RSP + 32]
    Vcmpps XMM2, XMM1, XMM3, 1
    Vpblendvb XMM2, XMM1, XMM3, XMM2
    Vpmovzxwd XMM3, [RDI + 0]
    Vbroadcastss YMM3, [RDI + 0]
    Vmovups YMM2, YMM1
    Vmovdqu [RSP + 32], YMM2
    Vmovdqu YMM3, [RSP + 32]
    Vextracti128 XMM2, YMM3, 1
    Vinserti128 YMM3, YMM1, XMM2, 1
    Vmovups [RDI + 0], XMM1
    Vaddps YMM1, YMM2, [constant 0xa0]
    Vmovups [RDI + 0], YMM1
    Add RSP, 192
    Mov RSP, RBP
    Pop RBP
    Vzeroupper
    Ret
    ");
    let wide = listing(&super::widen(&code, &parts, Factor::Four).expect("all of it is known"));
    let count = |registers: &str| wide.lines().filter(|line| line.contains(registers)).count();
    assert_eq!([count("ZMM"), count("YMM")], [6, 2], "the same, with parts joined and split as before:\n{wide}");
    // Eight bytes become eight words, and in a part there are four of them.
    let bytes = bytes(&function(&[code!(VEX_Vpmovzxbw_xmm_xmmm64, XMM1, memory())]), &[]);
    let refused = super::widen(&bytes, std::slice::from_ref(&(0..bytes.len())), Factor::Two);
    assert_eq!(refused, Err(Refusal::Instruction(Code::VEX_Vpmovzxbw_xmm_xmmm64)));
}

#[test]
fn constants_that_are_one_word_are_repeated() {
    let words: Vec<u8> = [7u32, 7, 7, 7, 9].iter().flat_map(|word| word.to_le_bytes()).collect();
    let body = [
        code!(VEX_Vaddss_xmm_xmm_xmmm32, Register::XMM1, Register::XMM1, constant(16)),
        code!(VEX_Vaddps_xmm_xmm_xmmm128, Register::XMM1, Register::XMM1, constant(0)),
        code!(VEX_Vmovups_xmm_xmmm128, Register::XMM2, constant(0)),
        code!(VEX_Vbroadcastss_xmm_m32, Register::XMM3, constant(0)),
    ];
    let code = widen(&bytes(&function(&body), &words), Factor::Two).expect("all of it is known");
    assert_eq!(code.alignment, 32);
    insta::assert_snapshot!(listing(&code), @r"
    Vaddss XMM1, XMM1, [constant 0x40]
    Vaddps YMM1, YMM1, [constant 0x60]
    Vmovups YMM2, [constant 0x60]
    Vbroadcastss YMM3, [constant 0x80]
    Vzeroupper
    Ret
    ");
    let words: Vec<u32> =
        code.bytes[64..].chunks(4).map(|w| u32::from_le_bytes(w.try_into().expect("a word"))).collect();
    assert_eq!(words, [9, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7]);

    let lanes: Vec<u8> = [0u32, 1, 2, 3].iter().flat_map(|word| word.to_le_bytes()).collect();
    let code =
        bytes(&function(&[code!(VEX_Vpaddd_xmm_xmm_xmmm128, Register::XMM2, Register::XMM2, constant(0))]), &lanes);
    assert_eq!(widen(&code, Factor::Two), Err(Refusal::Constant));
    let code = bytes(&function(&[code!(VEX_Vmovdqu_xmm_xmmm128, Register::XMM2, constant(0))]), &lanes);
    let code = widen(&code, Factor::Two).expect("a part");
    assert_eq!(&code.bytes[32..], &lanes[..]);
    assert_eq!(listing(&code).lines().next(), Some("Vmovdqu XMM2, [constant 0x20]"));
}

#[test]
fn constants_are_no_targets_of_branches() {
    // The jumps shrink, so that the constant comes to lie where an addition was.
    let mut code: Vec<Instruction> = (0..40).map(|_| jump(Code::Jne_rel32_64, 41)).collect();
    code.extend((0..60).map(|_| code!(VEX_Vaddps_xmm_xmm_xmmm128, Register::XMM1, Register::XMM1, Register::XMM2)));
    code.push(code!(VEX_Vmovups_xmm_xmmm128, Register::XMM2, constant(0)));
    code.push(code!(Retnq));
    code.iter_mut().enumerate().for_each(|(at, instruction)| instruction.set_ip(at as u64 + 1));
    let widened = widen(&bytes(&code, &[7; 16]), Factor::Two).expect("all of it is known");
    let instructions = decode::decode(&widened.bytes).expect("widened code is a function");
    let place = (instructions[100].memory_displacement64() - decode::START) as usize;
    assert_eq!((place, &widened.bytes[place..]), (352, &[7u8; 32][..]));
}

#[test]
fn what_mixes_lanes_is_refused() {
    use Register::{EAX, XMM1, XMM2};
    let shuffle = code!(VEX_Vshufps_xmm_xmm_xmmm128_imm8, XMM1, XMM2, XMM2, 0);
    let pack = code!(VEX_Vpackssdw_xmm_xmm_xmmm128, XMM1, XMM2, XMM2);
    let join = code!(VEX_Vpunpcklqdq_xmm_xmm_xmmm128, XMM1, XMM2, MemoryOperand::with_base(Register::RDI));
    let split = code!(VEX_Vpunpckhqdq_xmm_xmm_xmmm128, XMM1, XMM2, MemoryOperand::with_base(Register::RDI));
    let doubles = code!(VEX_Vaddpd_xmm_xmm_xmmm128, XMM1, XMM2, XMM2);
    let old = code!(Addps_xmm_xmmm128, XMM1, XMM2);
    let mask = code!(VEX_Vmovmskps_r32_xmm, EAX, XMM1);
    // Eight bytes become eight words, and what is in memory behind them is nobody's.
    let bytes = code!(VEX_Vpmovzxbw_xmm_xmmm64, XMM1, MemoryOperand::with_base(Register::RDI));
    for instruction in [shuffle, pack, join, split, doubles, old, mask, bytes] {
        let refusal = Refusal::Instruction(instruction.code());
        assert_eq!(widened(&[instruction], Factor::Two), Err(refusal.clone()));
        assert_eq!(widened(&[instruction], Factor::Four), Err(refusal));
    }
}

#[test]
fn unpacking_stands_for_joining_and_splitting() {
    use Register::{XMM1, XMM2, XMM3};
    let parts = [
        code!(VEX_Vpunpcklqdq_xmm_xmm_xmmm128, XMM1, XMM2, XMM3),
        code!(VEX_Vpunpckhqdq_xmm_xmm_xmmm128, XMM1, XMM2, XMM2),
    ];
    let halves = [
        code!(VEX_Vpunpckldq_xmm_xmm_xmmm128, XMM1, XMM2, XMM3),
        code!(VEX_Vpunpckhdq_xmm_xmm_xmmm128, XMM1, XMM2, XMM2),
    ];
    let of_parts = "Vinserti128 YMM1, YMM2, XMM3, 1\nVextracti128 XMM1, YMM2, 1\nVzeroupper\nRet";
    assert_eq!(listing(&widened(&parts, Factor::Two).expect("all of it is known")), of_parts);
    assert_eq!(listing(&widened(&parts, Factor::Four).expect("all of it is known")), of_parts);
    let of_halves = "Vinserti64x4 ZMM1, ZMM2, YMM3, 1\nVextracti64x4 YMM1, ZMM2, 1\nVzeroupper\nRet";
    assert_eq!(listing(&widened(&halves, Factor::Four).expect("all of it is known")), of_halves);
    assert_eq!(widened(&halves, Factor::Two), Err(Refusal::Instruction(Code::VEX_Vpunpckldq_xmm_xmm_xmmm128)));
}

#[test]
fn branches_go_where_they_went() {
    // A loop whose body grows, entered by a jump over a return.
    let add = || code!(VEX_Vaddps_xmm_xmm_xmmm128, Register::XMM1, Register::XMM1, Register::XMM2);
    let compare = code!(VEX_Vcmpps_xmm_xmm_xmmm128_imm8, Register::XMM1, Register::XMM1, Register::XMM2, 1);
    let mut code = vec![jump(Code::Jmp_rel32_64, 3), code!(Retnq)];
    code.push(compare);
    code.extend((0..40).map(|_| add()));
    code.push(code!(Sub_rm64_imm8, Register::RAX, 1));
    code.push(jump(Code::Jne_rel32_64, 3));
    code.push(jump(Code::Je_rel32_64, 2));
    code.push(code!(Retnq));
    // Addresses stand for positions, from 1 on.
    code.iter_mut().enumerate().for_each(|(at, instruction)| instruction.set_ip(at as u64 + 1));
    let code = bytes(&code, &[]);
    for (factor, loop_length) in [(Factor::Two, 43), (Factor::Four, 44)] {
        let widened = widen(&code, factor).expect("all of it is known");
        let instructions = decode::decode(&widened.bytes).expect("widened code is a function");
        let target = |at: usize| instructions.iter().position(|i| i.ip() == instructions[at].near_branch_target());
        assert_eq!(target(0), Some(3), "the jump goes over a return with all that belongs to it");
        assert_eq!(instructions[3].mnemonic(), iced_x86::Mnemonic::Vcmpps);
        assert_eq!(target(3 + loop_length - 1), Some(3));
        assert_eq!(target(3 + loop_length), Some(1));
        assert_eq!(instructions[1].mnemonic(), iced_x86::Mnemonic::Vzeroupper);
    }
}

#[test]
fn comparisons_and_choices_go_through_a_mask_at_512_bits() {
    use Register::{XMM1, XMM2, XMM3, XMM4};
    let body = [
        code!(VEX_Vcmpps_xmm_xmm_xmmm128_imm8, XMM1, XMM2, XMM3, 1),
        code!(VEX_Vpcmpeqd_xmm_xmm_xmmm128, XMM2, XMM2, XMM2),
        code!(VEX_Vpblendvb_xmm_xmm_xmmm128_xmm, XMM4, XMM2, XMM3, XMM1),
        code!(VEX_Vpmovzxwd_xmm_xmmm64, XMM1, XMM2),
    ];
    insta::assert_snapshot!(listing(&widened(&body, Factor::Four).expect("all of it is known")), @r"
    Vcmpps K1, ZMM2, ZMM3, 1
    Vpmovm2d ZMM1, K1
    Vpcmpeqd K1, ZMM2, ZMM2
    Vpmovm2d ZMM2, K1
    Vpmovb2m K1, ZMM1
    Vpblendmb ZMM4, ZMM2, ZMM3
    Vpmovzxwd ZMM1, YMM2
    Vzeroupper
    Ret
    ");
    insta::assert_snapshot!(listing(&widened(&body, Factor::Two).expect("all of it is known")), @r"
    Vcmpps YMM1, YMM2, YMM3, 1
    Vpcmpeqd YMM2, YMM2, YMM2
    Vpblendvb YMM4, YMM2, YMM3, YMM1
    Vpmovzxwd YMM1, XMM2
    Vzeroupper
    Ret
    ");
}

#[test]
fn a_load_into_all_lanes_is_one_instruction_where_nothing_else_reads_it() {
    use Register::{XMM1, XMM2, XMM3};
    let load = |to: Register| code!(VEX_Vmovss_xmm_m32, to, MemoryOperand::with_base(Register::RDI));
    let all = |to: Register, from: Register| code!(VEX_Vbroadcastss_xmm_xmm, to, from);
    let code = |body: &[Instruction]| listing(&widened(body, Factor::Two).expect("all of it is known"));
    insta::assert_snapshot!(code(&[load(XMM1), all(XMM1, XMM1), load(XMM2), all(XMM3, XMM2)]), @r"
    Vbroadcastss YMM1, [RDI + 0]
    Vbroadcastss YMM3, [RDI + 0]
    Vzeroupper
    Ret
    ");
    let again = code!(VEX_Vaddss_xmm_xmm_xmmm32, XMM1, XMM2, XMM2);
    insta::assert_snapshot!(code(&[load(XMM2), all(XMM3, XMM2), again]), @r"
    Vmovss XMM2, [RDI + 0]
    Vbroadcastss YMM3, XMM2
    Vaddss XMM1, XMM2, XMM2
    Vzeroupper
    Ret
    ");
}

/// What an instruction is called at 512 bits.
fn name_at_512(name: &str) -> String {
    match name {
        "Vmovdqu" => "Vmovdqu32".to_string(),
        "Vpand" | "Vpandn" | "Vpor" | "Vpxor" => format!("{name}d"),
        "Vroundps" => "Vrndscaleps".to_string(),
        "Vpblendvb" => "Vpblendmb".to_string(),
        name => name.to_string(),
    }
}

/// An instruction of the table with the operands that its code names: memory where it may be, or registers only.
fn example(code: Code, memory: bool) -> Option<Instruction> {
    let name = format!("{code:?}");
    let operands: Vec<&str> = name.split('_').skip(2).filter(|part| *part != "k1z").collect();
    let is_memory = |operand: &str| operand.contains("m32") || operand.contains("m64") || operand.contains("m128");
    if operands.iter().any(|operand| operand.starts_with('m')) && !memory {
        return None;
    }
    let mut instruction = Instruction::default();
    instruction.set_code(code);
    for (at, operand) in operands.iter().enumerate() {
        let at = at as u32;
        if memory && is_memory(operand) {
            instruction.set_op_kind(at, OpKind::Memory);
            instruction.set_memory_base(Register::RDI);
            instruction.set_memory_displ_size(8);
            instruction.set_memory_displacement64(192);
        } else if operand.starts_with("imm") {
            instruction.set_op_kind(at, OpKind::Immediate8);
            instruction.set_immediate8(3);
        } else {
            instruction.set_op_register(at, Register::XMM4 + at);
        }
    }
    Some(instruction)
}

/// Every instruction of the table, widened, assembled and read again: the same operation on the same registers and memory,
/// which is as much larger.
#[test]
fn every_instruction_is_the_same_at_its_new_width() {
    let mut seen = 0;
    for code in table::narrow_codes() {
        for (factor, first) in [(Factor::Two, Register::YMM0), (Factor::Four, Register::ZMM0)] {
            for narrow in [true, false].into_iter().filter_map(|memory| example(code, memory)) {
                if let Ok(widened) = widened(&[narrow], factor) {
                    same(&narrow, &widened, factor, first);
                    seen += 1;
                } else {
                    assert_eq!(code, Code::VEX_Vpmovzxbw_xmm_xmmm64);
                }
            }
        }
    }
    assert!(seen > 150, "only {seen} instructions");
}

fn same(narrow: &Instruction, widened: &Widened, factor: Factor, first: Register) {
    let wide = table::wide(narrow.code(), factor).expect("it is in the table");
    let name = format!("{:?}", narrow.mnemonic());
    let name = if factor == Factor::Two { name } else { name_at_512(&name) };
    let instructions = decode::decode(&widened.bytes).expect("widened code is a function");
    let found = instructions.iter().find(|found| format!("{:?}", found.mnemonic()) == name);
    let found = found.unwrap_or_else(|| panic!("{name} is not in\n{}", listing(widened)));
    let last = narrow.op_count() - 1;
    for at in 0..=last {
        let special = match (wide.form, wide.source) {
            (table::Form::Compares, _) if at == 0 => Some(Register::K1),
            (table::Form::Blends, _) if at == last => continue,
            (_, table::Source::One) if at == last => Some(Register::XMM0 + narrow.op_register(at).number() as u32),
            (_, table::Source::Half) if at == last => {
                let half = if factor == Factor::Two { Register::XMM0 } else { Register::YMM0 };
                Some(half + narrow.op_register(at).number() as u32)
            }
            _ => None,
        };
        assert_eq!(found.op_kind(at), narrow.op_kind(at), "{name}");
        match narrow.op_kind(at) {
            OpKind::Register => {
                let expected = special.unwrap_or(first + narrow.op_register(at).number() as u32);
                assert_eq!(found.op_register(at), expected, "{name}");
            }
            OpKind::Memory => {
                assert_eq!((found.memory_base(), found.memory_displacement64()), (Register::RDI, 192), "{name}");
                let times = if wide.source == table::Source::One { 1 } else { factor.times() };
                assert_eq!(found.memory_size().size(), times * narrow.memory_size().size(), "{name}");
                assert!(!found.is_broadcast());
            }
            _ => assert_eq!(found.immediate(at), narrow.immediate(at), "{name}"),
        }
    }
    let mask = if wide.form == table::Form::Blends { Register::K1 } else { Register::None };
    assert_eq!((found.op_mask(), found.zeroing_masking()), (mask, false), "{name}");
}

#[test]
fn what_leaves_its_bytes_is_no_function() {
    let jump = jump(Code::Jmp_rel32_64, decode::START + 5000);
    assert_eq!(widen(&bytes(&[jump], &[]), Factor::Two), Err(Refusal::Outside));
    let open = code!(Mov_rm64_r64, Register::RAX, Register::RBX);
    let mut decoder = Decoder::new(64, &[0x48, 0x89, 0xd8], DecoderOptions::NONE);
    assert_eq!(decoder.decode().code(), open.code());
    assert_eq!(widen(&[0x48, 0x89, 0xd8], Factor::Two), Err(Refusal::Outside));
}
