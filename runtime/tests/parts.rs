//! Functions that cut, join, turn and make tensors, each through the language and against numbers worked out by hand.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Scale(x: f32<N>) -> f32<N> {
        #[param]
        let w: f32<3> = ones();
        x * w.sum()
    }

    pub step Cut(x: f32<dyn B, dyn T, 4>) -> (f32<B, {T - 1}, 4>, f32<B, T, 2>, f32<B, {T / 2}, 4>, f32<B, T, 2>, f32<B, T>, f32<B, 4>) {
        let net = Scale();
        let none = 0 * net.w.sum();
        (x.slice(1, 1..) + none, x.slice(2, -3..-1), x.slice(1, 0..T / 2), x.slice(-1, 1.., step = 2), x.at(2, -1), x.at(1, T - 1))
    }

    pub step Parts(x: f32<dyn B, 7>, y: f32<B, {2 * 3}>) -> (f32<B, 7>, f32<B, 2>, f32<B, 3>, f32<B, 5>, f32<B, 3, 2>, f32<{3 * B}, 2>, f32<B, 24>) {
        let net = Scale();
        let [a, b, c] = x.chunk(3, -1);
        let [d, e, f] = x.split([2, 1, 4], axis = 1);
        let [g, h] = x.split(5, 1);
        let [i, j, k] = y.split(2, 1);
        let mut many = [x.at(1, 0)];
        for n in 1..24 {
            many.push(x.at(1, n % 7) + n);
        }
        (
            cat([c, a, b], 1) + 0 * net.w.sum(),
            d,
            cat([e, h], 1),
            g,
            stack([i, j, k], 1),
            cat([k, i, j]),
            stack(many, -1),
        )
    }

    pub step Borders(x: f32<dyn B, 3, 4>) -> (f32<B, 6, 7>, f32<B, 3, 9>, f32<B, 5, 7>, f32<B, 3, 7>, f32<B, 3, 2>) {
        let net = Scale();
        (
            x.pad([1, 2, 3, 0], value = 9.5) + 0 * net.w.sum(),
            x.pad([3, 2], mode = reflect),
            x.pad([1, 2, 0, 2], mode = replicate),
            pad(x, [2, 1], circular),
            x.pad([-1, -1]),
        )
    }

    pub step Turns(x: f32<dyn B, 3, 4>) -> (f32<B, 3, 4>, f32<B, 3, 4>, f32<B, 3, 4>, f32<B, 3, 4>, f32<B, 3, 4>, f32<B, 6, 4>, f32<{24 * B}>) {
        let net = Scale();
        (
            x.flip([1, 2]) + 0 * net.w.sum(),
            x.roll([1, -5], [1, 2]),
            x.roll(2),
            x.tril(),
            x.triu(diagonal = 1),
            x.repeat_interleave(2, 1),
            x.repeat_interleave(2),
        )
    }

    pub step Positions(x: f32<dyn T>) -> (f32<T>, u32<3>, u32<3>, f32<T, T>, f32<2, 3>) {
        let net = Scale();
        (x * arange(T).cast(f32) + 0 * net.w.sum(), arange(1, 8, 3), arange(10, 0, -4), eye(T), eye(2, 3))
    }

    pub step Train(x: f32<dyn B, 3>) {
        let net = Scale();
        let w = net.w;
        // Every way in which the parameter is cut and joined, with weights that tell the ways apart.
        let cut = x * cat([w.slice(0, 1..), w.slice(0, ..1)]);
        let bordered = w.pad([1, 2]) * arange(6).cast(f32);
        let reflected = w.pad([2, 2], mode = reflect) * arange(7).cast(f32);
        let turned = w.flip(0) * arange(3).cast(f32) + w.roll(1) * arange(3, 6).cast(f32);
        let every = w.slice(0, .., step = 2) * arange(1, 3).cast(f32);
        let corner = (w.unsqueeze(0) * w.unsqueeze(1)).tril() * 0.5;
        let loss = cut.sum() + bordered.sum() + reflected.sum() + turned.sum() + every.sum() + corner.sum();
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }
}

fn row(count: usize) -> Vec<f32> {
    (0..count).map(|i| i as f32 + 1.0).collect()
}

/// The elements that a function of positions gives over a rectangle.
fn over(shape: &[usize], element: impl Fn(&[usize]) -> f32) -> Vec<f32> {
    let mut elements = Vec::new();
    for flat in 0..shape.iter().product() {
        let mut rest: usize = flat;
        let mut point = vec![0; shape.len()];
        for (axis, &extent) in shape.iter().enumerate().rev() {
            point[axis] = rest % extent;
            rest /= extent;
        }
        elements.push(element(&point));
    }
    elements
}

#[test]
fn slices_and_single_positions() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Scale::new(&device, Seed(0))?;
    for (b, t) in [(1, 1), (2, 5), (3, 16), (0, 4)] {
        let mut step = Cut::compile(&device, Cut::dims().b(b).t(t), &Options::default())?;
        let x = row(b * t * 4);
        let at = |i: usize, j: usize, k: usize| x[(i * t + j) * 4 + k];
        let out = step.run(&net, &x)?.output;
        assert_eq!(out.0.to_vec(), over(&[b, t - 1, 4], |p| at(p[0], p[1] + 1, p[2])));
        assert_eq!(out.1.to_vec(), over(&[b, t, 2], |p| at(p[0], p[1], p[2] + 1)));
        assert_eq!(out.2.to_vec(), over(&[b, t / 2, 4], |p| at(p[0], p[1], p[2])));
        assert_eq!(out.3.to_vec(), over(&[b, t, 2], |p| at(p[0], p[1], 2 * p[2] + 1)));
        assert_eq!(out.4.to_vec(), over(&[b, t], |p| at(p[0], p[1], 3)));
        assert_eq!(out.5.to_vec(), over(&[b, 4], |p| at(p[0], t - 1, p[1])));
    }
    Ok(())
}

#[test]
fn parts_and_what_is_joined_of_them() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Scale::new(&device, Seed(0))?;
    for b in [1, 3, 8] {
        let mut step = Parts::compile(&device, Parts::dims().b(b), &Options::default())?;
        let (x, y) = (row(b * 7), row(b * 6));
        let out = step.run(&net, &x, &y)?.output;
        assert_eq!(out.0.to_vec(), over(&[b, 7], |p| x[p[0] * 7 + [6, 0, 1, 2, 3, 4, 5][p[1]]]));
        assert_eq!(out.1.to_vec(), over(&[b, 2], |p| x[p[0] * 7 + p[1]]));
        assert_eq!(out.2.to_vec(), over(&[b, 3], |p| x[p[0] * 7 + [2, 5, 6][p[1]]]));
        assert_eq!(out.3.to_vec(), over(&[b, 5], |p| x[p[0] * 7 + p[1]]));
        assert_eq!(out.4.to_vec(), y);
        assert_eq!(out.5.to_vec(), over(&[3, b, 2], |p| y[p[1] * 6 + [4, 0, 2][p[0]] + p[2]]));
        assert_eq!(out.6.to_vec(), over(&[b, 24], |p| x[p[0] * 7 + p[1] % 7] + p[1] as f32));
    }
    Ok(())
}

#[test]
fn borders_of_every_mode() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Scale::new(&device, Seed(0))?;
    for b in [1, 2] {
        let mut step = Borders::compile(&device, Borders::dims().b(b), &Options::default())?;
        let x = row(b * 12);
        let at = |i: usize, j: usize, k: usize| x[(i * 3 + j) * 4 + k];
        let out = step.run(&net, &x)?.output;
        let constant = |p: &[usize]| match (p[1].checked_sub(3), p[2].checked_sub(1)) {
            (Some(j), Some(k)) if k < 4 => at(p[0], j, k),
            _ => 9.5,
        };
        assert_eq!(out.0.to_vec(), over(&[b, 6, 7], constant));
        assert_eq!(out.1.to_vec(), over(&[b, 3, 9], |p| at(p[0], p[1], [3, 2, 1, 0, 1, 2, 3, 2, 1][p[2]])));
        assert_eq!(out.2.to_vec(), over(&[b, 5, 7], |p| at(p[0], p[1].min(2), [0, 0, 1, 2, 3, 3, 3][p[2]])));
        assert_eq!(out.3.to_vec(), over(&[b, 3, 7], |p| at(p[0], p[1], [2, 3, 0, 1, 2, 3, 0][p[2]])));
        assert_eq!(out.4.to_vec(), over(&[b, 3, 2], |p| at(p[0], p[1], p[2] + 1)));
    }
    Ok(())
}

#[test]
fn turns_triangles_and_repetitions() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Scale::new(&device, Seed(0))?;
    for b in [1, 5] {
        let mut step = Turns::compile(&device, Turns::dims().b(b), &Options::default())?;
        let x = row(b * 12);
        let at = |i: usize, j: usize, k: usize| x[(i * 3 + j) * 4 + k];
        let out = step.run(&net, &x)?.output;
        let shape = [b, 3, 4];
        assert_eq!(out.0.to_vec(), over(&shape, |p| at(p[0], 2 - p[1], 3 - p[2])));
        assert_eq!(out.1.to_vec(), over(&shape, |p| at(p[0], (p[1] + 2) % 3, (p[2] + 1) % 4)));
        let flat = |p: &[usize]| (p[0] * 3 + p[1]) * 4 + p[2];
        assert_eq!(out.2.to_vec(), over(&shape, |p| x[(flat(p) + b * 12 - 2) % (b * 12)]));
        assert_eq!(out.3.to_vec(), over(&shape, |p| if p[2] <= p[1] { at(p[0], p[1], p[2]) } else { 0.0 }));
        assert_eq!(out.4.to_vec(), over(&shape, |p| if p[2] > p[1] { at(p[0], p[1], p[2]) } else { 0.0 }));
        assert_eq!(out.5.to_vec(), over(&[b, 6, 4], |p| at(p[0], p[1] / 2, p[2])));
        assert_eq!(out.6.to_vec(), over(&[24 * b], |p| x[p[0] / 2]));
    }
    Ok(())
}

#[test]
fn positions_and_unit_matrices() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Scale::new(&device, Seed(0))?;
    for t in [1, 5, 9] {
        let mut step = Positions::compile(&device, Positions::dims().t(t), &Options::default())?;
        let x = row(t);
        let out = step.run(&net, &x)?.output;
        assert_eq!(out.0.to_vec(), over(&[t], |p| x[p[0]] * p[0] as f32));
        assert_eq!(out.1.to_vec(), [1, 4, 7]);
        assert_eq!(out.2.to_vec(), [10, 6, 2]);
        assert_eq!(out.3.to_vec(), over(&[t, t], |p| f32::from(u8::from(p[0] == p[1]))));
        assert_eq!(out.4.to_vec(), [1., 0., 0., 0., 1., 0.]);
    }
    Ok(())
}

#[test]
fn gradients_come_back_through_parts() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Scale::new(&device, Seed(0))?;
    net.set("w", &[1.0, 2.0, 3.0])?;
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut step = Train::compile(&device, Train::dims().b(2), &options)?;
    let out = step.run(&mut net, &[1., 2., 3., 4., 5., 6.])?;
    // cut: (w1, w2, w0) with column sums 5, 7, 9. bordered: (0, w0, w1, w2, 0, 0) by 0 to 5. reflected: (w2, w1, w0, w1,
    // w2, w1, w0) by 0 to 6. turned: (w2, w1, w0) by 0, 1, 2 and (w2, w0, w1) by 3, 4, 5. every: w0 + 2 w2.
    // corner: half of w0² + w1² + w2² + w0 w1 + w0 w2 + w1 w2.
    let parts = [[9.0, 5.0, 7.0], [1.0, 2.0, 3.0], [8.0, 9.0, 4.0], [2.0 + 4.0, 1.0 + 5.0, 3.0], [1.0, 0.0, 2.0]];
    let corner = [0.5 * (2.0 + 5.0), 0.5 * (4.0 + 4.0), 0.5 * (6.0 + 3.0)];
    let linear = |i: usize| parts.iter().map(|part| part[i]).sum::<f32>();
    let w = [1.0, 2.0, 3.0];
    let loss = (0..3).map(|i| w[i] * linear(i)).sum::<f32>() + 0.5 * (1.0 + 4.0 + 9.0 + 2.0 + 3.0 + 6.0);
    assert_eq!(out.loss, loss);
    let gradient = step.gradient("w")?.to_vec();
    assert_eq!(gradient, [0, 1, 2].map(|i| linear(i) + corner[i]));
    Ok(())
}
