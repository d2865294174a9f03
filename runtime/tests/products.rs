//! Matrix products of all ranks and sums of products by equation, each against sums over single elements.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Weights(x: f32<N, 4>) -> f32<N, 4> {
        #[param]
        let w: f32<3, 4, 5> = normal(1.0);
        x + 0 * w.sum()
    }

    pub step Ranks(v: f32<dyn K>, m: f32<dyn I, K>, n: f32<K, dyn J>, b: f32<dyn B, I, K>, c: f32<2, 1, K, J>)
        -> (f32, f32<I>, f32<J>, f32<I, J>, f32<B, I, J>, f32<B, I>, f32<2, 1, J>, f32<2, B, I, J>)
    {
        let net = Weights();
        (
            v.matmul(v) + 0 * net.w.sum(),
            m.matmul(v),
            v.matmul(n),
            m.matmul(n),
            b.matmul(n),
            b.matmul(v),
            v.matmul(c),
            b.matmul(c),
        )
    }

    pub step Broadcast(a: f32<dyn B, 1, 3, dyn K>, b: f32<4, K, 2>, c: f32<1, 1, K, 2>, d: f32<B, 4, K, 2>)
        -> (f32<B, 4, 3, 2>, f32<B, 1, 3, 2>, f32<B, 4, 3, 2>)
    {
        let net = Weights();
        (a.matmul(b) + 0 * net.w.sum(), a.matmul(c), a.matmul(d))
    }

    pub step Equations(x: f32<dyn B, dyn T, 4>, y: f32<B, T, 4>, s: f32<T, T>, r: f32<4>)
        -> (f32<B, T, T>, f32<4, B>, f32<T>, f32, f32<B, 5>, f32<T, B, T, 4>, f32<B, T>)
    {
        let net = Weights();
        (
            einsum("bid,bjd->bij", x, y),
            einsum("btd->db", x),
            einsum("tt -> t", s),
            einsum("ii", s),
            einsum("btd, btd, cde, e -> be", x, y, net.w, net.w.at(0, 0).at(0, 1)),
            einsum("bid,ij->jbid", x, s),
            einsum("btd,d", x, r),
        )
    }

    pub step Known(x: f32<2, 3>, y: f32<3, 40>, z: f32<40, 2>) -> (f32<2, 2>, f32<2, 3, 40>) {
        let net = Weights();
        (einsum("ab,bc,cd->da", [x, y, z]) + 0 * net.w.sum(), einsum("ab,bc->abc", x, y))
    }

    pub step Train(x: f32<dyn B, 3, 4>, y: f32<B, 1, 5>) {
        let net = Weights();
        let product = einsum("bcd,cde,bfe->bc", x, net.w, y);
        let again = x.unsqueeze(2).matmul(net.w).matmul(y.transpose(1, 2).unsqueeze(1));
        let loss = product.sum() + 2 * again.sum();
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss, difference = (product - again.reshape([B, 3])).abs().amax());
    }
}

/// Numbers between -1 and 1 that look random.
fn fill(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + seed * 104_729 + 13) % 199) as f32 / 99.0 - 1.0).collect()
}

fn assert_close(found: &[f32], expected: &[f64], name: &str) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(found) - expected).abs() < 1e-5 * (1.0 + expected.abs()),
            "{name} at {i}: {found} for {expected}"
        );
    }
}

/// The elements over a rectangle of points.
fn over<const AXES: usize>(extents: [usize; AXES], element: impl Fn([usize; AXES]) -> f64) -> Vec<f64> {
    let point = |flat: usize| {
        let (mut rest, mut point) = (flat, [0; AXES]);
        for axis in (0..AXES).rev() {
            point[axis] = rest % extents[axis];
            rest /= extents[axis];
        }
        point
    };
    (0..extents.iter().product()).map(|flat| element(point(flat))).collect()
}

fn sum(count: usize, term: impl Fn(usize) -> f32) -> f64 {
    (0..count).map(|i| f64::from(term(i))).sum()
}

#[test]
fn vectors_matrices_and_batches() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Weights::new(&device, Seed(0))?;
    for [b, i, j, k] in [[1, 1, 1, 1], [3, 5, 2, 7], [2, 4, 9, 33], [3, 2, 5, 0]] {
        let mut step = Ranks::compile(&device, Ranks::dims().b(b).i(i).j(j).k(k), &Options::default())?;
        let (v, m, n) = (fill(k, 1), fill(i * k, 2), fill(k * j, 3));
        let (s, c) = (fill(b * i * k, 4), fill(2 * k * j, 5));
        let out = step.run(&net, &v, &m, &n, &s, &c)?.output;
        assert_close(&[out.0], &[sum(k, |p| v[p] * v[p])], "v v");
        assert_close(&out.1, &over([i], |[x]| sum(k, |p| m[x * k + p] * v[p])), "m v");
        assert_close(&out.2, &over([j], |[y]| sum(k, |p| v[p] * n[p * j + y])), "v n");
        assert_close(&out.3, &over([i, j], |[x, y]| sum(k, |p| m[x * k + p] * n[p * j + y])), "m n");
        let row = |z: usize, x: usize, p: usize| s[(z * i + x) * k + p];
        assert_close(&out.4, &over([b, i, j], |[z, x, y]| sum(k, |p| row(z, x, p) * n[p * j + y])), "b n");
        assert_close(&out.5, &over([b, i], |[z, x]| sum(k, |p| row(z, x, p) * v[p])), "b v");
        assert_close(&out.6, &over([2, 1, j], |[q, _, y]| sum(k, |p| v[p] * c[(q * k + p) * j + y])), "v c");
        let both = |[q, z, x, y]: [usize; 4]| sum(k, |p| row(z, x, p) * c[(q * k + p) * j + y]);
        assert_close(&out.7, &over([2, b, i, j], both), "b c");
    }
    Ok(())
}

#[test]
fn axes_of_extent_1_in_front_of_matrices_are_broadcast() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Weights::new(&device, Seed(0))?;
    for [b, k] in [[1, 1], [3, 5], [2, 16]] {
        let mut step = Broadcast::compile(&device, Broadcast::dims().b(b).k(k), &Options::default())?;
        let (x, y, z, u) = (fill(b * 3 * k, 1), fill(4 * k * 2, 2), fill(k * 2, 3), fill(b * 4 * k * 2, 4));
        let out = step.run(&net, &x, &y, &z, &u)?.output;
        let left = |n: usize, i: usize, p: usize| x[(n * 3 + i) * k + p];
        let first = |[n, q, i, j]: [usize; 4]| sum(k, |p| left(n, i, p) * y[(q * k + p) * 2 + j]);
        assert_close(&out.0, &over([b, 4, 3, 2], first), "a b");
        let second = |[n, _, i, j]: [usize; 4]| sum(k, |p| left(n, i, p) * z[p * 2 + j]);
        assert_close(&out.1, &over([b, 1, 3, 2], second), "a c");
        let third = |[n, q, i, j]: [usize; 4]| sum(k, |p| left(n, i, p) * u[((n * 4 + q) * k + p) * 2 + j]);
        assert_close(&out.2, &over([b, 4, 3, 2], third), "a d");
    }
    Ok(())
}

#[test]
fn equations_of_one_two_and_more_tensors() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Weights::new(&device, Seed(7))?;
    let w = net.get("w")?.to_vec();
    for [b, t] in [[1, 1], [2, 3], [3, 8]] {
        let mut step = Equations::compile(&device, Equations::dims().b(b).t(t), &Options::default())?;
        let (x, y, s, r) = (fill(b * t * 4, 1), fill(b * t * 4, 2), fill(t * t, 3), fill(4, 4));
        let out = step.run(&net, &x, &y, &s, &r)?.output;
        let at = |n: usize, i: usize, d: usize| x[(n * t + i) * 4 + d];
        let other = |n: usize, i: usize, d: usize| y[(n * t + i) * 4 + d];
        assert_close(&out.0, &over([b, t, t], |[n, i, j]| sum(4, |d| at(n, i, d) * other(n, j, d))), "scores");
        assert_close(&out.1, &over([4, b], |[d, n]| sum(t, |i| at(n, i, d))), "summed");
        assert_close(&out.2, &over([t], |[i]| f64::from(s[i * t + i])), "diagonal");
        assert_close(&[out.3], &[sum(t, |i| s[i * t + i])], "trace");
        let four = |[n, e]: [usize; 2]| {
            let term =
                |f: usize| at(n, f / 12, f / 3 % 4) * other(n, f / 12, f / 3 % 4) * w[(f % 3 * 4 + f / 3 % 4) * 5 + e];
            sum(t * 12, term) * f64::from(w[5 + e])
        };
        assert_close(&out.4, &over([b, 5], four), "four tensors");
        assert_close(&out.5, &over([t, b, t, 4], |[j, n, i, d]| f64::from(at(n, i, d) * s[i * t + j])), "outer");
        assert_close(&out.6, &over([b, t], |[n, i]| sum(4, |d| at(n, i, d) * r[d])), "implicit");
    }
    Ok(())
}

#[test]
fn chains_of_known_extents_and_lists_of_tensors() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Weights::new(&device, Seed(0))?;
    let mut step = Known::compile(&device, Known::dims(), &Options::default())?;
    let (x, y, z) = (fill(6, 1), fill(120, 2), fill(80, 3));
    let out = step.run(&net, &x, &y, &z)?.output;
    let chain = |[d, a]: [usize; 2]| sum(120, |f| x[a * 3 + f % 3] * y[f % 3 * 40 + f / 3] * z[f / 3 * 2 + d]);
    assert_close(&out.0, &over([2, 2], chain), "chain");
    assert_close(&out.1, &over([2, 3, 40], |[a, b, c]| f64::from(x[a * 3 + b] * y[b * 40 + c])), "no sum");
    Ok(())
}

#[test]
fn gradients_of_products() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Weights::new(&device, Seed(3))?;
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut step = Train::compile(&device, Train::dims().b(2), &options)?;
    let (x, y) = (fill(24, 1), fill(10, 2));
    let out = step.run(&mut net, &x, &y)?;
    assert!(out.difference < 1e-5, "{}", out.difference);
    let expected = over([3, 4, 5], |[c, d, e]| 3.0 * sum(2, |n| x[(n * 3 + c) * 4 + d] * y[n * 5 + e]));
    assert_close(&step.gradient("w")?, &expected, "w");
    Ok(())
}
