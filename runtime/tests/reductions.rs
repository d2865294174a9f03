//! Reductions, running sums, picking and scattering in the language, against numbers worked out by hand.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Matrix(x: f32<N>) -> f32<N> {
        #[param]
        let w: f32<2, 4> = zeros();
        x * w.sum()
    }

    pub step Extremes() -> (f32<2>, f32, f32<2>, u32<2>, f32<2, 1>, u32<2, 1>, u32, u32<4>, u32<1, 1>) {
        let net = Matrix();
        let w = net.w;
        let (low, at) = w.min(1);
        let (high, top) = w.max(axis = -1, keepdim = true);
        (w.amin(1), w.amax([0, 1]), low, at, high, top, w.argmin(), w.argmin(0), w.argmax(keepdim = true))
    }

    pub step Moments() -> (f32<2>, f32<2>, f32, f32<2, 1>, f32, f32<2>) {
        let net = Matrix();
        let w = net.w;
        let biased = w.var(1, correction = 0);
        (w.var(1), biased, w.var(), w.var(-1, 1, true), w.logsumexp([0, 1]), w.logsumexp(1))
    }

    pub step Sums() -> (f32<2, 4>, f32<2, 4>, u32<2, 4>, bool<2>, bool<2>, bool, bool<1, 4>) {
        let net = Matrix();
        let (w, positive) = (net.w, net.w > 0.0);
        let all = positive.all(0, keepdim = true);
        (w.cumsum(1), w.cumsum(-2), positive.cumsum(1), positive.any(1), positive.all(1), (w > 4.0).any(), all)
    }

    pub step Ordered() -> (f32<2, 2>, u32<2, 2>, f32<2, 3>, u32<2, 3>, f32<1, 4>, u32<1, 4>) {
        let net = Matrix();
        let (a, b) = net.w.topk(2);
        let (c, d) = net.w.topk(3, axis = -1, largest = false);
        let (e, f) = net.w.topk(1, 0, sorted = false);
        (a, b, c, d, e, f)
    }

    pub step Picked(i: u32<dyn B>, j: u32<2, dyn K>, src: f32<2, K>) -> (f32<2, B>, f32<2, K, 4>, f32<2, 4>, f32<B, 3>) {
        let net = Matrix();
        let w = net.w;
        let hot = i.one_hot(3).cast(f32);
        (w.index_select(1, i), w.index_select(0, j), w.scatter_add(1, j, src), hot)
    }

    pub step Shared(lr: f32) {
        let net = Matrix();
        let loss = net.w.amax(1).sum() + 3.0 * net.w.amin();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    pub step First(lr: f32) {
        let net = Matrix();
        let (high, at) = net.w.max(1);
        let (low, _) = net.w.min(0);
        let loss = high.sum() + 10.0 * low.sum() + 0 * at.cast(f32).sum();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    pub step Smooth(lr: f32) {
        let net = Matrix();
        let loss = (net.w.logsumexp(1)).amax(0) + 0 * net.w.amin();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    pub step Spread(lr: f32) {
        let net = Matrix();
        let steps = arange(4).cast(f32);
        let loss = net.w.var(1).sum() + (net.w.cumsum(1) * steps).sum();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    pub step Best(lr: f32) {
        let net = Matrix();
        let (values, _) = net.w.topk(2);
        let loss = (values * (arange(2).cast(f32) + 1.0)).sum();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    pub step Scattered(index: u32<2, dyn K>, scale: f32<2, 4>, lr: f32) {
        let net = Matrix();
        let picked = net.w.gather(1, index);
        let loss = (net.w.scatter_add(1, index, 2.0 * picked) * scale).sum();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }
}

/// A model with these numbers.
fn matrix(w: [f32; 8]) -> Result<Matrix, Error> {
    let mut net = Matrix::new(&Device::cpu(), Seed(0))?;
    net.set("w", &w)?;
    Ok(net)
}

const W: [f32; 8] = [3.0, 1.0, 2.0, 1.0, -1.0, 5.0, -1.0, 0.0];

fn close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (&found, &expected) in found.iter().zip(expected) {
        let same = f64::from(found) == expected || (f64::from(found) - expected).abs() < 1e-6 * (1.0 + expected.abs());
        assert!(same, "{found} is not {expected}");
    }
}

#[test]
fn extremes_and_where_the_first_of_them_stand() -> Result<(), Error> {
    let mut step = Extremes::compile(&Device::cpu(), Extremes::dims(), &Options::default())?;
    let out = step.run(&matrix(W)?)?.output;
    assert_eq!((out.0.to_vec(), out.1), (vec![1.0, -1.0], 5.0));
    assert_eq!((out.2.to_vec(), out.3.to_vec()), (vec![1.0, -1.0], vec![1, 0]));
    assert_eq!((out.4.to_vec(), out.5.to_vec()), (vec![3.0, 5.0], vec![0, 1]));
    assert_eq!((out.6, out.7.to_vec(), out.8.to_vec()), (4, vec![1, 0, 1, 1], vec![5]));
    Ok(())
}

#[test]
fn moments_and_logarithms_of_sums() -> Result<(), Error> {
    let mut step = Moments::compile(&Device::cpu(), Moments::dims(), &Options::default())?;
    let out = step.run(&matrix(W)?)?.output;
    // The rows have means 1.75 and 0.75, and squares of 2.75 and 24.75 around them; all have the mean 1.25.
    close(&out.0, &[2.75 / 3.0, 24.75 / 3.0]);
    close(&out.1, &[2.75 / 4.0, 24.75 / 4.0]);
    close(&[out.2], &[(2.75 + 24.75 + 8.0 * 0.25) / 7.0]);
    close(&out.3, &[2.75 / 3.0, 24.75 / 3.0]);
    let exps = |row: &[f32]| row.iter().map(|&x| f64::from(x).exp()).sum::<f64>();
    close(&[out.4], &[exps(&W).ln()]);
    close(&out.5, &[exps(&W[..4]).ln(), exps(&W[4..]).ln()]);
    // A row of minus infinities sums up to nothing, large numbers do not overflow.
    let (low, high) = (f32::NEG_INFINITY, f32::INFINITY);
    let out = step.run(&matrix([low, low, low, low, 1000.0, 1000.0, low, low])?)?.output;
    close(&out.5, &[f64::NEG_INFINITY, 1000.0 + 2f64.ln()]);
    let out = step.run(&matrix([low, high, 0.0, 0.0, low, low, low, 3.0])?)?.output;
    close(&out.5, &[f64::INFINITY, 3.0]);
    Ok(())
}

#[test]
fn running_sums_and_truths() -> Result<(), Error> {
    let mut step = Sums::compile(&Device::cpu(), Sums::dims(), &Options::default())?;
    let out = step.run(&matrix(W)?)?.output;
    assert_eq!(out.0.to_vec(), [3.0, 4.0, 6.0, 7.0, -1.0, 4.0, 3.0, 3.0]);
    assert_eq!(out.1.to_vec(), [3.0, 1.0, 2.0, 1.0, 2.0, 6.0, 1.0, 1.0]);
    assert_eq!(out.2.to_vec(), [1, 2, 3, 4, 0, 1, 1, 1]);
    assert_eq!((out.3.to_vec(), out.4.to_vec(), out.5), (vec![true, true], vec![true, false], true));
    assert_eq!(out.6.to_vec(), [false, true, false, false]);
    Ok(())
}

#[test]
fn the_first_k_in_order_with_equals_and_infinities() -> Result<(), Error> {
    let mut step = Ordered::compile(&Device::cpu(), Ordered::dims(), &Options::default())?;
    let out = step.run(&matrix(W)?)?.output;
    assert_eq!((out.0.to_vec(), out.1.to_vec()), (vec![3.0, 2.0, 5.0, 0.0], vec![0, 2, 1, 3]));
    assert_eq!((out.2.to_vec(), out.3.to_vec()), (vec![1.0, 1.0, 2.0, -1.0, -1.0, 0.0], vec![1, 3, 2, 0, 2, 3]));
    assert_eq!((out.4.to_vec(), out.5.to_vec()), (vec![3.0, 5.0, 2.0, 1.0], vec![0, 1, 0, 0]));
    let (low, high, nan) = (f32::NEG_INFINITY, f32::INFINITY, f32::NAN);
    let out = step.run(&matrix([low, low, low, low, high, nan, high, low])?)?.output;
    // Equals keep their order, and NaN is above infinity.
    assert_eq!(out.1.to_vec(), [0, 1, 1, 0]);
    assert!(out.0[2].is_nan() && out.0[3] == high && out.0[0] == low);
    assert_eq!(out.3.to_vec(), [0, 1, 2, 3, 0, 2]);
    let out = step.run(&matrix([nan, high, nan, high, nan, nan, nan, nan])?)?.output;
    assert_eq!((out.1.to_vec(), out.3.to_vec()), (vec![0, 2, 0, 1], vec![1, 3, 0, 0, 1, 2]));
    Ok(())
}

#[test]
fn slices_and_elements_are_picked_and_added() -> Result<(), Error> {
    let mut step = Picked::compile(&Device::cpu(), Picked::dims().b(3).k(2), &Options::default())?;
    let out = step.run(&matrix(W)?, &[2, 0, 2], &[1, 0, 1, 1], &[10.0, 20.0, 30.0, 40.0])?.output;
    assert_eq!(out.0.to_vec(), [2.0, 3.0, 2.0, -1.0, -1.0, -1.0]);
    assert_eq!(out.1.shape(), [2, 2, 4]);
    assert_eq!(out.1.to_vec(), [&W[4..], &W[..4], &W[4..], &W[4..]].concat());
    assert_eq!(out.2.to_vec(), [23.0, 11.0, 2.0, 1.0, -1.0, 75.0, -1.0, 0.0]);
    assert_eq!(out.3.to_vec(), [0., 0., 1., 1., 0., 0., 0., 0., 1.]);
    Ok(())
}

/// The gradient of `w` that one run of a step without inputs finds.
macro_rules! gradient {
    ($step:ident, $w:expr) => {{
        let options = Options { keep_gradients: true, ..Options::default() };
        let mut step = $step::compile(&Device::cpu(), $step::dims(), &options)?;
        step.run(&mut matrix($w)?, 0.1)?;
        step.gradient("w")?.to_vec()
    }};
}

#[test]
fn equals_share_a_gradient_over_axes_and_the_first_gets_it_along_one() -> Result<(), Error> {
    let w = [3.0, 1.0, 3.0, -1.0, -1.0, 5.0, -1.0, 0.0];
    close(&gradient!(Shared, w), &[0.5, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.0]);
    close(&gradient!(First, w), &[1.0, 10.0, 0.0, 10.0, 10.0, 1.0, 10.0, 0.0]);
    Ok(())
}

#[test]
fn gradients_of_moments_and_running_sums() -> Result<(), Error> {
    let mut expected = Vec::new();
    for (row, mean) in [(&W[..4], 1.75), (&W[4..], 0.75)] {
        // Position j is in the sums from j on, whose weights are their positions.
        for (x, later) in row.iter().zip([6.0, 6.0, 5.0, 3.0]) {
            expected.push(2.0 * (f64::from(*x) - mean) / 3.0 + later);
        }
    }
    close(&gradient!(Spread, W), &expected);
    // All of the gradient goes to one row; the other is minus infinity and not NaN.
    let low = f32::NEG_INFINITY;
    let found = gradient!(Smooth, [low, low, low, low, 0.0, 0.0, low, 0.0]);
    let third = 1.0 / 3.0;
    close(&found, &[0.0, 0.0, 0.0, 0.0, third, third, 0.0, third]);
    Ok(())
}

#[test]
fn gradients_go_where_the_largest_stand_and_where_an_index_says() -> Result<(), Error> {
    close(&gradient!(Best, W), &[1.0, 0.0, 2.0, 0.0, 0.0, 1.0, 0.0, 2.0]);
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut step = Scattered::compile(&Device::cpu(), Scattered::dims().k(3), &options)?;
    let scale = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    step.run(&mut matrix(W)?, &[1, 1, 0, 3, 2, 3], &scale, 0.1)?;
    // w + 2 * how often it is picked * w, times the scale.
    let counts = [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0];
    let expected: Vec<f64> = scale.iter().zip(counts).map(|(&s, count)| f64::from(s) * (1.0 + 2.0 * count)).collect();
    close(&step.gradient("w")?, &expected);
    Ok(())
}
