//! `check_finite`: a run with a loss or a gradient that is not finite changes nothing and says what it was.

use tapeless::{Device, Error, Fusion, Options, Seed, model};

model! {
    /// One layer with dropout, so that the count of runs matters too.
    pub model Net(x: f32<N, 6>) -> f32<N, 4> {
        let fc1 = Linear(8);
        let drop = Dropout(0.25);
        let fc2 = Linear(4);
        x.fc1().tanh().drop().fc2()
    }

    /// One step of Adam.
    pub step Train(x: f32<5, 6>, y: f32<5, 4>) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Adam(0.01));
        metric(loss);
    }
}

model! {
    /// Roots of its parameters.
    pub model Roots() -> f32 {
        #[param]
        let w: f32<3> = ones();
        w.sqrt().sum()
    }

    /// One step of gradient descent.
    pub step TrainRoots() {
        let roots = Roots();
        let loss = roots();
        minimize(loss, over = roots, with = Sgd(0.1));
        metric(loss);
    }
}

fn batch(seed: usize) -> (Vec<f32>, Vec<f32>) {
    let numbers = |count: usize| (0..count).map(|i| ((i * 7 + seed) % 11) as f32 / 11.0).collect();
    (numbers(30), numbers(20))
}

/// The parameters after runs, with one between them that fails if `odd` says so, and what each good run gave.
fn trained(options: &Options, odd: Option<f32>) -> Result<Vec<f32>, Error> {
    let device = Device::cpu();
    let mut net = Net::new(&device, Seed(3))?;
    let mut step = Train::compile(&device, Train::dims(), options)?;
    let mut seen = Vec::new();
    for run in 0..4 {
        let (mut x, y) = batch(run);
        if let Some(odd) = odd.filter(|_| run == 2) {
            let whole = x[7];
            x[7] = odd;
            let before = net.get("fc1.weight")?.to_vec();
            match step.run(&mut net, &x, &y) {
                Err(Error::NotFinite { step, what, elements }) => {
                    assert_eq!((step.as_str(), what.as_str(), elements), ("Train", "the loss", 1));
                }
                Err(other) => return Err(other),
                Ok(_) => panic!("a loss of {odd} is not finite"),
            }
            assert_eq!(net.get("fc1.weight")?.to_vec(), before);
            x[7] = whole;
        }
        seen.push(step.run(&mut net, &x, &y)?.loss);
    }
    for key in ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"] {
        seen.extend(net.get(key)?.iter());
    }
    Ok(seen)
}

#[test]
fn a_run_that_is_not_finite_is_as_if_it_had_not_been() -> Result<(), Error> {
    for fusion in [Fusion::default(), Fusion::none()] {
        let options = Options { fusion, check_finite: true, ..Options::default() };
        let whole = trained(&options, None)?;
        assert_eq!(trained(&options, Some(f32::NAN))?, whole);
        assert_eq!(whole.iter().filter(|number| number.is_finite()).count(), whole.len());
    }
    Ok(())
}

#[test]
fn checking_does_not_change_what_is_finite() -> Result<(), Error> {
    let unfused = |check_finite| Options { fusion: Fusion::none(), check_finite, ..Options::default() };
    assert_eq!(trained(&unfused(true), None)?, trained(&unfused(false), None)?);
    Ok(())
}

#[test]
fn the_gradient_that_is_not_finite_is_named() -> Result<(), Error> {
    let device = Device::cpu();
    let mut roots = Roots::new(&device, Seed(0))?;
    let mut step =
        TrainRoots::compile(&device, TrainRoots::dims(), &Options { check_finite: true, ..Options::default() })?;
    roots.set("w", &[4.0, 9.0, 1.0])?;
    assert_eq!(step.run(&mut roots)?.loss, 6.0);
    // The slope of a root at zero is infinite.
    roots.set("w", &[4.0, 0.0, 1.0])?;
    let error = step.run(&mut roots).map(|out| out.loss).expect_err("the gradient is not finite");
    let expected = "TrainRoots: the gradient of `w` has 1 elements that are infinite or no number; nothing was updated";
    assert_eq!(error.to_string(), expected);
    assert_eq!(roots.get("w")?.to_vec(), [4.0, 0.0, 1.0]);
    Ok(())
}
