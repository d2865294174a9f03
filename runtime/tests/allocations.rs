//! No step allocates after its first run: not by one graph, and not by models with all that `model!` generates.

#[path = "cuda/device.rs"]
mod cuda;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tapeless::generated::{Elements, StoreArgument};
use tapeless::{Device, Error, Fusion, Options, Seed, Step, Store, model};

model! {
    pub model Tiny(x: f32<N, 10>) -> f32<N, 1> {
        let fc1 = Linear(20);
        let fc2 = Linear(1);
        x.fc1().relu().fc2()
    }

    pub step TrainTiny(x: f32<dyn B, 10>, y: f32<B, 1>, lr: f32) {
        let net = Tiny();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    pub model Mlp(x: f32<N, 784>) -> f32<N, 10> {
        let fc1 = Linear(512);
        let fc2 = Linear(256);
        let fc3 = Linear(10);
        x.fc1().relu().fc2().relu().fc3()
    }

    pub step TrainMlp(x: f32<dyn B, 784>, y: u32<B>, lr: f32) -> f32<B, 10> {
        let net = Mlp();
        let logits = net(x);
        let loss = cross_entropy(logits, y);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss, correct = logits.argmax(1).eq(y).sum());
        logits
    }

    pub model Normalized(x: f32<N, 20>) -> f32<N, 5> {
        let fc1 = Linear(32);
        let bn1 = BatchNorm1d();
        let drop = Dropout(0.5);
        let fc2 = Linear(5);
        x.fc1().bn1().relu().drop().fc2()
    }

    pub step TrainNormalized(x: f32<dyn B, 20>, y: f32<B, 5>, lr: f32) {
        let net = Normalized();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Adam(lr), clip_norm = 1.0);
        metric(loss);
    }

    pub model Recurrent(x: f32<T, N, 12>) -> f32<N, 3> {
        let lstm = Lstm(20, bidirectional = true);
        let gru = Gru(8);
        let head = Linear(3);
        let (y, _) = x.lstm();
        let (_, h) = y.gru();
        h.at(0, 0).head()
    }

    pub step TrainRecurrent(x: f32<dyn T, dyn B, 12>, y: f32<B, 3>, lr: f32) {
        let net = Recurrent();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }

    pub step TestNormalized(x: f32<dyn B, 20>) -> f32<B, 5> {
        let net = Normalized();
        net(x)
    }
}

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting what each thread asks for.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn line(device: &Device) -> Store {
    Store::new(include_str!("texts/line.model"), device, Seed(0)).expect("the text is a description")
}

fn train_line(device: &Device) -> Step {
    let options = Options { keep_gradients: true, ..Options::default() };
    Step::compile(include_str!("texts/train_line.graph"), device, &[], &options).expect("the step compiles")
}

fn run(step: &mut Step, store: &mut Store) {
    let inputs = &[Elements::from(&2.0f32), Elements::from(&4.0f32), Elements::from(&0.1f32)];
    step.run(&mut [StoreArgument::Exclusive(store)], inputs).expect("the inputs fit");
}

#[test]
fn runs_after_the_first_allocate_nothing() {
    let device = Device::cpu();
    let (mut store, mut step) = (line(&device), train_line(&device));
    assert!(COUNT.get() > 0, "compiling allocates, so the counter counts");
    run(&mut step, &mut store);
    let first = COUNT.get();
    let mut sum = 0.0;
    for _ in 0..100 {
        run(&mut step, &mut store);
        sum += step.scalar::<f32>(0) + step.view::<f32>(1)[0];
    }
    assert_eq!(COUNT.get() - first, 0, "allocations in 100 runs");
    assert!(sum > 0.0);
}

/// Fails unless a run allocates nothing from the second time on.
fn check_allocations(what: &str, options: &Options, mut run: impl FnMut() -> Result<f32, Error>) -> Result<(), Error> {
    let before = COUNT.get();
    assert!(run()?.is_finite());
    let first = COUNT.get();
    for _ in 0..10 {
        assert!(run()?.is_finite());
    }
    let count = COUNT.get() - first;
    assert_eq!(count, 0, "allocations in 10 runs of {what} after {} in the first, {options:?}", first - before);
    Ok(())
}

/// Fused and unfused, plain, with gradients that are kept, and with times that are measured.
fn all_options() -> impl Iterator<Item = Options> {
    let kept = Options { keep_gradients: true, ..Options::default() };
    let timed = Options { profile: true, ..Options::default() };
    let fusions = [Fusion::default(), Fusion::none()];
    fusions
        .into_iter()
        .flat_map(move |fusion| [Options::default(), kept, timed].map(|options| Options { fusion, ..options }))
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7919 % 2003) as f32 / 1001.5 - 1.0).collect()
}

#[test]
fn a_tiny_step_allocates_nothing() -> Result<(), Error> {
    let (device, x, y) = (Device::cpu(), numbers(32 * 10), numbers(32));
    for options in all_options() {
        let mut net = Tiny::new(&device, Seed(0))?;
        let mut step = TrainTiny::compile(&device, TrainTiny::dims().b(32), &options)?;
        check_allocations("tiny", &options, || Ok(step.run(&mut net, &x, &y, 0.01)?.loss))?;
    }
    Ok(())
}

#[test]
fn an_mlp_with_adam_allocates_nothing() -> Result<(), Error> {
    let (device, x) = (Device::cpu(), numbers(64 * 784));
    let y: Vec<u32> = (0..64).map(|i| i * 7 % 10).collect();
    for options in all_options() {
        let mut net = Mlp::new(&device, Seed(0))?;
        let mut step = TrainMlp::compile(&device, TrainMlp::dims().b(64), &options)?;
        check_allocations("mlp", &options, || {
            let out = step.run(&mut net, &x, &y, 1e-4)?;
            Ok(out.loss + out.correct as f32 + out.output[0])
        })?;
    }
    Ok(())
}

#[test]
fn dropout_batch_norm_and_clipping_allocate_nothing() -> Result<(), Error> {
    let (device, x, y) = (Device::cpu(), numbers(24 * 20), numbers(24 * 5));
    for options in all_options() {
        let mut net = Normalized::new(&device, Seed(0))?;
        let mut train = TrainNormalized::compile(&device, TrainNormalized::dims().b(24), &options)?;
        let mut test = TestNormalized::compile(&device, TestNormalized::dims().b(24), &options)?;
        check_allocations("training", &options, || Ok(train.run(&mut net, &x, &y, 0.01)?.loss))?;
        check_allocations("evaluation", &options, || Ok(test.run(&net, &x)?.output[0]))?;
        check_allocations("both in turns", &options, || {
            Ok(train.run(&mut net, &x, &y, 0.01)?.loss + test.run(&net, &x)?.output[0])
        })?;
    }
    Ok(())
}

#[test]
fn turns_of_recurrent_layers_allocate_nothing() -> Result<(), Error> {
    let (device, x, y) = (Device::cpu(), numbers(9 * 4 * 12), numbers(4 * 3));
    for options in all_options() {
        let mut net = Recurrent::new(&device, Seed(0))?;
        let mut step = TrainRecurrent::compile(&device, TrainRecurrent::dims().t(9).b(4), &options)?;
        check_allocations("recurrent", &options, || Ok(step.run(&mut net, &x, &y, 0.01)?.loss))?;
    }
    Ok(())
}

#[test]
fn cuda_runs_allocate_nothing() -> Result<(), Error> {
    let Some(device) = cuda::device() else { return Ok(()) };
    let (x, y) = (numbers(6 * 10), numbers(6));
    for options in all_options() {
        let mut net = Tiny::new(&device, Seed(0))?;
        let mut step = TrainTiny::compile(&device, TrainTiny::dims().b(6), &options)?;
        check_allocations("tiny", &options, || Ok(step.run(&mut net, &x, &y, 0.01)?.loss))?;
    }
    Ok(())
}
