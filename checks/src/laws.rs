//! Laws of every op on a device: what compiled steps compute is what the reference says, forward and backward.

use crate::deviation::Deviation;
use crate::failure::Failure;
use crate::hold::hold;
use tapeless::{DType, Device, Options};
use tapeless_compiler::graph::{Graph, Op, Sample};
use tapeless_compiler::ops::OPS;
use tapeless_compiler::samples::{gradients, leaves, retyped};

/// How far an element may be off, relative to the largest element of the result (or to 1, if all are smaller). Sums of some
/// ten products and functions good to four units in the last place (6e-8 each in f32, 1e-16 in f64) stay well below; in half
/// precision each value that is stored on the way is off by half a unit (5e-4, 4e-3).
pub fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => 1e-5,
        DType::F64 => 1e-12,
        DType::F16 => 1e-2,
        DType::Bf16 => 8e-2,
        _ => 0.0,
    }
}

/// The law of an op: on all of its samples, in every type that it takes, a device computes what the reference says.
#[derive(Clone, Copy)]
pub struct Law {
    op: &'static dyn Op,
}

/// Which half of a law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The results of the op.
    Forward,
    /// The gradients of its float operands, for cotangents that are inputs too.
    Backward,
}

/// What came of a law on a device.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many samples were held.
    pub held: usize,
    /// The worst element of those, if there is one.
    pub worst: Option<Deviation>,
    /// What was not held, and why: the sample, and what is wrong.
    pub failures: Vec<(String, Failure)>,
}

/// The laws of all ops, in the order of their names.
pub fn laws() -> impl Iterator<Item = Law> {
    OPS.iter().map(|&op| Law { op })
}

impl Law {
    /// The name of the op.
    pub fn name(&self) -> &'static str {
        self.op.name()
    }

    /// Holds every sample.
    pub fn run(&self, pass: Pass, device: &Device, options: &Options) -> Outcome {
        let mut outcome = Outcome::default();
        for (number, sample) in self.op.samples().iter().enumerate() {
            for (dtype, sample) in retyped(self.op, sample, number) {
                let Some(graph) = self.graph(pass, &sample) else { continue };
                let held = hold(&graph, &leaves(&graph, &sample), device, options, tolerance);
                let sample = || format!("{} sample {number} in {dtype}", self.name());
                outcome.add(held.map_err(|failure| (sample(), failure)));
            }
        }
        outcome
    }

    /// The graph of a sample; `None` if no gradient flows.
    fn graph(&self, pass: Pass, sample: &Sample) -> Option<Graph> {
        match pass {
            Pass::Forward => Some(sample.graph(self.op).expect("samples are well typed")),
            Pass::Backward => gradients(self.op, sample),
        }
    }
}

impl Outcome {
    /// Both together.
    pub fn and(mut self, other: Outcome) -> Outcome {
        self.held += other.held;
        self.worst = self.worst.into_iter().chain(other.worst).reduce(Deviation::worse);
        self.failures.extend(other.failures);
        self
    }

    fn add(&mut self, held: Result<Deviation, (String, Failure)>) {
        match held {
            Ok(deviation) => {
                self.held += 1;
                self.worst = self.worst.take().into_iter().chain([deviation]).reduce(Deviation::worse);
            }
            Err(failure) => self.failures.push(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_add_up() {
        let outcome = |held, error| Outcome {
            held,
            worst: Some(Deviation { what: "element".to_string(), error, tolerance: 1.0 }),
            failures: vec![("sample".to_string(), Failure::Steps { found: 1, expected: 2 })],
        };
        let both = Outcome::default().and(outcome(3, 0.5)).and(outcome(4, 0.25));
        let worst = both.worst.map(|worst| worst.error);
        assert_eq!((both.held, worst, both.failures.len()), (7, Some(0.5), 2));
    }
}
