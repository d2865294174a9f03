//! The program `transfer` of the corpus. A trained network gets a new head; then its upper part is tuned.

use crate::assert_falls;
use crate::folder::Folder;
use tapeless::{Device, Error, Load, Options, Seed, model};

model! {
    block Down<const O: usize>(x: f32<N, I, H, W>) -> f32<N, O, _, _> {
        let conv = Conv2d(O, 3, stride = 2, padding = 1, bias = false);
        let bn = BatchNorm2d();
        x.conv().bn().relu()
    }

    pub model SmallNet<const CLASSES: usize = 10>(image: f32<N, 3, H, W>) -> f32<N, CLASSES> {
        let conv1 = Conv2d(16, 3, padding = 1, bias = false);
        let bn1 = BatchNorm2d();
        let layers = [Down(32); 2];
        let fc = Linear(CLASSES);
        let mut x = image.conv1().bn1().relu();
        for layer in layers {
            x = layer(x);
        }
        x.mean([2, 3]).fc()
    }

    pub model Flowers = SmallNet(102);

    pub model TwoHeads(image: f32<N, 3, H, W>) -> (f32<N, 10>, f32<N, 5>) {
        let body = SmallNet();
        let coarse = Linear(5);
        let fine = body(image);
        (fine, coarse(relu(fine)))
    }

    pub step TrainHead(image: f32<dyn B, 3, 32, 32>, label: u32<B>, lr: f32) {
        #[eval]
        let net = Flowers();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net.fc, with = Sgd(lr, momentum = 0.9));
        metric(loss);
    }

    pub step TuneTop(image: f32<dyn B, 3, 32, 32>, label: u32<B>, lr: f32) {
        let net = Flowers();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = [net.layers.1, net.fc], with = Sgd(lr, momentum = 0.9), groups = [("layers.*", lr = 0.1 * lr)]);
        metric(loss);
    }

    pub step ClassifyBoth(image: f32<dyn B, 3, 32, 32>) -> (u32<B>, u32<B>) {
        let net = TwoHeads();
        let (fine, coarse) = net(image);
        (fine.argmax(1), coarse.argmax(1))
    }
}

#[test]
fn a_new_head_is_trained_and_the_upper_part_is_tuned() -> Result<(), Error> {
    let device = Device::cpu();
    let folder = Folder::new("contract-transfer");
    let path = folder.file("small_net.safetensors");
    SmallNet::new(&device, Seed(0))?.save(&path)?;
    let mut net = Flowers::new(&device, Seed(1))?;
    assert!(net.load(&path).is_err(), "fc has 10 rows in the file and 102 in the model");
    let report = net.load_with(&path, Load { strict: false, ..Load::default() })?;
    assert!(report.to_string().contains("fc.weight"), "{report}");

    let image = vec![0.25f32; 8 * 3 * 32 * 32];
    let label: Vec<u32> = (0..8).collect();
    let before = (net.get("conv1.weight")?.to_vec(), net.get("bn1.running_mean")?.to_vec());
    let mut losses = Vec::new();
    let mut head = TrainHead::compile(&device, TrainHead::dims().b(8), &Options::default())?;
    for _ in 0..5 {
        losses.push(head.run(&mut net, &image, &label, 0.1)?.loss);
    }
    assert_falls(&losses);
    assert_eq!(before, (net.get("conv1.weight")?.to_vec(), net.get("bn1.running_mean")?.to_vec()));

    let mut tune = TuneTop::compile(&device, TuneTop::dims().b(8), &Options::default())?;
    for _ in 0..5 {
        assert!(tune.run(&mut net, &image, &label, 0.01)?.loss.is_finite());
    }
    assert_eq!(before.0, net.get("conv1.weight")?.to_vec());
    assert_ne!(before.1, net.get("bn1.running_mean")?.to_vec());

    let mut both = TwoHeads::new(&device, Seed(2))?;
    let rename = vec![("".into(), "body.".into())];
    both.load_with(&path, Load { strict: false, rename, ..Load::default() })?;
    assert_eq!(both.get("body.conv1.weight")?.to_vec(), before.0);
    let mut classify = ClassifyBoth::compile(&device, ClassifyBoth::dims().b(8), &Options::default())?;
    let out = classify.run(&both, &image)?;
    let (fine, coarse) = (out.output.0.to_vec(), out.output.1.to_vec());
    assert!(fine == [fine[0]; 8] && coarse == [coarse[0]; 8] && fine[0] < 10 && coarse[0] < 5, "{fine:?} {coarse:?}");
    Ok(())
}
