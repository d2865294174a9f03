//! Gradients held against numerical differences.
//!
//! The gradients are those that the machine code of the step computes, in a program of their own that changes nothing; the
//! differences are of its losses, computed in f64.

use super::Step;
use crate::device::Device;
use crate::elements::Elements;
use crate::error::Error;
use crate::store::Store;
use half::{bf16, f16};
use tapeless_compiler::differences;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{Graph, Leaf, Role};
use tapeless_compiler::pipeline::{self, Options};

/// How many elements of each parameter are compared at most, spread evenly over it.
const ELEMENTS: usize = 24;

/// How far an element is moved to either side.
const STEP: f64 = 1e-6;

impl Step {
    /// The largest error of the gradient of each parameter, relative to the largest derivative found in it.
    #[doc(hidden)]
    pub fn check_gradients(&self, stores: &[&Store], inputs: &[Elements<'_>]) -> Result<Vec<(String, f64)>, Error> {
        self.inputs.check(&self.graph.name, inputs)?;
        let dims: Vec<(&str, usize)> = self.dims.iter().map(|(name, extent)| (name.as_str(), *extent)).collect();
        let failed = |source| Error::Compile { step: self.graph.name.clone(), source };
        let graph = pipeline::bound(&self.graph, &dims).map_err(failed)?;
        let mut leaves = Vec::new();
        for (_, leaf, ty) in graph.leaves() {
            leaves.push(Values { dtype: ty.dtype, numbers: self.leaf(leaf, &ty.known_shape(), stores, inputs)? });
        }
        let gradients = Probe::new(differences::gradients(&graph), &self.device)?.run(&leaves)?;
        leaves.iter_mut().filter(|leaf| leaf.dtype == DType::F32).for_each(|leaf| leaf.dtype = DType::F64);
        let constants = Probe::new(differences::constants(&graph), &self.device)?.run(&leaves)?;
        leaves.extend(constants.into_iter().map(|numbers| Values { dtype: DType::F64, numbers }));
        let mut losses = Probe::new(differences::losses(&graph), &self.device)?;
        let mut errors = Vec::new();
        for (wanted, gradient) in wanted(&graph).into_iter().zip(gradients) {
            let error = losses.largest_error(&mut leaves, &wanted, &gradient)?;
            let key = self.gradient_key(&wanted.role).expect("the role is that of a gradient");
            errors.push((key, error));
        }
        Ok(errors)
    }

    /// What a leaf of the step holds.
    fn leaf(
        &self,
        leaf: &Leaf,
        shape: &[usize],
        stores: &[&Store],
        inputs: &[Elements<'_>],
    ) -> Result<Vec<f64>, Error> {
        Ok(match leaf {
            Leaf::User { name } => {
                let users = self.graph.leaves().filter(|(_, leaf, _)| matches!(leaf, Leaf::User { .. }));
                let position = users.map(|(_, leaf, _)| leaf).position(|user| user == leaf);
                numbers(inputs[position.unwrap_or_else(|| panic!("`{name}` is an input of the step"))])
            }
            Leaf::Parameter { store, key } | Leaf::State { store, key } => stores[*store].numbers(key)?,
            Leaf::Slot { store, name, initial } => {
                let kept = stores[*store].slots().numbers_of(&self.graph.name, name)?;
                kept.unwrap_or_else(|| vec![*initial; shape.iter().product()])
            }
            Leaf::Seed { store } => {
                let seed = stores[*store].seed().0;
                vec![f64::from(seed as u32), f64::from((seed >> 32) as u32)]
            }
        })
    }
}

/// A gradient of a step, and what it is of.
struct Wanted {
    role: Role,
    /// The position of the parameter among the leaves.
    leaf: usize,
    /// The position of the loss among the losses.
    loss: usize,
}

fn wanted(graph: &Graph) -> Vec<Wanted> {
    let (mut wanted, mut losses) = (Vec::new(), 0usize);
    for result in &graph.results {
        match &result.role {
            Role::Loss(_) => losses += 1,
            Role::Gradient { store, key } => {
                let parameter = Leaf::Parameter { store: *store, key: key.clone() };
                let leaf = graph.leaves().position(|(_, leaf, _)| *leaf == parameter);
                let leaf = leaf.expect("a gradient is that of a parameter");
                let loss = losses.checked_sub(1).expect("a loss stands in front of its gradients");
                wanted.push(Wanted { role: result.role.clone(), leaf, loss });
            }
            _ => {}
        }
    }
    wanted
}

/// The numbers of an array, which is of this element type.
struct Values {
    dtype: DType,
    numbers: Vec<f64>,
}

/// A program of inputs and outputs.
struct Probe {
    step: Step,
    outputs: Vec<DType>,
}

impl Probe {
    fn new(graph: Graph, device: &Device) -> Result<Probe, Error> {
        let outputs = graph.results.iter().map(|result| graph.dtype(result.value)).collect();
        Ok(Probe { step: Step::build(graph, device, Vec::new(), &Options::default())?, outputs })
    }

    /// The outputs for these inputs.
    fn run(&mut self, inputs: &[Values]) -> Result<Vec<Vec<f64>>, Error> {
        let held: Vec<Held> = inputs.iter().map(Held::new).collect();
        let elements: Vec<Elements<'_>> = held.iter().map(Held::elements).collect();
        self.step.run(&mut [], &elements)?;
        Ok((0..self.outputs.len()).map(|output| numbers(self.step.results_at(output))).collect())
    }

    fn largest_error(&mut self, leaves: &mut [Values], wanted: &Wanted, gradient: &[f64]) -> Result<f64, Error> {
        let count = gradient.len();
        let (mut largest, mut error) = (0f64, 0f64);
        for at in (0..count.min(ELEMENTS)).map(|i| i * count / count.min(ELEMENTS)) {
            let middle = leaves[wanted.leaf].numbers[at];
            let mut moved = |step: f64| {
                leaves[wanted.leaf].numbers[at] = middle + step;
                self.run(leaves).map(|losses| losses[wanted.loss][0])
            };
            let slope = (moved(STEP)? - moved(-STEP)?) / (2.0 * STEP);
            leaves[wanted.leaf].numbers[at] = middle;
            largest = largest.max(slope.abs()).max(gradient[at].abs());
            error = error.max((gradient[at] - slope).abs());
        }
        Ok(if largest == 0.0 { 0.0 } else { error / largest })
    }
}

/// Numbers as elements of their type.
enum Held {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    F64(Vec<f64>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    Bool(Vec<bool>),
}

impl Held {
    fn new(values: &Values) -> Held {
        let numbers = values.numbers.iter();
        match values.dtype {
            DType::F32 => Held::F32(numbers.map(|&x| x as f32).collect()),
            DType::F16 => Held::F16(numbers.map(|&x| f16::from_f64(x)).collect()),
            DType::Bf16 => Held::Bf16(numbers.map(|&x| bf16::from_f64(x)).collect()),
            DType::F64 => Held::F64(values.numbers.clone()),
            DType::U32 => Held::U32(numbers.map(|&x| x as u32).collect()),
            DType::I32 => Held::I32(numbers.map(|&x| x as i32).collect()),
            DType::I64 => Held::I64(numbers.map(|&x| x as i64).collect()),
            DType::U8 => Held::U8(numbers.map(|&x| x as u8).collect()),
            DType::Bool => Held::Bool(numbers.map(|&x| x != 0.0).collect()),
        }
    }

    fn elements(&self) -> Elements<'_> {
        match self {
            Held::F32(elements) => Elements::F32(elements),
            Held::F16(elements) => Elements::F16(elements),
            Held::Bf16(elements) => Elements::Bf16(elements),
            Held::F64(elements) => Elements::F64(elements),
            Held::U32(elements) => Elements::U32(elements),
            Held::I32(elements) => Elements::I32(elements),
            Held::I64(elements) => Elements::I64(elements),
            Held::U8(elements) => Elements::U8(elements),
            Held::Bool(elements) => Elements::Bool(elements),
        }
    }
}

fn numbers(elements: Elements<'_>) -> Vec<f64> {
    match elements {
        Elements::F32(elements) => elements.iter().map(|&x| x.into()).collect(),
        Elements::F16(elements) => elements.iter().map(|x| x.to_f64()).collect(),
        Elements::Bf16(elements) => elements.iter().map(|x| x.to_f64()).collect(),
        Elements::F64(elements) => elements.to_vec(),
        Elements::U32(elements) => elements.iter().map(|&x| x.into()).collect(),
        Elements::I32(elements) => elements.iter().map(|&x| x.into()).collect(),
        Elements::I64(elements) => elements.iter().map(|&x| x as f64).collect(),
        Elements::U8(elements) => elements.iter().map(|&x| x.into()).collect(),
        Elements::Bool(elements) => elements.iter().map(|&x| u8::from(x).into()).collect(),
    }
}
