//! The program `net` of the corpus. Ten numbers in, one out.

use crate::assert_falls;
use crate::folder::Folder;
use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Net(x: f32<N, 10>) -> f32<N, 1> {
        #[name("")]
        let layers = Seq(Linear(20), relu, Linear(1));
        layers(x)
    }

    pub step TrainNet(x: f32<dyn B, 10>, y: f32<B, 1>, lr: f32) -> f32<B, 1> {
        let net = Net();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    pub step PredictNet(x: f32<dyn B, 10>) -> f32<B, 1> {
        let net = Net();
        net(x)
    }
}

#[test]
fn it_trains_checks_its_gradients_and_is_loaded_again() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Net::new(&device, Seed(0))?;
    let x: Vec<f32> = (0..320).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let y: Vec<f32> = (0..32).map(|i| (i * 7 % 13) as f32 / 6.0 - 1.0).collect();
    let mut train = TrainNet::compile(&device, TrainNet::dims().b(32), &Options::default())?;
    let checked = train.check_gradients(&net, &x, &y, 0.01)?;
    assert_eq!(checked.len(), 4);
    for (key, error) in checked {
        assert!(error < 1e-5, "{key} is off by {error}");
    }
    let mut losses = Vec::new();
    for _ in 0..100 {
        losses.push(train.run(&mut net, &x, &y, 0.01)?.loss);
    }
    assert_falls(&losses);
    assert!(train.explain().to_string().contains("TrainNet"));

    let folder = Folder::new("contract-net");
    net.save(folder.file("net.safetensors"))?;
    let mut copy = Net::new(&device, Seed(1))?;
    copy.load(folder.file("net.safetensors"))?;
    let keys: Vec<String> = copy.parameters().into_iter().map(|parameter| parameter.key).collect();
    assert_eq!(keys, ["0.weight", "0.bias", "2.weight", "2.bias"]);
    let mut predict = PredictNet::compile(&device, PredictNet::dims().b(1), &Options::default())?;
    let said = predict.run(&net, &x[..10])?.output.to_vec();
    assert_eq!(predict.run(&copy, &x[..10])?.output.to_vec(), said);
    Ok(())
}
