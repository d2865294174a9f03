//! Programs that use the language in ways that no golden does, each held against numbers worked out by hand.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    block Branch<const WIDTH: usize, const TWICE: bool = false>(x: f32<N, T, D>) -> f32<N, T, WIDTH> {
        let fc = Linear(WIDTH, bias = false);
        let y = fc(x);
        if TWICE { 2.0 * y } else { y }
    }

    pub model Sequence(x: f32<N, T, 3>) -> (f32<N, T, 2>, f32<N>) {
        let branch = Branch(2, TWICE = true);
        let y = x.branch();
        (y, y.mean([1, 2]))
    }

    pub step Apply(x: f32<dyn B, dyn T, 3>) -> (f32<B, T, 2>, f32<B>, bool<B>, u32) {
        let net = Sequence();
        let (y, m) = net(x);
        (y, m, m > 0.5, y.argmax(2).cast(bool).sum())
    }

    pub model Left(x: f32<N, 2>) -> f32<N, 2> {
        #[param]
        let w: f32<2> = ones();
        x * w
    }

    pub model Right(x: f32<N, 2>) -> f32<N, 2> {
        #[param]
        let v: f32<2> = constant(2.0);
        #[param]
        let unused: f32<2> = zeros();
        x + v
    }

    pub step Both(x: f32<dyn B, 2>, lr: f32) {
        let a = Left();
        let b = Right();
        let y = b(a(x));
        let z = a(y);
        let loss = z.sum() + 0.5 * b.v.pow(2).sum();
        minimize(loss, over = [a, b.v], with = Sgd(lr));
        metric(loss, largest = z.amax(), ids = z.argmax(1));
    }

    pub step Attend(q: f32<dyn B, dyn T, 4>, k: f32<B, dyn S, 4>, keep: bool<T, S>) -> f32<B, T, S> {
        let net = Left();
        let scores = q.matmul(k.transpose(1, 2)) / 2.0;
        select(keep, scores, -1e9).softmax(-1) + 0 * net.w.sum()
    }

    pub step Integers(a: i32<dyn N>, b: i32<N>, id: u32<N>) -> (i32<N>, bool<N>, f32<N, 3>, i32) {
        let net = Left();
        let c = a * b - 3;
        (c, c.ge(0).logical_and(a != b), id.one_hot(3, dtype = f32) + 0 * net.w.mean(), maximum(a, b).sum())
    }
}

#[test]
fn layers_take_any_axes_in_front_and_steps_give_tuples_of_every_type() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Sequence::new(&device, Seed(0))?;
    net.set("branch.fc.weight", &[1.0, 0.0, 0.0, 0.0, 1.0, 1.0])?;
    let mut step = Apply::compile(&device, Apply::dims().b(2).t(1), &Options::default())?;
    let out = step.run(&net, &[0.1, 0.2, 0.3, -1.0, 2.0, -3.0])?;
    let (y, mean, above, count) = out.output;
    let expected = [0.2f32, 1.0, -2.0, -2.0];
    assert!(y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{y:?}");
    assert_eq!(y.shape(), [2, 1, 2]);
    assert!((mean[0] - 0.6).abs() < 1e-6 && (mean[1] + 2.0).abs() < 1e-6, "{mean:?}");
    assert_eq!(above.to_vec(), [true, false]);
    assert_eq!(count, 1);
    Ok(())
}

#[test]
fn two_models_train_in_one_step_with_shared_weights_and_raw_parameters() -> Result<(), Error> {
    let device = Device::cpu();
    let (mut a, mut b) = (Left::new(&device, Seed(0))?, Right::new(&device, Seed(0))?);
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut step = Both::compile(&device, Both::dims().b(2), &options)?;
    let out = step.run(&mut a, &mut b, &[1.0, 2.0, 3.0, 4.0], 0.1)?;
    // z = w * (w * x + v): with w = 1 and v = 2, z = x + 2; the penalty adds 0.5 * (4 + 4).
    assert_eq!(out.loss, 3.0 + 4.0 + 5.0 + 6.0 + 4.0);
    assert_eq!(out.largest, 6.0);
    assert_eq!(out.ids.to_vec(), [1, 1]);
    // dz/dw = 2 w x + v, dz/dv = w; the penalty adds v.
    assert_eq!(step.gradient("a.w")?.to_vec(), [2.0 * 4.0 + 2.0 * 2.0, 2.0 * 6.0 + 2.0 * 2.0]);
    assert_eq!(step.gradient("b.v")?.to_vec(), [2.0 + 2.0, 2.0 + 2.0]);
    assert!(step.gradient("b.unused").is_err());
    assert!(a.get("w")?.iter().zip([1.0 - 1.2, 1.0 - 1.6]).all(|(w, e): (&f32, f32)| (w - e).abs() < 1e-6));
    assert!(b.get("v")?.iter().all(|v| (v - 1.6).abs() < 1e-6));
    Ok(())
}

#[test]
fn batched_products_masks_and_softmax_over_open_extents() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Left::new(&device, Seed(0))?;
    for (b, t, s) in [(1, 1, 1), (2, 3, 5), (3, 7, 2)] {
        let mut step = Attend::compile(&device, Attend::dims().b(b).t(t).s(s), &Options::default())?;
        let fill = |count: usize, k: usize| (0..count).map(|i| (i * k % 11) as f32 / 5.0 - 1.0).collect::<Vec<_>>();
        let (q, k) = (fill(b * t * 4, 7), fill(b * s * 4, 3));
        let keep: Vec<bool> = (0..t * s).map(|i| i % s <= i / s).collect();
        let out = step.run(&net, &q, &k, &keep)?.output;
        for row in 0..b * t {
            let (batch, at) = (row / t, row % t);
            let score = |j: usize| match keep[at * s + j] {
                true => {
                    (0..4).map(|d| f64::from(q[row * 4 + d]) * f64::from(k[(batch * s + j) * 4 + d])).sum::<f64>() / 2.0
                }
                false => -1e9,
            };
            let scores: Vec<f64> = (0..s).map(score).collect();
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|x| (x - top).exp()).sum();
            for (j, x) in scores.iter().enumerate() {
                let (found, exact) = (f64::from(out[row * s + j]), (x - top).exp() / total);
                assert!((found - exact).abs() < 1e-5, "{b} {t} {s}, row {row}, {j}: {found} for {exact}");
            }
        }
    }
    Ok(())
}

#[test]
fn integers_bools_and_one_hot() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Left::new(&device, Seed(0))?;
    let mut step = Integers::compile(&device, Integers::dims().n(5), &Options::default())?;
    let out = step.run(&net, &[1, -2, 3, 4, 0], &[3, 3, 3, -4, 0], &[0, 1, 2, 2, 0])?.output;
    assert_eq!(out.0.to_vec(), [0, -9, 6, -19, -3]);
    assert_eq!(out.1.to_vec(), [true, false, false, false, false]);
    assert_eq!(out.2.to_vec(), [1., 0., 0., 0., 1., 0., 0., 0., 1., 0., 0., 1., 1., 0., 0.]);
    assert_eq!(out.3, 3 + 3 + 3 + 4);
    Ok(())
}

#[test]
fn an_empty_batch_runs() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Sequence::new(&device, Seed(0))?;
    let mut step = Apply::compile(&device, Apply::dims().b(0).t(4), &Options::default())?;
    let out = step.run(&net, &[])?.output;
    assert_eq!((out.0.len(), out.1.len(), out.3), (0, 0, 0));
    Ok(())
}
