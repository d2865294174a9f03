//! The options of `minimize`, on models so small that every number can be worked out by hand.

use tapeless::{Device, Error, Options, Seed, View, model};

model! {
    /// The gradient of `w` is the input, that of `b` is 1.
    pub model Pair(x: f32<2>) -> f32 {
        #[param]
        let w: f32<2> = ones();
        #[param]
        let b: f32 = zeros();
        (w * x).sum() + b
    }

    pub step Clip(g: f32<2>, limit: f32, most: f32) {
        let net = Pair();
        let loss = net(g);
        minimize(loss, over = net, with = Sgd(1.0), clip_norm = limit, clip_value = most);
    }

    pub step Accumulate(g: f32<2>, lr: f32) {
        let net = Pair();
        let loss = net(g);
        minimize(loss, over = net, with = Sgd(lr), accumulate = 3, ema = 0.5);
    }

    pub step Groups(g: f32<2>, lr: f32) {
        let net = Pair();
        let loss = net(g);
        minimize(
            loss,
            over = [net.b, net.w],
            with = Sgd(lr, weight_decay = 0.5),
            groups = [("*", weight_decay = 0.0), ("b", lr = 0.5 * lr, weight_decay = 0.1), ("b*", lr = 2 * lr)],
        );
    }

    pub step TwoModels(g: f32<2>, lr: f32) {
        let first = Pair();
        let second = Pair();
        let loss = first(g) + 2.0 * second(g);
        minimize(loss, over = first, with = Sgd(lr), accumulate = 2, groups = [("first.w", lr = 0.0)]);
        minimize(loss, over = second, with = Adam(lr), ema = 0.9);
    }

    pub step OneOverTwo(g: f32<2>, lr: f32) {
        let first = Pair();
        let second = Pair();
        let loss = first(g) + 2.0 * second(g);
        let both = [first, second];
        minimize(loss, over = both, with = Adam(lr), groups = [("second.*", lr = 0.5 * lr)], ema = 0.9);
    }

    pub model Rows(x: f32<N, 2>) -> f32<N> {
        #[name("")]
        let fc = Linear(1);
        x.fc().squeeze(1)
    }

    pub step Fit(x: f32<dyn B, 2>, y: f32<B>, lr: f32) {
        let net = Rows();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Nadam(lr));
        metric(loss);
    }
}

fn assert_near(found: View<'_, f32>, expected: &[f32]) {
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 2e-6 * b.abs().max(1.0);
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(near), "{found:?}, not {expected:?}");
}

fn kept() -> Options {
    Options { keep_gradients: true, ..Options::default() }
}

#[test]
fn clips_are_step_inputs_and_leave_the_gradients_that_are_told_alone() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Pair::new(&device, Seed(0))?;
    let mut step = Clip::compile(&device, Clip::dims(), &kept())?;
    step.run(&mut net, &[2.0, 2.0], 1.5, 10.0)?;
    // The norm of (2, 2, 1) is 3.
    assert_near(net.get("w")?, &[0.0, 0.0]);
    assert_near(net.get("b")?, &[-0.5]);
    assert_near(step.gradient("w")?, &[2.0, 2.0]);
    step.run(&mut net, &[2.0, -2.0], 30.0, 0.25)?;
    assert_near(net.get("w")?, &[-0.25, 0.25]);
    assert_near(net.get("b")?, &[-0.75]);
    assert_near(step.gradient("b")?, &[1.0]);
    Ok(())
}

#[test]
fn every_third_run_updates_with_the_mean_gradient_and_its_own_rate() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Pair::new(&device, Seed(0))?;
    let mut step = Accumulate::compile(&device, Accumulate::dims(), &kept())?;
    for (g, w, b) in [
        ([3.0, 0.0], [1.0, 1.0], 0.0),
        ([0.0, 6.0], [1.0, 1.0], 0.0),
        ([0.0, 0.0], [0.0, -1.0], -1.0),
        ([9.0, 9.0], [0.0, -1.0], -1.0),
        ([9.0, 9.0], [0.0, -1.0], -1.0),
        ([0.0, 0.0], [-6.0, -7.0], -2.0),
    ] {
        step.run(&mut net, &g, 1.0)?;
        assert_near(net.get("w")?, &w);
        assert_near(net.get("b")?, &[b]);
        assert_near(step.gradient("w")?, &g);
    }
    let average = net.averaged("Accumulate")?;
    assert_near(average.get("w")?, &[-3.0, -4.0]);
    assert_near(average.get("b")?, &[-1.5]);
    assert_near(net.get("w")?, &[-6.0, -7.0]);
    assert_eq!(average.parameters(), net.parameters());
    Ok(())
}

#[test]
fn an_average_is_a_model_that_trains_by_itself() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Pair::new(&device, Seed(0))?;
    let mut step = Accumulate::compile(&device, Accumulate::dims(), &Options::default())?;
    let mut runs = |net: &mut Pair| (0..3).try_for_each(|_| step.run(net, &[1.0, 2.0], 0.5).map(|_| ()));
    runs(&mut net)?;
    let mut average = net.averaged("Accumulate")?;
    assert_near(average.get("w")?, &[0.5, 0.0]);
    runs(&mut average)?;
    assert_near(average.get("w")?, &[0.0, -1.0]);
    assert_near(net.get("w")?, &[0.5, 0.0]);
    assert_near(average.averaged("Accumulate")?.get("w")?, &[0.0, -1.0]);
    Ok(())
}

#[test]
fn there_is_no_average_before_an_update_and_without_ema() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Pair::new(&device, Seed(0))?;
    let message = |net: &Pair, step: &str| net.averaged(step).expect_err("no average").to_string();
    assert_eq!(message(&net, "Accumulate"), "Accumulate has not updated this Pair, so it has no average");
    let mut step = Accumulate::compile(&device, Accumulate::dims(), &Options::default())?;
    step.run(&mut net, &[1.0, 2.0], 0.5)?;
    assert_eq!(message(&net, "Accumulate"), "Accumulate has not updated this Pair, so it has no average");
    assert_eq!(
        message(&net, "Acumulate"),
        "Acumulate has not updated this Pair, so it has no average, did you mean `Accumulate`?"
    );
    Groups::compile(&device, Groups::dims(), &Options::default())?.run(&mut net, &[1.0, 2.0], 0.5)?;
    assert_eq!(message(&net, "Groups"), "Groups keeps no average of Pair: that is `ema` in its minimize");
    Ok(())
}

#[test]
fn of_all_groups_that_match_the_last_decides() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Pair::new(&device, Seed(0))?;
    net.set("b", &[10.0])?;
    let mut step = Groups::compile(&device, Groups::dims(), &Options::default())?;
    step.run(&mut net, &[1.0, 2.0], 0.25)?;
    assert_near(net.get("w")?, &[0.75, 0.5]);
    // The rate is twice 0.25, the decay 0.1.
    assert_near(net.get("b")?, &[10.0 - 0.5 * (1.0 + 0.1 * 10.0)]);
    Ok(())
}

#[test]
fn two_models_have_options_of_their_own() -> Result<(), Error> {
    let device = Device::cpu();
    let (mut first, mut second) = (Pair::new(&device, Seed(0))?, Pair::new(&device, Seed(0))?);
    let mut step = TwoModels::compile(&device, TwoModels::dims(), &kept())?;
    for (b, w) in [(0.0, 0.9), (-0.1, 0.8)] {
        step.run(&mut first, &mut second, &[1.0, -1.0], 0.1)?;
        assert_near(first.get("b")?, &[b]);
        assert_near(first.get("w")?, &[1.0, 1.0]);
        assert_near(second.get("w")?, &[w, 2.0 - w]);
        assert_near(step.gradient("second.b")?, &[2.0]);
    }
    assert_near(second.averaged("TwoModels")?.get("w")?, &[0.89, 1.11]);
    assert!(matches!(first.averaged("TwoModels"), Err(Error::NoAverage { .. })));
    Ok(())
}

#[test]
fn one_minimize_over_two_models_averages_both() -> Result<(), Error> {
    let device = Device::cpu();
    let (mut first, mut second) = (Pair::new(&device, Seed(0))?, Pair::new(&device, Seed(0))?);
    let mut step = OneOverTwo::compile(&device, OneOverTwo::dims(), &Options::default())?;
    for _ in 0..2 {
        step.run(&mut first, &mut second, &[1.0, -1.0], 0.1)?;
    }
    assert_near(first.get("w")?, &[0.8, 1.2]);
    assert_near(second.get("w")?, &[0.9, 1.1]);
    assert_near(first.averaged("OneOverTwo")?.get("w")?, &[0.89, 1.11]);
    assert_near(second.averaged("OneOverTwo")?.get("w")?, &[0.945, 1.055]);
    Ok(())
}

#[test]
fn a_second_batch_size_goes_on_where_the_first_one_was() -> Result<(), Error> {
    let device = Device::cpu();
    let mut nets = [Rows::new(&device, Seed(3))?, Rows::new(&device, Seed(3))?];
    let compile = |batch: usize| Fit::compile(&device, Fit::dims().b(batch), &Options::default());
    let (mut one, mut two) = (compile(1)?, compile(2)?);
    // A batch of two equal rows has the loss and the gradients of one of them.
    for run in 0..12 {
        let x = [0.1 * run as f32, 1.0 - 0.2 * run as f32];
        let (twice, y) = ([x[0], x[1], x[0], x[1]], 0.5 * run as f32);
        let alone = one.run(&mut nets[0], &x, &[y], 0.01)?.loss;
        let changing = match run % 3 {
            0 => one.run(&mut nets[1], &x, &[y], 0.01)?.loss,
            _ => two.run(&mut nets[1], &twice, &[y, y], 0.01)?.loss,
        };
        assert!((alone - changing).abs() <= 1e-5 * alone.abs(), "run {run}: {changing}, not {alone}");
    }
    assert_near(nets[1].get("weight")?, &nets[0].get("weight")?);
    Ok(())
}
