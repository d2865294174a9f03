//! Memory, modules, launches and graphs, with kernels written by hand. Without a driver the tests say that they skip.

mod faults;
mod kernels;
mod memory;

use super::Cuda;
use super::executable::CudaExecutable;
use super::mirror::Mirror;
use crate::device::Executable;
use crate::elements::Elements;
use crate::error::Error;
use crate::memory::Memory;
use std::sync::Arc;
use tapeless_compiler::backend::ptx::{Code, Entry};
use tapeless_compiler::graph::Leaf;
use tapeless_compiler::kernel::{Kernel, Usage};
use tapeless_compiler::pipeline::{self, Fusion, Options};
use tapeless_compiler::plan::Plan;

/// How many elements the arrays of the step have.
const ELEMENTS: usize = 40;

/// A step of two kernels: the parameter less the input, and the square of the input.
const STEP: &str = "tapeless graph 1
step Train
store 0 net Net
%0 = user \"x\" : f32<40>
%1 = parameter 0 \"w\" : f32<40>
%2 = sub %1 %0 : f32<40>
%3 = mul %0 %0 : f32<40>
%4 = neg %0 : f32<40>
result output 0 %3
result gradient 0 \"w\" %4
result next %1 %2
end
";

/// The first device, or nothing if there is none, and then it says so.
fn device() -> Option<Arc<Cuda>> {
    match Cuda::new(0) {
        Ok(cuda) => Some(Arc::new(cuda)),
        Err(error @ (Error::NoDriver | Error::NoSuchDevice { .. } | Error::OldDevice { .. })) => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn plan(cuda: &Cuda) -> Plan {
    let graph = pipeline::load(STEP).expect("the text is a graph");
    let options = Options { fusion: Fusion::none(), keep_gradients: true, ..Options::default() };
    pipeline::plan(&graph, &[], &options, &cuda.target()).expect("the graph has a plan")
}

/// The step with kernels written by hand; `shift` is how many bytes behind its array each kernel writes.
fn step(cuda: &Arc<Cuda>, shift: usize) -> CudaExecutable {
    let plan = plan(cuda);
    CudaExecutable::new(cuda, "Train", &plan, &codes(&plan, shift)).expect("the step is loaded")
}

/// The kernels of the plan, each of which is launched once.
fn codes(plan: &Plan, shift: usize) -> Vec<Code> {
    plan.launches.iter().map(|launch| code(&plan.kernels[launch.kernel], &launch.label, shift)).collect()
}

/// A kernel that computes one element per thread.
fn code(kernel: &Kernel, label: &str, shift: usize) -> Code {
    let position = |usage| {
        let arguments = kernel.arguments().enumerate();
        arguments.filter(move |(_, parameter)| parameter.usage == usage).map(|(position, _)| position)
    };
    let reads: Vec<usize> = position(Usage::Read).collect();
    let (first, second) = (reads[0], reads[reads.len() - 1]);
    let written = position(Usage::Written).next().expect("a kernel writes something");
    let operation = match label {
        "sub" => "sub.rn.f32 %f2, %f0, %f1",
        "mul" => "mul.rn.f32 %f2, %f0, %f1",
        "neg" => "neg.f32 %f2, %f0",
        other => panic!("no kernel computes {other}"),
    };
    let name = format!("kernel_{label}");
    let parameters: Vec<String> = (0..kernel.arguments().count()).map(|at| format!(".param .u64 p{at}")).collect();
    let text = format!(
        ".version 7.0
.target sm_80
.address_size 64
.visible .entry {name}({})
{{
  .reg .b32 %r<4>; .reg .b64 %rd<4>; .reg .f32 %f<3>;
  mov.u32 %r0, %tid.x;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mad.lo.u32 %r3, %r1, %r2, %r0;
  mul.wide.u32 %rd3, %r3, 4;
  ld.param.u64 %rd0, [p{first}];
  ld.param.u64 %rd1, [p{second}];
  ld.param.u64 %rd2, [p{written}];
  add.u64 %rd0, %rd0, %rd3;
  add.u64 %rd1, %rd1, %rd3;
  add.u64 %rd2, %rd2, %rd3;
  ld.global.f32 %f0, [%rd0];
  ld.global.f32 %f1, [%rd1];
  {operation};
  st.global.f32 [%rd2+{shift}], %f2;
  ret;
}}
",
        parameters.join(", ")
    );
    let (threads, blocks) = (ELEMENTS / 5, 5);
    Code { text, entries: vec![Entry { name, blocks, threads, shared_bytes: 0 }] }
}

/// Where the leaf of the parameter stands, and that of the input.
fn leaves(cuda: &Cuda) -> (usize, usize) {
    let plan = plan(cuda);
    let position = |is: fn(&Leaf) -> bool| plan.leaves.iter().position(|planned| is(&planned.leaf));
    let parameter = position(|leaf| matches!(leaf, Leaf::Parameter { .. })).expect("the step has a parameter");
    (parameter, position(|leaf| matches!(leaf, Leaf::User { .. })).expect("the step has an input"))
}

/// The numbers from this one on.
fn numbers(first: f32) -> Vec<f32> {
    (0..ELEMENTS).map(|at| first + at as f32).collect()
}

/// A parameter that begins as these numbers.
fn parameter(cuda: &Arc<Cuda>, numbers: &[f32]) -> Mirror {
    let mut memory = Memory::zeroed(size_of_val(numbers)).expect("a few bytes");
    memory.slice_mut(0, numbers.len()).copy_from_slice(numbers);
    Mirror::new(cuda, memory).expect("a few bytes on the device")
}

/// What the host reads of a parameter.
fn read(mirror: &Mirror) -> Vec<f32> {
    mirror.read().expect("a parameter can be read").slice(0, ELEMENTS).to_vec()
}

/// Runs the step once.
fn run(step: &mut CudaExecutable, parameter: &mut Mirror, input: &[f32]) -> Result<(), Error> {
    let (leaf, user) = leaves(parameter.device());
    parameter.is_written();
    step.set_leaf(leaf, parameter.address(0));
    step.set_input(user, Elements::F32(input));
    // SAFETY: the parameter is on the device, borrowed exclusively, and as long as the step takes it.
    unsafe { step.run(None) }
}
