//! Files that PyTorch wrote, whose values are formulas of `make.py`, and what PyTorch makes of a file of ours.

use crate::folder::Folder;
use crate::{
    ClassifyConvNeXt, ClassifyMobileNet, ClassifyResNet, ClassifyViT, Net, Said, SmallConvNeXt, SmallViT, Types,
    shipped,
};
use std::ffi::OsStr;
use std::ops::DerefMut;
use std::process::Command;
use tapeless::models::{MobileNetV2, ResNet18};
use tapeless::{DType, Device, Error, Load, Options, Seed, Store, bf16, f16};

fn counts(count: usize, seed: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |i| (i * 7 + seed) % 13)
}

/// Every value is exact in each floating type.
fn floats(count: usize, seed: usize) -> Vec<f32> {
    counts(count, seed).map(|count| count as f32 / 4.0 - 1.0).collect()
}

fn net() -> Result<Net, Error> {
    Net::new(&Device::cpu(), Seed(3))
}

/// Holds a network against one of `make.py`.
fn assert_is_net(net: &Net, shift: usize) -> Result<(), Error> {
    for (at, (key, count)) in
        [("fc1.weight", 35), ("fc1.bias", 7), ("fc2.weight", 21), ("fc2.bias", 3)].into_iter().enumerate()
    {
        assert_eq!(net.get(key)?.to_vec(), floats(count, 10 * at + shift), "{key}");
    }
    Ok(())
}

fn assert_has_all_types(types: &Types) -> Result<(), Error> {
    assert_eq!(types.get("single")?.to_vec(), floats(6, 0));
    assert_eq!(types.get_typed::<f64>("double")?.to_vec(), floats(3, 1).into_iter().map(f64::from).collect::<Vec<_>>());
    assert_eq!(
        types.get_typed::<f16>("half")?.to_vec(),
        floats(4, 2).into_iter().map(f16::from_f32).collect::<Vec<_>>()
    );
    let brief: Vec<bf16> = floats(4, 3).into_iter().map(bf16::from_f32).collect();
    assert_eq!(types.get_typed::<bf16>("brief")?.to_vec(), brief);
    let long: Vec<i64> = counts(2, 4).map(|count| (count as i64 - 5) * 5_000_000_000).collect();
    assert_eq!(types.get_typed::<i64>("long")?.to_vec(), long);
    let whole: Vec<i32> = counts(3, 5).map(|count| count as i32 - 5).collect();
    assert_eq!(types.get_typed::<i32>("whole")?.to_vec(), whole);
    let byte: Vec<u8> = counts(5, 6).map(|count| count as u8 + 200).collect();
    assert_eq!(types.get_typed::<u8>("byte")?.to_vec(), byte);
    let mask: Vec<f32> = counts(6, 7).map(|count| (count % 2) as f32).collect();
    assert_eq!(types.get("mask")?.to_vec(), mask);
    assert_eq!(types.get_typed::<i64>("count")?.to_vec(), [-7]);
    Ok(())
}

#[test]
fn every_type_is_read_from_both_formats() -> Result<(), Error> {
    for name in ["types.pth", "types.safetensors"] {
        let mut types = Types::new(&Device::cpu(), Seed(0))?;
        types.load(shipped(name))?;
        assert_has_all_types(&types)?;
    }
    Ok(())
}

#[test]
fn views_with_strides_and_offsets_are_read() -> Result<(), Error> {
    let mut net = net()?;
    net.load(shipped("views.pth"))?;
    let (weight, bias, part) = (floats(35, 0), floats(15, 1), floats(40, 2));
    let transposed: Vec<f32> = (0..35).map(|at| weight[at % 5 * 7 + at / 5]).collect();
    assert_eq!(net.get("fc1.weight")?.to_vec(), transposed);
    assert_eq!(net.get("fc1.bias")?.to_vec(), bias.into_iter().skip(1).step_by(2).collect::<Vec<_>>());
    let rows: Vec<f32> = (0..21).map(|at| part[(1 + at / 7) * 10 + 2 + at % 7]).collect();
    assert_eq!(net.get("fc2.weight")?.to_vec(), rows);
    assert_eq!(net.get("fc2.bias")?.to_vec(), [-0.25; 3]);
    Ok(())
}

#[test]
fn state_dicts_are_found_in_dicts_around_them_and_in_older_files() -> Result<(), Error> {
    for name in ["checkpoint.pt", "protocol4.pt", "legacy.pth"] {
        let mut net = net()?;
        net.load(shipped(name)).unwrap_or_else(|error| panic!("{error}"));
        assert_is_net(&net, 0)?;
        assert_eq!(net.seed(), Seed(3), "such files have no run of ours");
    }
    Ok(())
}

#[test]
fn one_of_several_state_dicts_is_named() -> Result<(), Error> {
    let (mut net, path) = (net()?, shipped("several.pt"));
    let error = net.load(&path).expect_err("there are two").to_string();
    let expected =
        "holds several dicts of tensors: say which in `Load { part, .. }`, one of `discriminator`, `generator`";
    assert!(error.ends_with(expected), "{error}");
    for (part, shift) in [("discriminator", 1), ("generator", 0)] {
        net.load_with(&path, Load { part: Some(part.to_string()), ..Load::default() })?;
        assert_is_net(&net, shift)?;
    }
    let other = Load { part: Some("optimizer".to_string()), ..Load::default() };
    let error = net.load_with(&path, other).expect_err("there is none").to_string();
    assert!(error.ends_with("no dict of tensors `optimizer`, only `discriminator`, `generator`"), "{error}");
    let of_other_format = Load { part: Some("net".to_string()), ..Load::default() };
    let error =
        net.load_with(shipped("types.safetensors"), of_other_format).expect_err("there are no parts").to_string();
    assert!(error.ends_with("it holds no dict of tensors `net`"), "{error}");
    Ok(())
}

#[test]
fn keys_of_such_files_are_renamed_and_what_does_not_fit_is_listed() -> Result<(), Error> {
    let (mut net, path) = (net()?, shipped("types.pth"));
    let before = net.get("fc2.weight")?.to_vec();
    let error = net.load(&path).expect_err("nothing fits").to_string();
    assert!(error.contains("0 of 4 tensors fit") && error.contains("mask: bool<2, 3> in the file"), "{error}");
    let rename = vec![("fc2.".to_string(), "fc1.".to_string()), ("fc1.".to_string(), "fc2.".to_string())];
    let how = Load { strict: false, rename, ..Load::default() };
    let report = net.load_with(shipped("views.pth"), how)?;
    assert!(report.loaded.is_empty(), "{report}");
    assert!(report.to_string().contains("fc1.weight: f32<7, 5> in the model, f32<3, 7> in the file"), "{report}");
    assert_eq!(net.get("fc2.weight")?.to_vec(), before);
    Ok(())
}

#[test]
fn a_whole_module_is_refused_by_its_name() -> Result<(), Error> {
    let error = net()?.load(shipped("module.pt")).expect_err("it is code").to_string();
    assert!(error.contains("its pickle asks for `__main__.Net`, which is not loaded"), "{error}");
    Ok(())
}

/// What the script says to these words; `None` where there is no Python that has PyTorch.
fn script(words: &[&OsStr]) -> Option<String> {
    let Some(python) = std::env::var_os("TAPELESS_PYTHON") else {
        println!("skipped: TAPELESS_PYTHON names no Python that has torch, torchvision and safetensors");
        return None;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pytorch/make.py");
    let output = Command::new(python).arg(script).args(words).output().expect("Python starts");
    let [said, complained] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{said}{complained}");
    Some(said)
}

#[test]
fn pytorch_loads_what_is_saved() -> Result<(), Error> {
    let folder = Folder::new("pytorch");
    let path = folder.file("types.safetensors");
    let mut types = Types::new(&Device::cpu(), Seed(0))?;
    types.load(shipped("types.pth"))?;
    types.save(&path)?;
    if let Some(said) = script(&["check".as_ref(), path.as_ref()]) {
        assert!(said.contains("All keys matched"), "{said}");
    }
    Ok(())
}

/// How far a network's output may be from PyTorch's, relative to its norm.
const TOLERANCE: f32 = 1e-5;

fn norm(values: impl Iterator<Item = f32>) -> f32 {
    values.map(|x| x * x).sum::<f32>().sqrt()
}

/// Loads a state dict of torchvision's in every format, strictly, and holds what the network says against PyTorch's output;
/// then PyTorch loads what is saved, and has to say what it said.
fn assert_says<M: DerefMut<Target = Store>>(
    folder: &Folder,
    name: &str,
    net: &mut M,
    mut run: impl FnMut(&M, &[f32]) -> Result<Vec<f32>, Error>,
) -> Result<(), Error> {
    let mut said = Said::new(&Device::cpu(), Seed(0))?;
    said.load(folder.file(&format!("{name}_output.safetensors")))?;
    let expected = said.get("output")?.to_vec();
    for end in [".safetensors", ".pth", "_legacy.pth"] {
        // Nothing of the format before is left.
        for parameter in net.parameters().iter().filter(|parameter| parameter.dtype == DType::F32) {
            net.set(&parameter.key, &vec![f32::NAN; parameter.shape.iter().product()])?;
        }
        net.load(folder.file(&format!("{name}{end}")))?;
        let tracked = net.parameters().into_iter().filter(|parameter| parameter.key.ends_with("num_batches_tracked"));
        tracked.for_each(|parameter| assert_eq!(net.get(&parameter.key).expect("it is listed").to_vec(), [7.0]));
        let found = run(net, &floats(3 * 64 * 64, 0))?;
        let far = norm(found.iter().zip(&expected).map(|(found, expected)| found - expected));
        let relative = far / norm(expected.iter().copied());
        println!("{name}{end}: {relative:.1e} off, relative to the output's norm");
        assert!(relative < TOLERANCE, "{name}{end}: {relative}");
    }
    net.save(folder.file(&format!("{name}_saved.safetensors")))?;
    let said = script(&["saved".as_ref(), folder.0.as_ref(), name.as_ref()]).expect("there was a Python before");
    assert!(said.contains("All keys matched"), "{said}");
    Ok(())
}

#[test]
fn networks_of_torchvision_load_by_name_and_say_the_same() -> Result<(), Error> {
    let (folder, device) = (Folder::new("torchvision"), Device::cpu());
    if script(&["torchvision".as_ref(), folder.0.as_ref()]).is_none() {
        return Ok(());
    }
    let mut resnet = ResNet18::new(&device, Seed(0))?;
    let mut classify = ClassifyResNet::compile(&device, ClassifyResNet::dims(), &Options::default())?;
    assert_eq!(resnet.parameters().len(), 122);
    assert_says(&folder, "resnet18", &mut resnet, |net, image| Ok(classify.run(net, image)?.output.to_vec()))?;
    let mut mobile = MobileNetV2::new(&device, Seed(0))?;
    let mut classify = ClassifyMobileNet::compile(&device, ClassifyMobileNet::dims(), &Options::default())?;
    assert_eq!(mobile.parameters().len(), 314);
    assert_says(&folder, "mobilenet_v2", &mut mobile, |net, image| Ok(classify.run(net, image)?.output.to_vec()))?;
    let mut vit = SmallViT::new(&device, Seed(0))?;
    let mut classify = ClassifyViT::compile(&device, ClassifyViT::dims(), &Options::default())?;
    assert_eq!(vit.parameters().len(), 32);
    assert_says(&folder, "vit", &mut vit, |net, image| Ok(classify.run(net, image)?.output.to_vec()))?;
    let mut convnext = SmallConvNeXt::new(&device, Seed(0))?;
    let mut classify = ClassifyConvNeXt::compile(&device, ClassifyConvNeXt::dims(), &Options::default())?;
    assert_eq!(convnext.parameters().len(), 65);
    assert_says(&folder, "convnext", &mut convnext, |net, image| Ok(classify.run(net, image)?.output.to_vec()))
}
