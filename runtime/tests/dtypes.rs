//! Programs in every element type.

use tapeless::{Device, Error, Options, Seed, bf16, f16, model};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{Array, Graph, Leaf, Role, bind, evaluate};
use tapeless_compiler::pipeline;
use tapeless_compiler::shape::{Bindings, Extent, Symbol};

model! {
    pub model Double(x: f64<N, 3>) -> f64<N, 2> {
        #[param]
        let hidden: f64<5, 3> = kaiming_uniform();
        #[param]
        let shift: f64<5> = uniform(-0.1, 0.1);
        #[param]
        let out: f64<2, 5> = kaiming_uniform();
        (x.matmul(hidden.t()) + shift).tanh().matmul(out.t()) * f64(N) / f64(N)
    }

    pub step TrainDouble(x: f64<dyn B, 3>, y: f64<B, 2>, lr: f32) {
        let net = Double();
        let pred = net(x);
        let loss = mse(pred, y) + (1.0 + pred.exp()).log().mean() + 0.1 * pred.sin().erf().mean();
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9, weight_decay = 0.01));
        metric(loss);
    }

    pub model Brief(x: bf16<N, 3>) -> bf16<N, 2> {
        #[param]
        let hidden: bf16<5, 3> = kaiming_uniform();
        #[param]
        let out: bf16<2, 5> = kaiming_uniform();
        x.matmul(hidden.t()).tanh().matmul(out.t())
    }

    pub step TrainBrief(x: bf16<dyn B, 3>, y: bf16<B, 2>, lr: f32) {
        let net = Brief();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Adam(lr), ema = 0.5);
        metric(loss);
    }

    block Seen(x: f32<N>) -> f32<N> {
        #[state]
        let count: i64 = zeros();
        count = count + 1;
        x
    }

    pub model Counted(x: f32<N>) -> f32<N> {
        #[param]
        let w: f32 = ones();
        let seen = Seen();
        seen(x) * w
    }

    pub step TrainCounted(x: f32<dyn N>, lr: f32) {
        let net = Counted();
        let loss = net(x).sum();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    pub step Bytes(image: u8<dyn N, 5>, by: u8) -> (f32<N, 5>, u8<N, 5>, u8<5>, u32<N>, bool<N, 5>, i64<N, 5>) {
        let net = Counted();
        let nothing = 0 * net.w;
        let lit = image.cast(f32) / 255.0 + nothing;
        (lit, image * by - 7, image.sum(0), image.argmax(1), image < by, image.cast(i64) * 1000000)
    }

    pub step FromHalf(x: f16<dyn N>, y: bf16<N>) -> (f32<N>, f32<N>, f64<N>) {
        let net = Counted();
        (x.cast(f32) + 0 * net.w, y.cast(f32), x.cast(f64))
    }

    pub step ToHalf(x: f32<dyn N>) -> (f16<N>, bf16<N>, f16<N>, bf16<N>) {
        let net = Counted();
        (x.cast(f16), x.cast(bf16), x.cast(f64).cast(f16), (x.cast(f64) * f64(1)).cast(bf16))
    }
}

/// A training step, evaluated by the reference meaning of its ops.
struct Reference {
    graph: Graph,
    leaves: Vec<Array>,
}

impl Reference {
    /// The step for a batch of this size, with what `parameter` gives for each key.
    fn new(text: &'static str, batch: usize, parameter: impl Fn(&str) -> Vec<f64>) -> Reference {
        let graph = pipeline::load(text).expect("the macro prints graphs that parse");
        let bindings = Bindings::from([(Symbol::new("B"), Extent::from(batch))]);
        let graph = bind(&graph, &bindings).expect("the extents fit");
        let leaf = |leaf: &Leaf, dtype: DType, shape: Vec<usize>| match leaf {
            Leaf::Parameter { key, .. } => Array::new(dtype, &shape, parameter(key)),
            Leaf::Slot { initial, .. } => Array::filled(dtype, &shape, *initial),
            _ => Array::filled(dtype, &shape, 0.0),
        };
        let leaves = graph.leaves().map(|(_, kind, ty)| leaf(kind, ty.dtype, ty.known_shape())).collect();
        Reference { graph, leaves }
    }

    /// Runs once and gives the loss.
    fn run(&mut self, inputs: &[&[f64]]) -> f64 {
        let users = self.graph.leaves().enumerate().filter(|(_, (_, leaf, _))| matches!(leaf, Leaf::User { .. }));
        for ((at, _), input) in users.zip(inputs) {
            self.leaves[at].elements = input.to_vec();
        }
        let results = evaluate(&self.graph, &self.leaves);
        let mut loss = f64::NAN;
        for (result, array) in self.graph.results.iter().zip(results) {
            match &result.role {
                Role::Metric(_) => loss = array.elements[0],
                Role::Next(leaf) => {
                    let at = self.graph.leaves().position(|(id, ..)| id == *leaf).expect("what is next is a leaf");
                    self.leaves[at] = array;
                }
                _ => {}
            }
        }
        loss
    }

    fn parameter(&self, wanted: &str) -> &[f64] {
        let is = |leaf: &Leaf| matches!(leaf, Leaf::Parameter { key, .. } if key == wanted);
        let at = self.graph.leaves().position(|(_, leaf, _)| is(leaf)).expect("the model has the parameter");
        &self.leaves[at].elements
    }
}

fn numbers(count: usize, seed: usize) -> Vec<f64> {
    (0..count).map(|i| ((i * 37 + seed * 11) % 101) as f64 / 50.0 - 1.0).collect()
}

#[test]
fn doubles_train_as_their_reference_does() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Double::new(&device, Seed(3))?;
    let mut step = TrainDouble::compile(&device, TrainDouble::dims().b(7), &Options::default())?;
    let start = |key: &str| net.get_typed::<f64>(key).expect("the parameter is a double").to_vec();
    let mut reference = Reference::new(TrainDouble::GRAPH, 7, start);
    let (x, y) = (numbers(21, 1), numbers(14, 2));
    for run in 0..20 {
        let loss = step.run(&mut net, &x, &y, 0.25)?.loss;
        let expected = reference.run(&[&x, &y, &[0.25]]);
        assert!((loss - expected).abs() <= 1e-12 * expected.abs(), "run {run}: {loss} and not {expected}");
    }
    for key in ["hidden", "shift", "out"] {
        let found = net.get_typed::<f64>(key)?;
        for (found, expected) in found.iter().zip(reference.parameter(key)) {
            assert!((found - expected).abs() <= 1e-12, "{key}: {found} and not {expected}");
        }
    }
    assert!(net.get_typed::<f32>("out").is_err_and(|error| error.to_string().contains("f64<2, 5>")));
    Ok(())
}

#[test]
fn parameters_of_half_precision_train_close_to_their_reference() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Brief::new(&device, Seed(3))?;
    let mut step = TrainBrief::compile(&device, TrainBrief::dims().b(8), &Options::default())?;
    let start = |key: &str| net.get(key).expect("the parameter is there").iter().map(|&x| x.into()).collect();
    let mut reference = Reference::new(TrainBrief::GRAPH, 8, start);
    let (x, y) = (numbers(24, 1), numbers(16, 2));
    let brief = |x: &[f64]| x.iter().map(|&x| bf16::from_f64(x)).collect::<Vec<_>>();
    let (short_x, short_y) = (brief(&x), brief(&y));
    let mut losses = Vec::new();
    for run in 0..60 {
        // Each step is a thirtieth of what a weight can tell apart at 1, which only steps in f32 add up.
        let loss = step.run(&mut net, &short_x, &short_y, 0.01)?.loss.to_f64();
        let expected = reference.run(&[&x, &y, &[f64::from(0.01f32)]]);
        assert!((loss - expected).abs() <= 0.04 * expected, "run {run}: {loss} and not {expected}");
        losses.push(loss);
    }
    assert!(losses[59] < 0.9 * losses[0], "{losses:?}");
    let average = net.averaged("TrainBrief")?;
    for (average, last) in average.get("out")?.iter().zip(net.get("out")?.iter()) {
        assert!((average - last).abs() < 0.05, "{average} is the average of the last few, {last} the last");
    }
    Ok(())
}

#[test]
fn integers_of_64_bits_are_exact() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Counted::new(&device, Seed(0))?;
    let mut step = TrainCounted::compile(&device, TrainCounted::dims().n(2), &Options::default())?;
    for _ in 0..3 {
        step.run(&mut net, &[1.0, 2.0], 0.0)?;
    }
    assert_eq!(format!("{:?}", net.get("seen.count")?), "[3]");
    let large = (1 << 53) + 1;
    net.set_typed("seen.count", &[large])?;
    step.run(&mut net, &[1.0, 2.0], 0.0)?;
    assert_eq!(net.get_typed::<i64>("seen.count")?.to_vec(), [large + 1]);
    Ok(())
}

#[test]
fn bytes_wrap_and_widen() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Counted::new(&device, Seed(0))?;
    let mut step = Bytes::compile(&device, Bytes::dims().n(9), &Options::default())?;
    let image: Vec<u8> = (0..45).map(|i| (i * 29 + 3) as u8).collect();
    let (lit, product, sum, largest, below, wide) = step.run(&net, &image, 77)?.output;
    let mut sums = [0u8; 5];
    for (i, &byte) in image.iter().enumerate() {
        assert!((lit[i] - f32::from(byte) / 255.0).abs() < 1e-6, "{i}");
        assert_eq!(product[i], byte.wrapping_mul(77).wrapping_sub(7), "{i}");
        assert_eq!((below[i], wide[i]), (byte < 77, i64::from(byte) * 1_000_000), "{i}");
        sums[i % 5] = sums[i % 5].wrapping_add(byte);
    }
    assert_eq!(sum.to_vec(), sums);
    for (row, &at) in image.chunks(5).zip(&largest) {
        assert_eq!(Some(&row[at as usize]), row.iter().max());
    }
    Ok(())
}

#[test]
fn every_pattern_of_half_precision_is_widened_exactly() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Counted::new(&device, Seed(0))?;
    let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    let briefs: Vec<bf16> = (0..=u16::MAX).map(bf16::from_bits).collect();
    let mut step = FromHalf::compile(&device, FromHalf::dims().n(halves.len()), &Options::default())?;
    let (x, y, wide) = step.run(&net, &halves, &briefs)?.output;
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    for i in 0..halves.len() {
        assert!(same(x[i].into(), halves[i].to_f64()) && same(wide[i], halves[i].to_f64()), "{i:x}: {}", x[i]);
        assert!(same(y[i].into(), briefs[i].to_f64()), "{i:x}: {}", y[i]);
    }
    Ok(())
}

#[test]
fn half_precision_is_rounded_to_nearest_even() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Counted::new(&device, Seed(0))?;
    // Each number of half precision, what is in the middle between it and the next, and the neighbours of that.
    let middle = |low: f32, high: f32| ((f64::from(low) + f64::from(high)) / 2.0) as f32;
    let f16s = (0..u16::MAX).map(|bits| [bits, bits + 1].map(|bits| f16::from_bits(bits).to_f32()));
    let bf16s = (0..u16::MAX).map(|bits| [bits, bits + 1].map(|bits| bf16::from_bits(bits).to_f32()));
    let around = |[low, high]: [f32; 2]| {
        let middle = middle(low, high);
        [low, middle, f32::from_bits(middle.to_bits() ^ 1), f32::from_bits(middle.to_bits().wrapping_sub(1))]
    };
    let every = (0..=u32::MAX).step_by(30_011).map(f32::from_bits);
    let numbers: Vec<f32> = f16s.chain(bf16s).flat_map(around).chain(every).collect();
    let mut step = ToHalf::compile(&device, ToHalf::dims().n(numbers.len()), &Options::default())?;
    let (halves, briefs, slow_halves, slow_briefs) = step.run(&net, &numbers)?.output;
    for (i, &x) in numbers.iter().enumerate() {
        let (half, brief) = (f16::from_f32(x), bf16::from_f32(x));
        let halves = [halves[i], slow_halves[i]];
        assert!(
            halves.iter().all(|h| h.to_bits() == half.to_bits() || (h.is_nan() && x.is_nan())),
            "{x:e}: {halves:?}"
        );
        let briefs = [briefs[i], slow_briefs[i]];
        assert!(
            briefs.iter().all(|b| b.to_bits() == brief.to_bits() || (b.is_nan() && x.is_nan())),
            "{x:e}: {briefs:?}"
        );
    }
    Ok(())
}
