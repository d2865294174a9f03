//! Forms of the language around states: hand-written blocks, chains of updates, what evaluation leaves alone.

use tapeless::{Device, Error, Options, Seed, model};

mod custom {
    use tapeless::model;

    model! {
        block Dense<const O: usize>(x: f32<N, I>) -> f32<N, O> {
            #[param]
            let weight: f32<O, I> = kaiming_uniform();
            #[param]
            let bias: f32<O> = uniform(-0.1, 0.1);
            x.matmul(weight.t()) + bias
        }

        block Center<const MOMENTUM: f32 = 0.1>(x: f32<N, C>) -> f32<N, C> {
            #[state]
            let mean: f32<C> = zeros();
            let centre = if training { x.mean(0) } else { mean };
            mean = (1.0 - MOMENTUM) * mean + MOMENTUM * x.mean(0);
            x - centre
        }

        block Count(x: f32<N, C>) {
            #[state]
            let seen: u32 = zeros();
            seen = seen + 1;
            x
        }

        block Scale(x: f32<N, C>) -> _ {
            #[param]
            let gain: f32<C> = ones();
            #[param]
            let shift: f32<C> = constant(0.5);
            x * gain + shift
        }

        block Gate(x: f32<N, C>) -> f32<N, C> {
            let scale = Scale();
            let dense = Dense(C);
            x * x.dense().scale().sigmoid()
        }

        pub model Custom(x: f32<N, 16>) -> f32<N, 4> {
            let center = Center(MOMENTUM = 0.5);
            let dense1 = Dense(32);
            let gate = Gate();
            let dense2 = Dense(4);
            let count = Count();
            x.center().dense1().tanh().gate().dense2().count()
        }

        pub step TrainCustom(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
            let net = Custom();
            let loss = mse(net(x), y);
            minimize(loss, over = net, with = Adam(lr));
            metric(loss);
        }

        pub step TrainTwice(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
            let net = Custom();
            let loss = mse(net(x), y) + mse(net(-x), -y);
            minimize(loss, over = net, with = Adam(lr));
            metric(loss);
        }

        pub step ApplyCustom(x: f32<dyn B, 16>) -> f32<B, 4> {
            let net = Custom();
            net(x)
        }
    }
}

model! {
    // Batch norm over [N, C], as a block of the user's.
    block Norm<const MOMENTUM: f32 = 0.5, const EPS: f32 = 0.25>(x: f32<N, C>) -> f32<N, C> {
        #[param]
        let weight: f32<C> = ones();
        #[param]
        let bias: f32<C> = zeros();
        #[state]
        let running_mean: f32<C> = zeros();
        #[state]
        let running_var: f32<C> = ones();
        let mean = if training { x.mean(0) } else { running_mean };
        let centred = x - mean;
        let var = if training { (centred * centred).mean(0) } else { running_var };
        if training {
            let unbiased = var * (f32(N) / (f32(N) - 1.0));
            running_mean = (1.0 - MOMENTUM) * running_mean + MOMENTUM * mean;
            running_var = (1.0 - MOMENTUM) * running_var + MOMENTUM * unbiased;
        }
        centred / (var + EPS).sqrt() * weight + bias
    }

    pub model Normed(x: f32<N, 2>) -> f32<N, 2> {
        let norm = Norm();
        norm(x)
    }

    pub model Plain(x: f32<N, 2>) -> f32<N, 2> {
        #[param]
        let w: f32<2> = ones();
        x * w
    }

    pub step TrainNorm(x: f32<dyn B, 2>, lr: f32) {
        let net = Normed();
        let loss = net(x).pow(2).sum();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    pub step TrainBeside(x: f32<dyn B, 2>, lr: f32) {
        #[eval]
        let frozen = Normed();
        let plain = Plain();
        let loss = plain(frozen(x)).sum();
        minimize(loss, over = plain, with = Sgd(lr));
        metric(loss);
    }

    #[train]
    pub step Warm(x: f32<dyn B, 2>) {
        let net = Normed();
        net(x);
    }

    pub step ApplyNorm(x: f32<dyn B, 2>) -> f32<B, 2> {
        let net = Normed();
        net(x)
    }

    // A state is read, assigned and read again; two states exchange their values.
    pub model Ledger(x: f32<N>) -> (f32, f32) {
        #[state]
        let total: f32 = constant(10.0);
        #[state]
        let a: i32<2> = constant(3);
        #[state]
        let b: i32<2> = constant(-4);
        let before = total;
        total += x.sum();
        let kept = a;
        a = b;
        b = kept;
        (before, total)
    }

    #[train]
    pub step Exchange(x: f32<dyn B>) {
        let ledger = Ledger();
        metric(first = ledger(x).0);
    }

    #[train]
    pub step Book(x: f32<dyn B>) -> (f32, f32, f32, f32) {
        let ledger = Ledger();
        let (first, second) = ledger(x);
        let (third, fourth) = ledger(2.0 * x);
        (first, second, third, fourth)
    }

    pub step Look(x: f32<dyn B>) -> (f32, f32, f32) {
        let ledger = Ledger();
        let (before, after) = ledger(x);
        (before, after, ledger.total)
    }

    #[train]
    pub step Reset(x: f32<dyn B>) {
        let clear = Cleared();
        clear(x);
    }

    pub model Cleared(x: f32<N>) -> f32<N> {
        #[state]
        let ones: f32<3, 2> = ones();
        #[state]
        let same: f32 = ones();
        ones = 7;
        same = same;
        x
    }
}

#[test]
fn states_of_hand_written_blocks_change_in_training_steps_only() -> Result<(), Error> {
    let device = Device::cpu();
    let x: Vec<f32> = (0..8 * 16).map(|i| (i * 11 % 23) as f32 / 23.0).collect();
    let y: Vec<f32> = (0..8 * 4).map(|i| (i * 5 % 7) as f32 / 7.0).collect();
    let mut net = custom::Custom::new(&device, Seed(0))?;
    let listed: Vec<String> = net
        .parameters()
        .iter()
        .map(|p| format!("{} {:?}{}", p.key, p.shape, if p.state { " s" } else { "" }))
        .collect();
    let header = [
        "center.mean [16] s",
        "dense1.weight [32, 16]",
        "dense1.bias [32]",
        "gate.scale.gain [32]",
        "gate.scale.shift [32]",
        "gate.dense.weight [32, 32]",
        "gate.dense.bias [32]",
        "dense2.weight [4, 32]",
        "dense2.bias [4]",
        "count.seen [] s",
    ];
    assert_eq!(listed, header);
    let mut train = custom::TrainCustom::compile(&device, custom::TrainCustom::dims().b(8), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..10 {
        losses.push(train.run(&mut net, &x, &y, 0.01)?.loss);
    }
    assert!(losses[9] < 0.8 * losses[0], "{losses:?}");
    let means: Vec<f32> = (0..16).map(|c| (0..8).map(|row| x[row * 16 + c]).sum::<f32>() / 8.0).collect();
    let close =
        |found: &[f32], factor: f32| found.iter().zip(&means).all(|(found, mean)| (found - factor * mean).abs() < 1e-5);
    // Ten halvings of the distance to the mean of the batch.
    let kept = 1.0 - 0.5f32.powi(10);
    assert!(close(&net.get("center.mean")?, kept));
    let mut twice = custom::TrainTwice::compile(&device, custom::TrainTwice::dims().b(8), &Options::default())?;
    twice.run(&mut net, &x, &y, 0.01)?;
    assert_eq!(net.get("count.seen")?.to_vec(), [12.0]);
    // The second application, on -x, sees what the first has set.
    assert!(close(&net.get("center.mean")?, 0.5 * (0.5 * kept + 0.5) - 0.5));
    let mut apply = custom::ApplyCustom::compile(&device, custom::ApplyCustom::dims().b(8), &Options::default())?;
    apply.run(&net, &x)?;
    assert_eq!(net.get("count.seen")?.to_vec(), [12.0]);
    Ok(())
}

#[test]
fn a_block_of_the_users_is_a_batch_norm() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Normed::new(&device, Seed(0))?;
    let x = [1.0, 2.0, 3.0, 2.0, 5.0, 5.0];
    let mut train = TrainNorm::compile(&device, TrainNorm::dims().b(3), &Options::default())?;
    let loss = train.run(&mut net, &x, 0.0)?.loss;
    // Means 3 and 3, variances 8/3 and 2; of each column 3 * var / (var + eps) remains.
    let expected = 3.0 * (8.0 / 3.0) / (8.0 / 3.0 + 0.25) + 3.0 * 2.0 / 2.25;
    assert!((loss - expected).abs() < 1e-5, "{loss} for {expected}");
    assert_eq!(net.get("norm.running_mean")?.to_vec(), [1.5, 1.5]);
    assert_eq!(net.get("norm.running_var")?.to_vec(), [0.5 + 0.5 * 4.0, 0.5 + 0.5 * 3.0]);

    let mut plain = Plain::new(&device, Seed(0))?;
    let mut beside = TrainBeside::compile(&device, TrainBeside::dims().b(3), &Options::default())?;
    // The frozen model is read only, and normalises with its running statistics.
    let loss = beside.run(&net, &mut plain, &x, 0.1)?.loss;
    let expected: f32 = x.iter().enumerate().map(|(i, x)| (x - 1.5) / [2.75f32, 2.25][i % 2].sqrt()).sum();
    assert!((loss - expected).abs() < 1e-5, "{loss} for {expected}");

    let mut warm = Warm::compile(&device, Warm::dims().b(3), &Options::default())?;
    warm.run(&mut net, &x)?;
    assert_eq!(net.get("norm.running_mean")?.to_vec(), [2.25, 2.25]);
    let mut apply = ApplyNorm::compile(&device, ApplyNorm::dims().b(1), &Options::default())?;
    let out = apply.run(&net, &[2.25, 2.25])?.output.to_vec();
    assert_eq!(out, [0.0, 0.0]);
    assert_eq!(net.get("norm.running_mean")?.to_vec(), [2.25, 2.25]);
    Ok(())
}

#[test]
fn states_chain_in_order_of_application_and_may_exchange_their_values() -> Result<(), Error> {
    let device = Device::cpu();
    let mut ledger = Ledger::new(&device, Seed(0))?;
    let mut book = Book::compile(&device, Book::dims().b(3), &Options::default())?;
    let out = book.run(&mut ledger, &[1.0, 2.0, 3.0])?.output;
    assert_eq!(out, (10.0, 16.0, 16.0, 28.0));
    assert_eq!(ledger.get("total")?.to_vec(), [28.0]);
    // Two exchanges are none.
    assert_eq!(ledger.get("a")?.to_vec(), [3.0, 3.0]);
    let mut exchange = Exchange::compile(&device, Exchange::dims().b(1), &Options::default())?;
    assert_eq!(exchange.run(&mut ledger, &[0.0])?.first, 28.0);
    assert_eq!((ledger.get("a")?.to_vec(), ledger.get("b")?.to_vec()), (vec![-4.0; 2], vec![3.0; 2]));
    let mut look = Look::compile(&device, Look::dims().b(1), &Options::default())?;
    assert_eq!(look.run(&ledger, &[5.0])?.output, (28.0, 28.0, 28.0));
    assert_eq!(ledger.get("total")?.to_vec(), [28.0]);
    let mut cleared = Cleared::new(&device, Seed(0))?;
    let mut reset = Reset::compile(&device, Reset::dims().b(1), &Options::default())?;
    reset.run(&mut cleared, &[0.0])?;
    assert_eq!(cleared.get("ones")?.to_vec(), [7.0; 6]);
    assert_eq!(cleared.get("same")?.to_vec(), [1.0]);
    Ok(())
}
