//! What a program that builds can still do wrong: every mistake is a typed error with both sides, and no parameter changes.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        x.fc()
    }

    pub step Shift(x: f32<dyn A, 16>, y: f32<dyn B, 4>) -> f32<A, 4> {
        let net = Net();
        net(x) + y
    }

    pub step Train(x: f32<dyn B, 16>, label: u32<B>, lr: f32) {
        let net = Net();
        let loss = cross_entropy(net(x), label);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    pub step Heads(x: f32<dyn B, dyn D>) -> f32 {
        assert!(D % 4 == 0, "4 heads do not divide {D}");
        let net = Net();
        x.sum() + net.fc.bias.sum()
    }
}

fn message<T>(result: Result<T, Error>) -> String {
    result.err().expect("this is refused").to_string()
}

#[test]
fn a_dynamic_extent_never_broadcasts_not_even_when_it_is_1() {
    let device = Device::cpu();
    let refused = message(Shift::compile(&device, Shift::dims().a(8).b(1), &Options::default()));
    let expected = "Shift::compile: add: extents differ on axis 0\n  net(x) + y: A is 8, B is 1\n  --> ";
    assert!(refused.starts_with(expected), "{refused}");
    assert!(refused.ends_with("refused.rs:13:16"), "{refused}");
    assert!(Shift::compile(&device, Shift::dims().a(8).b(8), &Options::default()).is_ok());
}

#[test]
fn an_extent_that_is_not_set_is_named() {
    let device = Device::cpu();
    let refused = Shift::compile(&device, Shift::dims().a(8), &Options::default());
    assert!(matches!(&refused, Err(Error::UnsetExtent { name, .. }) if name == "B"), "{refused:?}");
}

#[test]
fn an_assertion_about_an_open_extent_is_held_by_compile() {
    let device = Device::cpu();
    let refused = message(Heads::compile(&device, Heads::dims().b(2).d(6), &Options::default()));
    assert!(refused.contains("4 heads do not divide D"), "{refused}");
    assert!(Heads::compile(&device, Heads::dims().b(2).d(8), &Options::default()).is_ok());
}

#[test]
fn inputs_that_do_not_fit_leave_the_parameters_as_they_were() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Net::new(&device, Seed(3))?;
    let mut train = Train::compile(&device, Train::dims().b(2), &Options::default())?;
    let before = (net.get("fc.weight")?.to_vec(), net.get("fc.bias")?.to_vec());

    let short = message(train.run(&mut net, &[0.5; 31], &[1, 2], 0.1));
    assert!(short.contains("`x`") && short.contains("32") && short.contains("31"), "{short}");
    let label = message(train.run(&mut net, &[0.5; 32], &[1, 4], 0.1));
    assert!(label.contains("`label`") && label.contains('4') && label.contains("position 1"), "{label}");
    let key = message(net.set("fc.weigth", &[0.0; 64]));
    assert!(key.contains("fc.weigth") && key.contains("fc.weight"), "{key}");
    let count = message(net.set("fc.bias", &[0.0; 5]));
    assert!(count.contains("fc.bias") && count.contains('4') && count.contains('5'), "{count}");
    assert!(matches!(train.gradient("fc.bias"), Err(Error::GradientsNotKept { .. })));

    assert_eq!(before, (net.get("fc.weight")?.to_vec(), net.get("fc.bias")?.to_vec()));
    train.run(&mut net, &[0.5; 32], &[1, 3], 0.1)?;
    assert_ne!(before.1, net.get("fc.bias")?.to_vec());
    Ok(())
}
