//! Machine code computes what the interpreter computes, bit by bit.

#[path = "../../compiler/tests/nests/mod.rs"]
mod nests;

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};
use nests::{Case, cases, unary};
use tapeless::{bf16, f16};
use tapeless_compiler::backend::cranelift::{LANES, emit, lower};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::kernel::{Kernel, interpret};
use tapeless_compiler::scalar::ScalarOp;
use tapeless_compiler::schedule;
use tapeless_compiler::target::Target;

/// The machine that the test runs on.
fn isa() -> OwnedTargetIsa {
    let mut flags = settings::builder();
    flags.set("opt_level", "none").expect("the setting exists");
    flags.set("enable_probestack", "false").expect("the setting exists");
    let builder = cranelift_native::builder().expect("the host has a back end");
    builder.finish(settings::Flags::new(flags)).expect("the settings fit together")
}

/// A kernel in executable memory.
struct Function {
    entry: extern "sysv64" fn(*const *mut u8),
    module: Option<JITModule>,
}

impl Function {
    fn new(kernel: &Kernel) -> Function {
        let code = emit(kernel, &*isa()).unwrap_or_else(|error| panic!("{error}\n{kernel}"));
        let mut module = JITModule::new(JITBuilder::with_isa(isa(), default_libcall_names()));
        let mut signature = module.make_signature();
        signature.params.push(cranelift_codegen::ir::AbiParam::new(cranelift_codegen::ir::types::I64));
        let id = module.declare_function("kernel", Linkage::Export, &signature).expect("the name is free");
        module.define_function_bytes(id, code.alignment, &code.bytes, &[]).expect("there is memory");
        module.finalize_definitions().expect("memory can be made executable");
        let address = module.get_finalized_function(id);
        // SAFETY: the bytes at the address are a whole function with this signature, and they stay until the module is freed,
        // which only drop does.
        let entry = unsafe { std::mem::transmute::<*const u8, extern "sysv64" fn(*const *mut u8)>(address) };
        Function { entry, module: Some(module) }
    }

    /// Runs the kernel on these arrays: one per parameter, at least as long as the kernel says.
    fn run(&self, arguments: &mut [Vec<u8>]) {
        let pointers: Vec<*mut u8> = arguments.iter_mut().map(|argument| argument.as_mut_ptr()).collect();
        (self.entry)(pointers.as_ptr());
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let module = self.module.take().expect("only drop takes the module");
        // SAFETY: the entry is private and is not called after this.
        unsafe { module.free_memory() };
    }
}

fn encode(dtype: DType, elements: &[f64]) -> Vec<u8> {
    let bytes = |&element: &f64| match dtype {
        DType::F32 => (element as f32).to_ne_bytes().to_vec(),
        DType::F16 => f16::from_f64(element).to_ne_bytes().to_vec(),
        DType::Bf16 => bf16::from_f64(element).to_ne_bytes().to_vec(),
        DType::F64 => element.to_ne_bytes().to_vec(),
        DType::I32 => (element as i32).to_ne_bytes().to_vec(),
        DType::I64 => (element as i64).to_ne_bytes().to_vec(),
        DType::U8 => vec![element as u8],
        DType::U32 | DType::Bool => (element as u32).to_ne_bytes().to_vec(),
    };
    elements.iter().flat_map(bytes).collect()
}

/// The bytes as those of an element.
fn sized<const SIZE: usize>(bytes: &[u8]) -> [u8; SIZE] {
    bytes.try_into().expect("elements have the size of their type")
}

fn decode(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    let element = |bytes: &[u8]| match dtype {
        DType::F32 => f64::from(f32::from_ne_bytes(sized(bytes))),
        DType::F16 => f16::from_ne_bytes(sized(bytes)).to_f64(),
        DType::Bf16 => bf16::from_ne_bytes(sized(bytes)).to_f64(),
        DType::F64 => f64::from_ne_bytes(sized(bytes)),
        DType::I32 => f64::from(i32::from_ne_bytes(sized(bytes))),
        DType::I64 => i64::from_ne_bytes(sized(bytes)) as f64,
        DType::U8 => f64::from(bytes[0]),
        DType::U32 | DType::Bool => f64::from(u32::from_ne_bytes(sized(bytes))),
    };
    bytes.chunks(dtype.size()).map(element).collect()
}

/// The arrays of a case as bytes, the output last and full of a pattern, each with a guard after its end.
fn arguments(case: &Case, kernel: &Kernel) -> Vec<Vec<u8>> {
    let mut arguments: Vec<Vec<u8>> =
        kernel.parameters.iter().zip(&case.operands).map(|(p, elements)| encode(p.dtype, elements)).collect();
    let output = kernel.parameters.last().expect("a kernel has an output");
    arguments.push(vec![0xa5; output.elements * output.dtype.size()]);
    arguments.iter_mut().for_each(|argument| argument.extend([0xa5; 4]));
    arguments
}

/// What the interpreter says the machine computes.
fn predicted(case: &Case, kernel: &Kernel) -> Vec<f64> {
    let mut arrays = case.operands.clone();
    arrays.push(vec![f64::NAN; kernel.parameters.last().expect("a kernel has an output").elements]);
    interpret(&lower(kernel, &*isa()), &mut arrays, LANES);
    arrays.pop().expect("the output was pushed")
}

#[test]
fn machines_agree_with_the_interpreter() {
    for case in cases() {
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
        let expected = predicted(&case, &kernel);
        let mut arguments = arguments(&case, &kernel);
        Function::new(&kernel).run(&mut arguments);
        let output = arguments.pop().expect("the output was pushed");
        let (output, guard) = output.split_at(output.len() - 4);
        assert_eq!(guard, [0xa5; 4], "{} wrote beyond its output", case.name);
        let found = decode(kernel.parameters[arguments.len()].dtype, output);
        for (position, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let same = found == expected || (found.is_nan() && expected.is_nan());
            assert!(same, "{}: {found} and not {expected} at {position}\n{kernel}", case.name);
        }
    }
}

/// The approximations within their tolerance on the machine itself, over many more numbers than the interpreter has time for.
#[test]
fn transcendental_operations_are_within_their_ulps() {
    let every: Vec<f64> = (0..=u32::MAX).step_by(6_007).map(|bits| f64::from(f32::from_bits(bits))).collect();
    for op in ScalarOp::TRANSCENDENTAL {
        let promised = |x: &f64| x.abs() <= op.end() || !x.is_finite();
        let numbers: Vec<f64> = every.iter().copied().filter(promised).collect();
        let case = unary(op, numbers.clone());
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
        let mut arguments = arguments(&case, &kernel);
        Function::new(&kernel).run(&mut arguments);
        let found = decode(DType::F32, &arguments[1][..4 * numbers.len()]);
        let distance = |(&x, &y): (&f64, &f64)| (ulps(y, op.evaluate(DType::F32, &[x])), x);
        let worst =
            numbers.iter().zip(&found).map(distance).max_by(|a, b| a.0.total_cmp(&b.0)).expect("there are numbers");
        println!("{op}: at most {:.2} ulps, at {}", worst.0, worst.1);
        assert!(worst.0 <= op.ulps(), "{op}: {} ulps at {}", worst.0, worst.1);
    }
}

/// The distance of an f32 from an exact value in units in the last place of the f32 next to that value.
fn ulps(value: f64, exact: f64) -> f64 {
    let nearest = f64::from(exact as f32);
    if value == nearest || (value.is_nan() && nearest.is_nan()) {
        return 0.0;
    }
    let binade = exact.abs().max(f64::from(f32::MIN_POSITIVE)).log2().floor() as i32;
    let distance = (value - exact).abs() / 2f64.powi(binade - 23);
    if distance.is_nan() { f64::INFINITY } else { distance }
}
