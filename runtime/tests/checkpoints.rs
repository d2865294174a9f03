//! Saving and loading: what a file holds, that a resumed run goes on as if it had never stopped, what does not fit, and
//! files that are no checkpoints.

mod folder;

use folder::Folder;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use std::fs;
use std::path::Path;
use tapeless::{Device, Error, Load, Options, Seed, model};

model! {
    pub model Net<const CLASSES: usize = 3>(x: f32<N, 5>) -> f32<N, CLASSES> {
        let fc1 = Linear(7);
        let fc2 = Linear(CLASSES);
        x.fc1().dropout(0.3).relu().fc2()
    }

    pub model Other = Net(4);

    pub model Around(x: f32<N, 5>) -> f32<N, 2> {
        let body = Net();
        let head = Linear(2);
        x.body().head()
    }

    pub step TrainNet(x: f32<dyn B, 5>, label: u32<B>, lr: f32) {
        let net = Net();
        let loss = cross_entropy(net(x), label);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }

    pub model Body(x: f32<N, 5>) -> f32<N, 7> {
        let fc1 = Linear(7);
        let bn1 = BatchNorm1d();
        x.fc1().bn1().relu()
    }

    pub model Tuned(x: f32<N, 5>) -> f32<N, 3> {
        let body = Body();
        let head = Linear(3);
        x.body().head()
    }

    /// The body is frozen: its parameters by `over`, its running statistics by `#[eval]`.
    pub step TrainHead(x: f32<dyn B, 5>, label: u32<B>, lr: f32) {
        #[eval]
        let net = Tuned();
        let loss = cross_entropy(net(x), label);
        minimize(loss, over = net.head, with = Adam(lr));
        metric(loss);
    }

    pub step Noise(x: f32<dyn B, 5>) -> f32<B, 3> {
        let net = Net();
        net(x) + rand([B, 3])
    }
}

/// The names of all files in a folder, sorted.
fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(&folder.0).expect("the folder is there");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("it is readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

const X: [f32; 20] =
    [0.1, 0.9, -0.4, 0.3, 1.2, -0.7, 0.2, 0.8, -1.1, 0.5, 0.6, -0.3, 0.4, 1.0, -0.2, 0.7, 0.0, -0.9, 1.1, 0.35];
const LABEL: [u32; 4] = [0, 2, 1, 2];

/// The losses of so many runs.
fn train(net: &mut Net, runs: usize) -> Result<Vec<f32>, Error> {
    let mut step = TrainNet::compile(&Device::cpu(), TrainNet::dims().b(4), &Options::default())?;
    (0..runs).map(|_| Ok(step.run(net, &X, &LABEL, 0.05)?.loss)).collect()
}

fn all(net: &Net) -> Vec<Vec<f32>> {
    net.parameters().iter().map(|parameter| net.get(&parameter.key).expect("it is listed").to_vec()).collect()
}

#[test]
fn a_resumed_run_goes_on_as_if_it_had_never_stopped() -> Result<(), Error> {
    let folder = Folder::new("resumed");
    let (device, path) = (Device::cpu(), folder.file("net.safetensors"));
    let mut whole = Net::new(&device, Seed(7))?;
    let expected = train(&mut whole, 6)?;
    let mut first = Net::new(&device, Seed(7))?;
    let mut losses = train(&mut first, 2)?;
    first.save(&path)?;
    // What runs after the save must not matter.
    train(&mut first, 1)?;
    let mut second = Net::new(&device, Seed(0))?;
    second.load(&path)?;
    assert_eq!(second.seed(), Seed(7));
    losses.extend(train(&mut second, 4)?);
    assert_eq!(losses, expected);
    assert_eq!(all(&second), all(&whole));
    Ok(())
}

#[test]
fn a_store_that_ran_before_resumes_the_run_that_it_loads() -> Result<(), Error> {
    let folder = Folder::new("reused");
    let (device, path) = (Device::cpu(), folder.file("net.safetensors"));
    let mut net = Net::new(&device, Seed(7))?;
    let mut step = TrainNet::compile(&device, TrainNet::dims().b(4), &Options::default())?;
    let mut noise = Noise::compile(&device, Noise::dims().b(4), &Options::default())?;
    step.run(&mut net, &X, &LABEL, 0.05)?;
    let before = noise.run(&mut net, &X)?.output.to_vec();
    net.save(&path)?;
    let expected = (step.run(&mut net, &X, &LABEL, 0.05)?.loss, noise.run(&mut net, &X)?.output.to_vec());
    // The same compiled steps, which have seen this store, find the slots of the file in it.
    net.load(&path)?;
    let found = (step.run(&mut net, &X, &LABEL, 0.05)?.loss, noise.run(&mut net, &X)?.output.to_vec());
    assert_eq!(found, expected);
    assert_ne!(found.1, before);
    // A save without slots takes the slots away.
    let fresh = folder.file("fresh.safetensors");
    Net::new(&device, Seed(7))?.save(&fresh)?;
    net.load(&fresh)?;
    let mut other = Net::new(&device, Seed(7))?;
    assert_eq!(train(&mut net, 2)?, train(&mut other, 2)?);
    Ok(())
}

#[test]
fn the_file_is_a_plain_state_dict() -> Result<(), Error> {
    let folder = Folder::new("plain");
    let path = folder.file("net.safetensors");
    let mut net = Net::new(&Device::cpu(), Seed(7))?;
    net.save(&path)?;
    assert_eq!(names(&folder), ["net.safetensors"], "nothing ran, so there is no second file");
    train(&mut net, 1)?;
    net.save(&path)?;
    train(&mut net, 1)?;
    net.save(&path)?;
    let names = names(&folder);
    assert_eq!(names.len(), 2, "older halves are gone: {names:?}");
    assert!(names[1].starts_with("net.safetensors.run-"), "{names:?}");
    let bytes = fs::read(&path).expect("it was written");
    let file = SafeTensors::deserialize(&bytes).expect("it is of the format");
    let mut keys = file.names();
    keys.sort_unstable();
    assert_eq!(keys, ["fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight"]);
    let weight = file.tensor("fc1.weight").expect("it is there");
    assert_eq!((weight.dtype(), weight.shape()), (Dtype::F32, &[7, 5][..]));
    let first = f32::from_le_bytes(weight.data()[..4].try_into().expect("four bytes"));
    assert_eq!(first, net.get("fc1.weight")?[0]);
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("it has a header");
    let remarks = header.metadata().as_ref().expect("it has remarks");
    assert_eq!((remarks["format"].as_str(), remarks["tapeless.seed"].as_str()), ("pt", "7"));
    Ok(())
}

#[test]
fn what_does_not_fit_is_listed_and_nothing_changes() -> Result<(), Error> {
    let folder = Folder::new("mismatch");
    let (device, path) = (Device::cpu(), folder.file("other.safetensors"));
    Other::new(&device, Seed(1))?.save(&path)?;
    let mut net = Net::new(&device, Seed(2))?;
    let before = all(&net);
    let error = net.load(&path).expect_err("fc2 differs").to_string();
    let expected = format!(
        "{} does not fit Net, which stays as it is: 2 of 4 tensors fit
  fc2.weight: f32<3, 7> in the model, f32<4, 7> in the file
  fc2.bias: f32<3> in the model, f32<4> in the file",
        path.display()
    );
    assert_eq!(error, expected);
    assert_eq!((all(&net), net.seed()), (before, Seed(2)));
    let report = net.load_with(&path, Load { strict: false, ..Load::default() })?;
    assert_eq!(report.loaded, ["fc1.weight", "fc1.bias"]);
    assert!(error.ends_with(&report.to_string()), "{report}");
    assert_eq!(net.get("fc1.weight")?.to_vec(), Other::new(&device, Seed(1))?.get("fc1.weight")?.to_vec());
    assert_eq!(net.seed(), Seed(2), "load_with takes tensors only");
    Ok(())
}

#[test]
fn keys_are_renamed_by_their_beginnings() -> Result<(), Error> {
    let folder = Folder::new("rename");
    let (device, path) = (Device::cpu(), folder.file("net.safetensors"));
    let net = Net::new(&device, Seed(1))?;
    net.save(&path)?;
    let mut around = Around::new(&device, Seed(2))?;
    let rename = vec![("".to_string(), "body.".to_string())];
    let report = around.load_with(&path, Load { strict: false, rename, ..Load::default() })?;
    assert_eq!(report.loaded, ["body.fc1.weight", "body.fc1.bias", "body.fc2.weight", "body.fc2.bias"]);
    assert_eq!(report.missing[0], ("head.weight".to_string(), "f32<2, 3>".to_string()));
    assert_eq!(around.get("body.fc2.bias")?.to_vec(), net.get("fc2.bias")?.to_vec());
    let rename = vec![("fc1.weight".to_string(), "fc2.weight".to_string())];
    let error = around.load_with(&path, Load { rename, ..Load::default() }).expect_err("two keys meet").to_string();
    assert!(error.contains("two of its keys become `fc2.weight`"), "{error}");
    Ok(())
}

#[test]
fn a_frozen_part_that_was_loaded_stays_as_it_is() -> Result<(), Error> {
    let folder = Folder::new("frozen");
    let (device, path, tuned) = (Device::cpu(), folder.file("body.safetensors"), folder.file("tuned.safetensors"));
    let mut body = Body::new(&device, Seed(1))?;
    body.set("bn1.running_mean", &[0.5; 7])?;
    body.save(&path)?;
    let mut net = Tuned::new(&device, Seed(2))?;
    let rename = vec![("".to_string(), "body.".to_string())];
    let report = net.load_with(&path, Load { strict: false, rename, ..Load::default() })?;
    assert_eq!((report.loaded.len(), report.missing.len()), (body.parameters().len(), 2), "{report}");
    let mut step = TrainHead::compile(&device, TrainHead::dims().b(4), &Options::default())?;
    let head = net.get("head.weight")?.to_vec();
    step.run(&mut net, &X, &LABEL, 0.05)?;
    net.save(&tuned)?;
    let expected = (step.run(&mut net, &X, &LABEL, 0.05)?.loss, net.get("head.weight")?.to_vec());
    for parameter in body.parameters() {
        let key = format!("body.{}", parameter.key);
        assert_eq!(net.get(&key)?.to_vec(), body.get(&parameter.key)?.to_vec(), "{key}");
    }
    assert_ne!(expected.1, head);
    // Slots are of the head only, and resume.
    let half = fs::read(folder.file(&names(&folder)[2])).expect("it is there");
    let slots = SafeTensors::deserialize(&half).expect("it is of the format");
    let of_tensors: Vec<&str> = slots.names().into_iter().filter(|name| name.ends_with(".weight")).collect();
    assert!(!of_tensors.is_empty() && of_tensors.iter().all(|name| name.ends_with("head.weight")), "{of_tensors:?}");
    let mut again = Tuned::new(&device, Seed(0))?;
    again.load(&tuned)?;
    assert_eq!((step.run(&mut again, &X, &LABEL, 0.05)?.loss, again.get("head.weight")?.to_vec()), expected);
    Ok(())
}

/// A tensor of a file: key, type, extents, bytes.
type Written<'a> = (&'a str, Dtype, &'a [usize], &'a [u8]);

/// Writes a file of these tensors and remarks.
fn write(path: &Path, tensors: &[Written<'_>], remarks: &[(&str, &str)]) {
    let mut views = Vec::new();
    for (key, dtype, shape, bytes) in tensors {
        views.push((*key, TensorView::new(*dtype, shape.to_vec(), bytes).expect("the shape has as many bytes")));
    }
    let remarks = remarks.iter().map(|(name, word)| (name.to_string(), word.to_string())).collect();
    fs::write(path, serialize(views, Some(remarks)).expect("the views are sound")).expect("there is room");
}

/// Bytes for so many elements of f32, which count from 0.
fn counting(elements: usize) -> Vec<u8> {
    (0..elements).flat_map(|i| (i as f32).to_le_bytes()).collect()
}

/// The tensors of `Net`, each of which begins with these bytes.
fn tensors(bytes: &[u8]) -> [Written<'_>; 4] {
    [
        ("fc1.weight", Dtype::F32, &[7, 5], &bytes[..4 * 35]),
        ("fc1.bias", Dtype::F32, &[7], &bytes[..4 * 7]),
        ("fc2.weight", Dtype::F32, &[3, 7], &bytes[..4 * 21]),
        ("fc2.bias", Dtype::F32, &[3], &bytes[..4 * 3]),
    ]
}

#[test]
fn files_of_others_are_loaded_without_a_run() -> Result<(), Error> {
    let folder = Folder::new("others");
    let (device, path) = (Device::cpu(), folder.file("theirs.safetensors"));
    let bytes = counting(35);
    write(&path, &tensors(&bytes), &[]);
    let mut net = Net::new(&device, Seed(3))?;
    net.load(&path)?;
    assert_eq!((net.get("fc2.bias")?.to_vec(), net.seed()), (vec![0.0, 1.0, 2.0], Seed(3)));
    let mut more = tensors(&bytes).to_vec();
    more[3] = ("fc2.bias", Dtype::I16, &[6], &bytes[..12]);
    more.push(("zz", Dtype::BF16, &[], &bytes[..2]));
    write(&path, &more, &[]);
    let error = net.load(&path).expect_err("two differ").to_string();
    let lines: Vec<&str> = error.lines().skip(1).collect();
    assert_eq!(
        lines,
        ["  fc2.bias: f32<3> in the model, i16<6> in the file", "  zz: bf16 in the file, not in the model"]
    );
    Ok(())
}

#[test]
fn a_save_that_lost_its_other_half_says_so() -> Result<(), Error> {
    let folder = Folder::new("half");
    let (device, path) = (Device::cpu(), folder.file("net.safetensors"));
    let mut net = Net::new(&device, Seed(7))?;
    train(&mut net, 1)?;
    net.save(&path)?;
    fs::remove_file(folder.file(&names(&folder)[1])).expect("it is there");
    let mut again = Net::new(&device, Seed(1))?;
    let (before, error) = (all(&again), again.load(&path).expect_err("the slots are gone").to_string());
    assert!(error.contains(".run-") && error.contains("is missing"), "{error}");
    assert_eq!(all(&again), before);
    again.load_with(&path, Load::default())?;
    assert_eq!(all(&again), all(&net));
    Ok(())
}

/// A header whose tensors end just below 2^64.
fn overflowing(rest: usize) -> String {
    let size = (1u64 << 61) - 1;
    let part = |at: u64, size: u64| {
        let (start, end) = (at * ((1 << 61) - 1), at * ((1 << 61) - 1) + size);
        format!(r#""t{at}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{start},{end}]}}"#)
    };
    let parts: Vec<String> = (0..8).map(|at| part(at, size)).chain([part(8, rest as u64 % 8)]).collect();
    format!("{{{}}}", parts.join(","))
}

#[test]
fn damaged_files_are_errors_and_change_nothing() -> Result<(), Error> {
    let folder = Folder::new("damaged");
    let (device, path) = (Device::cpu(), folder.file("net.safetensors"));
    let mut net = Net::new(&device, Seed(7))?;
    train(&mut net, 1)?;
    net.save(&path)?;
    let whole = fs::read(&path).expect("it was written");
    let header = u64::from_le_bytes(whole[..8].try_into().expect("eight bytes")) as usize;
    let damaged = folder.file("damaged.safetensors");
    let mut files: Vec<Vec<u8>> = (0..whole.len()).step_by(7).map(|end| whole[..end].to_vec()).collect();
    for size in [0u64, 1, whole.len() as u64, 1 << 40, u64::MAX] {
        files.push([&size.to_le_bytes(), &whole[8..]].concat());
    }
    let with_header = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &whole[8 + header..]].concat();
    for text in [
        "{",
        "[]",
        r#"{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[66],"data_offsets":[264,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}"#,
        r#"{"a":{"dtype":"F32","shape":[66],"data_offsets":[0,264]},"b":{"dtype":"F32","shape":[66],"data_offsets":[0,264]}}"#,
        // Offsets whose sum with the header's length does not fit: eight tensors of an eighth of all memory each.
        &overflowing(whole.len()),
        r#"{"a":{"dtype":"X9","shape":[66],"data_offsets":[0,264]}}"#,
        &"[".repeat(100_000),
    ] {
        files.push(with_header(text));
    }
    files.push([whole.as_slice(), &[0]].concat());
    let (before, seed) = (all(&net), net.seed());
    for (number, file) in files.iter().enumerate() {
        fs::write(&damaged, file).expect("there is room");
        let error = net.load(&damaged).expect_err("the file is damaged");
        assert!(matches!(error, Error::Checkpoint { .. }), "file {number}: {error}");
    }
    assert!(matches!(net.load(folder.file("none")), Err(Error::File { .. })));
    assert!(matches!(net.load(&folder.0), Err(Error::File { .. })));
    assert!(matches!(net.save(folder.file("no/where")), Err(Error::File { .. })));
    assert_eq!((all(&net), net.seed()), (before, seed));
    Ok(())
}

#[test]
fn remarks_that_make_no_sense_are_errors() -> Result<(), Error> {
    let folder = Folder::new("remarks");
    let (device, path, bytes) = (Device::cpu(), folder.file("net.safetensors"), counting(35));
    let mut net = Net::new(&device, Seed(7))?;
    let mut refused = |remarks: &[(&str, &str)]| {
        write(&path, &tensors(&bytes), remarks);
        net.load(&path).expect_err("the remarks make no sense").to_string()
    };
    let error = refused(&[("tapeless.seed", "x")]);
    assert!(error.ends_with("its seed is `x`, which is no number"), "{error}");
    // A name that leads elsewhere is not followed.
    let error = refused(&[("tapeless.seed", "1"), ("tapeless.run", "/../../../secret")]);
    assert!(error.ends_with("its run is `/../../../secret`, which is no name of one"), "{error}");
    // The other half is held against the format too.
    let run = "0123456789abcdef";
    let half = folder.file(&format!("net.safetensors.run-{run}"));
    write(&half, &[("fc1", Dtype::F32, &[1], &bytes[..4])], &[]);
    let error = refused(&[("tapeless.seed", "1"), ("tapeless.run", run)]);
    assert!(error.ends_with("`fc1` names no step"), "{error}");
    write(&half, &[("TrainNet/0.mean", Dtype::I16, &[2], &bytes[..4])], &[]);
    let error = refused(&[("tapeless.seed", "1"), ("tapeless.run", run)]);
    assert!(error.ends_with("`TrainNet/0.mean` is i16<2>, which no slot is"), "{error}");
    assert_eq!(net.seed(), Seed(7));
    Ok(())
}
