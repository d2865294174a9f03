//! Blocks and models of one `model!` used in another: of the same crate, through several modules, with names that mean
//! what they mean where they are written.

use tapeless::{Device, Error, Options, Seed, model};

mod layers {
    use tapeless::model;

    model! {
        block Scaled(x: f32<N, C>) -> f32<N, C> {
            #[param]
            let gain: f32<C> = constant(3.0);
            x * gain
        }

        pub block Dense<const O: usize>(x: f32<N, I>) -> f32<N, O> {
            #[param]
            let weight: f32<O, I> = ones();
            let scaled = Scaled();
            scaled(x.matmul(weight.t()))
        }

        pub(crate) block Shift<const BY: f32 = 0.5>(x: f32<N, C>) {
            x + BY
        }

        pub model Base<const O: usize = 2>(x: f32<N, 3>) -> f32<N, O> {
            let dense = Dense(O);
            dense(x)
        }

        pub model Wide = Base(4);

        pub step RunBase(x: f32<dyn B, 3>) -> f32<B, 2> {
            let net = Base();
            net(x)
        }
    }
}

mod middle {
    pub mod inner {
        use tapeless::model;

        model! {
            use super::super::layers::Dense;

            pub block Twice<const O: usize>(x: f32<N, I>) -> f32<N, O> {
                let first = Dense(O);
                let second = Dense(O);
                x.first().second()
            }
        }
    }
}

model! {
    use crate::layers::{Base, Shift, Wide};
    use middle::inner::Twice;

    // Another block than the one that `Dense` uses.
    block Scaled(x: f32<N, C>) -> f32<N, C> {
        x * 100.0
    }

    pub model Net(x: f32<N, 3>) -> f32<N, 4> {
        let base = Wide();
        let twice = Twice(4);
        let shift = Shift(1.0);
        let scaled = Scaled();
        x.base().twice().shift().scaled()
    }

    pub step RunNet(x: f32<dyn B, 3>) -> f32<B, 4> {
        let net = Net();
        net(x)
    }

    pub step TrainOthers(x: f32<dyn B, 3>) -> f32<B, 4> {
        let base = Base();
        let wide = Wide();
        let y = wide(x);
        minimize(base(x).sum(), over = base, with = Sgd(0.5));
        y
    }
}

#[test]
fn imported_blocks_keep_their_keys_and_their_own_names() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Net::new(&device, Seed(0))?;
    let keys: Vec<String> = net.parameters().iter().map(|p| format!("{} {:?}", p.key, p.shape)).collect();
    let expected = [
        "base.dense.weight [4, 3]",
        "base.dense.scaled.gain [4]",
        "twice.first.weight [4, 4]",
        "twice.first.scaled.gain [4]",
        "twice.second.weight [4, 4]",
        "twice.second.scaled.gain [4]",
    ];
    assert_eq!(keys, expected);
    let mut run = RunNet::compile(&device, RunNet::dims().b(1), &Options::default())?;
    // (1 + 2 + 3) * 3 = 18, four times that times three, twice, then one more, a hundred times.
    let out = run.run(&net, &[1.0, 2.0, 3.0])?;
    assert_eq!(out.output.to_vec(), [100.0 * (18.0 * 12.0 * 12.0 + 1.0); 4]);
    Ok(())
}

#[test]
fn imported_models_have_the_types_of_their_own_macro() -> Result<(), Error> {
    let device = Device::cpu();
    let mut base: layers::Base = layers::Base::new(&device, Seed(0))?;
    let wide = layers::Wide::new(&device, Seed(0))?;
    let mut train = TrainOthers::compile(&device, TrainOthers::dims().b(1), &Options::default())?;
    let out = train.run(&mut base, &wide, &[1.0, 2.0, 3.0])?;
    assert_eq!(out.output.to_vec(), [18.0; 4]);
    // The derivative by a weight is the input times the gain.
    assert_eq!(base.get("dense.weight")?.to_vec(), [-0.5, -2.0, -3.5, -0.5, -2.0, -3.5]);
    let mut run = layers::RunBase::compile(&device, layers::RunBase::dims().b(1), &Options::default())?;
    assert_eq!(run.run(&base, &[1.0, 0.0, 0.0])?.output.len(), 2);
    Ok(())
}
