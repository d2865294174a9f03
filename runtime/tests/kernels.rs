//! Machine code computes what the interpreter computes, bit by bit, at every number of lanes that the machine has, and
//! touches nothing beside its arrays: they lie against memory that may not be accessed.

mod bytes;
#[path = "../../compiler/tests/nests/mod.rs"]
mod nests;

use bytes::{decode, encode};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};
use nests::{Case, cases, unary};
use region::{Allocation, Protection};
use tapeless_compiler::backend::cranelift::{Code, Machine, emit, lower};
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

/// The numbers of lanes that vectors of this machine have.
fn lanes() -> Vec<usize> {
    let mut lanes = vec![4];
    #[cfg(target_arch = "x86_64")]
    {
        let eight = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        lanes.extend(eight.then_some(8));
    }
    lanes
}

/// The machine signature of a phase.
type Entry = extern "sysv64" fn(*const *mut u8, *mut u8, usize, usize);

/// A kernel in executable memory.
struct Function {
    /// Its phases, and how many iterations the parallel loop of each has.
    phases: Vec<(Entry, Option<usize>)>,
    local: usize,
    module: Option<JITModule>,
    code: Code,
}

impl Function {
    fn new(kernel: &Kernel, lanes: usize) -> Function {
        let code = emit(kernel, &*isa(), lanes).unwrap_or_else(|error| panic!("{error}\n{kernel}"));
        let mut module = JITModule::new(JITBuilder::with_isa(isa(), default_libcall_names()));
        let mut signature = module.make_signature();
        signature.params.extend([cranelift_codegen::ir::AbiParam::new(cranelift_codegen::ir::types::I64); 4]);
        let define = |(number, machine): (usize, &Machine)| {
            let id = module.declare_function(&format!("phase{number}"), Linkage::Export, &signature);
            let id = id.expect("the name is free");
            module.define_function_bytes(id, machine.alignment, &machine.bytes, &[]).expect("there is memory");
            (id, machine.parallel)
        };
        let functions: Vec<_> = code.functions.iter().enumerate().map(define).collect();
        module.finalize_definitions().expect("memory can be made executable");
        let entry = |(id, parallel)| {
            let address = module.get_finalized_function(id);
            // SAFETY: the bytes at the address are a whole function with this signature, and they stay until the module is
            // freed, which only drop does.
            (unsafe { std::mem::transmute::<*const u8, Entry>(address) }, parallel)
        };
        let phases = functions.into_iter().map(entry).collect();
        Function { phases, local: kernel.local_offsets().1, module: Some(module), code }
    }

    /// Runs the kernel on these arrays, one per argument, as long as the kernel says, and leaves in them what it wrote. Of
    /// parallel loops, the second half comes first.
    fn run(&self, arguments: &mut [Vec<u8>], side: Side) {
        let guarded: Vec<Guarded> = arguments.iter().map(|argument| Guarded::new(argument, side)).collect();
        let pointers: Vec<*mut u8> = guarded.iter().map(|memory| memory.start).collect();
        let local = Guarded::new(&vec![0xa5; self.local], side);
        for &(entry, parallel) in &self.phases {
            let (extent, half) = (parallel.unwrap_or(1), parallel.unwrap_or(1) / 2);
            for (first, end) in [(half, extent), (0, half)] {
                if first < end {
                    entry(pointers.as_ptr(), local.start, first, end);
                }
            }
        }
        for (argument, memory) in arguments.iter_mut().zip(&guarded) {
            argument.copy_from_slice(memory.bytes());
        }
    }
}

/// Which end of an array lies against memory that may not be accessed.
#[derive(Clone, Copy, Debug)]
enum Side {
    Start,
    End,
}

/// An array with memory on one side that may not be accessed.
struct Guarded {
    start: *mut u8,
    bytes: usize,
    _memory: Allocation,
}

impl Guarded {
    fn new(bytes: &[u8], side: Side) -> Guarded {
        let page = region::page::size();
        let whole = bytes.len().max(1).next_multiple_of(page);
        let mut memory = region::alloc(whole + page, Protection::READ_WRITE).expect("there is memory");
        let first = memory.as_mut_ptr::<u8>();
        let (guard, start) = match side {
            Side::Start => (0, page),
            Side::End => (whole, whole - bytes.len()),
        };
        // SAFETY: the pages are those of the allocation, the bytes are copied into those that stay accessible, and nothing
        // has been told of the others.
        let start = unsafe {
            region::protect(first.add(guard), page, Protection::NONE).expect("a page can be protected");
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), first.add(start), bytes.len());
            first.add(start)
        };
        Guarded { start, bytes: bytes.len(), _memory: memory }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes were copied there, and the kernel has returned.
        unsafe { std::slice::from_raw_parts(self.start, self.bytes) }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let module = self.module.take().expect("only drop takes the module");
        // SAFETY: the entry is private and is not called after this.
        unsafe { module.free_memory() };
    }
}

/// The arrays of a case as bytes, the output last and full of a pattern.
fn arguments(case: &Case, kernel: &Kernel) -> Vec<Vec<u8>> {
    let mut arguments: Vec<Vec<u8>> =
        kernel.parameters.iter().zip(&case.operands).map(|(p, elements)| encode(p.dtype, elements)).collect();
    // The output and scratch.
    for parameter in kernel.arguments().skip(case.operands.len()) {
        arguments.push(vec![0xa5; parameter.elements * parameter.dtype.size()]);
    }
    arguments
}

/// What the interpreter says a machine with so many lanes computes.
fn predicted(case: &Case, kernel: &Kernel, lanes: usize) -> Vec<f64> {
    let mut arrays = case.operands.clone();
    arrays.push(vec![f64::NAN; kernel.parameters[case.operands.len()].elements]);
    interpret(&lower(kernel, &*isa()), &mut arrays, lanes);
    arrays.pop().expect("the output was pushed")
}

#[test]
fn machines_agree_with_the_interpreter() {
    for lanes in lanes() {
        // In pieces as they pay, and in pieces as small as can be.
        for target in [Target::new(lanes), Target { piece: 1, ..Target::new(lanes) }] {
            for case in cases() {
                let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &target);
                let function = Function::new(&kernel, lanes);
                for side in [Side::Start, Side::End] {
                    agrees(&case, &kernel, &function, side);
                }
            }
        }
    }
}

/// Holds the output of a kernel against that of the interpreter.
fn agrees(case: &Case, kernel: &Kernel, function: &Function, side: Side) {
    let lanes = function.code.lanes;
    let expected = predicted(case, kernel, lanes);
    let mut arguments = arguments(case, kernel);
    function.run(&mut arguments, side);
    let output = case.operands.len();
    let found = decode(kernel.parameters[output].dtype, &arguments[output]);
    for (position, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let same = found == expected || (found.is_nan() && expected.is_nan());
        assert!(same, "{} at {lanes} lanes: {found} and not {expected} at {position}\n{kernel}", case.name);
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
        let lanes = lanes().pop().expect("there are lanes");
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::new(lanes));
        let mut arguments = arguments(&case, &kernel);
        Function::new(&kernel, lanes).run(&mut arguments, Side::End);
        let found = decode(DType::F32, &arguments[1]);
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
