//! Random numbers of steps: what they are like, what they depend on, and what dropout makes of them.

use tapeless::{Device, Error, Fusion, Options, Seed, model};
use tapeless_compiler::random::{Key, stream};

model! {
    pub model Scale(x: f32<N>) -> f32<N> {
        #[param]
        let w: f32 = ones();
        w * x
    }

    /// Two streams of even numbers, normal ones, and choices.
    pub step Draw(x: f32<dyn N>) -> (f32<N>, f32<N>, f32<N>, f32<N>, f32<N>) {
        let net = Scale();
        let y = net(x);
        (rand([N]), rand([N]), randn([N]), bernoulli(0.3, [N]), y.bernoulli())
    }

    pub step Redraw(x: f32<dyn N>) -> f32<N> {
        let net = Scale();
        rand([N]) + 0 * net(x)
    }

    pub model Wide(x: f32<N, 37>) -> f32<N, 37> {
        #[param]
        let w: f32<37> = ones();
        let drop = Seq(Dropout(0.4), relu);
        let all = Dropout(1.0);
        let none = Dropout(p = 0.0);
        let kept = none(w * x).drop();
        kept + all(x)
    }

    pub step TrainWide(x: f32<dyn N, 37>) -> f32<N, 37> {
        let net = Wide();
        let y = net(x);
        let loss = (y * y).sum();
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
        y
    }

    #[train]
    pub step Sample(x: f32<dyn N, 37>) -> (f32<N, 37>, f32<N, 37>) {
        let net = Wide();
        #[eval]
        let off = Dropout(0.5);
        (net(x), off(x))
    }

    pub step Evaluate(x: f32<dyn N, 37>) -> (f32<N, 37>, f32<N, 37>, f32<N, 37>) {
        let net = Wide();
        #[train]
        let on = Dropout(0.5);
        (net(x), on(x), dropout(x, 0.5))
    }

    pub step Channels(x: f32<dyn N, 5, 3, 2>) -> f32<N, 5, 3, 2> {
        let net = Scale();
        #[train]
        let drop = Dropout2d(0.25);
        drop(x) + 0 * net.w
    }
}

const COUNT: usize = 100_000;

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    values.sum::<f64>() / COUNT as f64
}

#[test]
fn numbers_have_the_moments_of_their_distributions() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Scale::new(&device, Seed(11))?;
    let mut draw = Draw::compile(&device, Draw::dims().n(COUNT), &Options::default())?;
    let thirds: Vec<f32> = (0..COUNT).map(|i| (i % 3) as f32 / 2.0).collect();
    let (even, other, normal, chosen, by) = draw.run(&mut net, &thirds)?.output;
    // Four standard errors each: sqrt(variance of the power / COUNT) * 4.
    let close = |name: &str, found: f64, expected: f64, variance: f64| {
        let tolerance = 4.0 * (variance / COUNT as f64).sqrt();
        assert!((found - expected).abs() < tolerance, "{name}: {found} is not within {tolerance} of {expected}");
    };
    assert!(even.iter().all(|x| (0.0..1.0).contains(x)));
    for numbers in [&even, &other] {
        close("mean", mean(numbers.iter().map(|&x| x.into())), 0.5, 1.0 / 12.0);
        close("square", mean(numbers.iter().map(|&x| f64::from(x).powi(2))), 1.0 / 3.0, 4.0 / 45.0);
    }
    for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
        close("normal", mean(normal.iter().map(|&x| f64::from(x).powi(power))), expected, variance);
    }
    assert!(chosen.iter().chain(by.iter()).all(|&x| x == 0.0 || x == 1.0));
    close("bernoulli", mean(chosen.iter().map(|&x| x.into())), 0.3, 0.21);
    assert!(by.iter().zip(&thirds).all(|(x, p)| *p == 0.5 || x == p), "0 never happens, 1 always");
    close("bernoulli of a tensor", mean(by.iter().map(|&x| x.into())), 0.5, 0.25);
    // Streams are independent: the covariance of even numbers has the standard deviation 1 / (12 sqrt(COUNT)).
    let product = |a: f32, b: f32| (f64::from(a) - 0.5) * (f64::from(b) - 0.5);
    close("covariance", mean(even.iter().zip(other.iter()).map(|(&a, &b)| product(a, b))), 0.0, 1.0 / 144.0);
    close("covariance of neighbours", mean(even.windows(2).map(|x| product(x[0], x[1]))), 0.0, 1.0 / 144.0);
    Ok(())
}

#[test]
fn numbers_depend_on_seed_run_place_and_element_alone() -> Result<(), Error> {
    let device = Device::cpu();
    let seed = 0x1234_5678_9ABC_DEF0;
    let mut net = Scale::new(&device, Seed(seed))?;
    let expected = |step: &str, place: u32, run: u64, count: u64| -> Vec<f32> {
        let key = Key::new(seed).fold(stream(step, place) as u64).fold(run);
        (0..count).map(|element| key.uniform(element) as f32).collect()
    };
    // Two compiles of one step share the count of its runs; another step has its own.
    let mut small = Draw::compile(&device, Draw::dims().n(13), &Options::default())?;
    let unfused = Options { fusion: Fusion::none(), ..Options::default() };
    let mut large = Draw::compile(&device, Draw::dims().n(1000), &unfused)?;
    let mut other = Redraw::compile(&device, Redraw::dims().n(13), &Options::default())?;
    for run in [0, 2] {
        let out = small.run(&mut net, &[0.5; 13])?.output;
        assert_eq!((out.0.to_vec(), out.1.to_vec()), (expected("Draw", 0, run, 13), expected("Draw", 1, run, 13)));
        let out = large.run(&mut net, &vec![0.5; 1000])?.output;
        assert_eq!(out.0.to_vec(), expected("Draw", 0, run + 1, 1000));
        assert_eq!(other.run(&mut net, &[0.5; 13])?.output.to_vec(), expected("Redraw", 0, run / 2, 13));
    }
    let normal = Key::new(seed).fold(stream("Draw", 2) as u64).fold(4);
    let out = small.run(&mut net, &[0.5; 13])?.output;
    for (element, &x) in out.2.iter().enumerate() {
        let exact = normal.normal(element as u64);
        // Cosine and root are good to some 1e-6 of the largest number, which is below 6.
        assert!((f64::from(x) - exact).abs() < 1e-5, "{element}: {x} is not {exact}");
    }
    let mut fresh = Scale::new(&device, Seed(seed + 1))?;
    assert_ne!(small.run(&mut fresh, &[0.5; 13])?.output.0.to_vec(), expected("Draw", 0, 0, 13));
    let mut again = Scale::new(&device, Seed(seed))?;
    assert_eq!(small.run(&mut again, &[0.5; 13])?.output.0.to_vec(), expected("Draw", 0, 0, 13));
    Ok(())
}

#[test]
fn no_elements_take_no_numbers() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Scale::new(&device, Seed(0))?;
    let mut draw = Draw::compile(&device, Draw::dims().n(0), &Options::default())?;
    assert_eq!(draw.run(&mut net, &[])?.output.2.len(), 0);
    Ok(())
}

/// Output and gradient of a run, as bits.
fn trained(options: Options, seed: u64, runs: usize) -> Result<(Vec<u32>, Vec<u32>), Error> {
    let device = Device::cpu();
    let mut net = Wide::new(&device, Seed(seed))?;
    let mut train = TrainWide::compile(&device, TrainWide::dims().n(9), &Options { keep_gradients: true, ..options })?;
    let x = [0.5f32; 9 * 37];
    let mut output = Vec::new();
    for _ in 0..runs {
        output = train.run(&mut net, &x)?.output.iter().map(|x| x.to_bits()).collect();
    }
    Ok((output, train.gradient("w")?.iter().map(|x| x.to_bits()).collect()))
}

#[test]
fn dropout_is_the_same_fused_and_unfused_and_differs_between_runs_and_seeds() -> Result<(), Error> {
    let unfused = || Options { fusion: Fusion::none(), ..Options::default() };
    assert_eq!(trained(Options::default(), 3, 2)?, trained(unfused(), 3, 2)?);
    assert_eq!(trained(Options::default(), 3, 2)?, trained(Options::default(), 3, 2)?);
    assert_ne!(trained(Options::default(), 3, 1)?, trained(Options::default(), 3, 2)?);
    assert_ne!(trained(Options::default(), 3, 1)?, trained(Options::default(), 4, 1)?);
    Ok(())
}

#[test]
fn the_gradient_of_dropout_has_its_mask() -> Result<(), Error> {
    let (output, gradient) = trained(Options::default(), 3, 1)?;
    let output: Vec<f32> = output.into_iter().map(f32::from_bits).collect();
    let scale = 0.5 / 0.6f32;
    assert!(output.iter().all(|&y| y == 0.0 || (y - scale).abs() < 1e-6), "{output:?}");
    let dropped = output.iter().filter(|&&y| y == 0.0).count();
    // 333 draws at 0.4: 133 and four standard deviations, which are 9 each.
    assert!((97..170).contains(&dropped), "{dropped} of 333 are dropped");
    for (column, bits) in gradient.iter().enumerate() {
        // The derivative of y * y by w is 2 y * x / 0.6 where y is not dropped.
        let expected: f32 = (0..9).map(|row| 2.0 * output[row * 37 + column] * scale).sum();
        let found = f32::from_bits(*bits);
        assert!((found - expected).abs() < 1e-5, "column {column}: {found} is not {expected}");
    }
    Ok(())
}

#[test]
fn attributes_switch_dropout_on_and_off() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Wide::new(&device, Seed(5))?;
    let x: Vec<f32> = (1..=4 * 37).map(|i| i as f32).collect();
    let mut sample = Sample::compile(&device, Sample::dims().n(4), &Options::default())?;
    let out = sample.run(&mut net, &x)?.output;
    assert!(out.0.contains(&0.0), "a step that is told to train drops");
    assert_eq!(out.1.to_vec(), x, "a layer that is told to evaluate does not");
    let mut evaluate = Evaluate::compile(&device, Evaluate::dims().n(4), &Options::default())?;
    let out = evaluate.run(&mut net, &x)?.output;
    assert_eq!(out.0.to_vec(), x.iter().map(|x| 2.0 * x).collect::<Vec<_>>(), "an evaluation drops nothing");
    assert_eq!(out.2.to_vec(), x);
    assert!(out.1.iter().zip(&x).all(|(y, x)| *y == 0.0 || *y == 2.0 * x));
    let dropped = out.1.iter().filter(|&&y| y == 0.0).count();
    // 148 draws at a half: 74 and four standard deviations, which are 6 each.
    assert!((50..98).contains(&dropped), "{dropped} of 148 are dropped");
    Ok(())
}

#[test]
fn whole_channels_are_dropped() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Scale::new(&device, Seed(1))?;
    let mut step = Channels::compile(&device, Channels::dims().n(80), &Options::default())?;
    let out = step.run(&mut net, &vec![3.0; 80 * 5 * 6])?.output;
    let channels: Vec<f32> = out.chunks(6).map(|channel| channel[0]).collect();
    assert!(out.chunks(6).all(|channel| channel.iter().all(|x| *x == channel[0])));
    assert!(channels.iter().all(|&x| x == 0.0 || x == 4.0), "{channels:?}");
    let dropped = channels.iter().filter(|&&x| x == 0.0).count();
    // 400 draws at a quarter: 100 and four standard deviations, which are 8.7 each.
    assert!((65..136).contains(&dropped), "{dropped} of 400 channels are dropped");
    Ok(())
}
