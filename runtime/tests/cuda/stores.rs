use crate::device::device;
use crate::models::{BATCH, Net, Noisy, Train, batch, network, train};
use std::path::PathBuf;
use tapeless::{DType, Device, Error, Options, Seed, Store};

/// Every tensor of a store.
fn tensors(store: &Store) -> Vec<(String, Vec<f32>)> {
    let tensor = |key: String| {
        let values = store.get(&key).expect("the store has it").to_vec();
        (key, values)
    };
    store.parameters().into_iter().map(|parameter| tensor(parameter.key)).collect()
}

/// A file that the test removes.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> File {
        File(std::env::temp_dir().join(format!("tapeless-{}-{name}.safetensors", std::process::id())))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let name = self.0.file_name().expect("a file has a name").to_string_lossy().into_owned();
        for entry in std::fs::read_dir(std::env::temp_dir()).expect("there is a folder").flatten() {
            if entry.file_name().to_string_lossy().starts_with(&name) {
                std::fs::remove_file(entry.path()).expect("the test made it");
            }
        }
    }
}

#[test]
fn cuda_stores_begin_as_they_do_on_the_processor() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let (here, there) = (Noisy::new(&Device::cpu(), Seed(7))?, Noisy::new(&device, Seed(7))?);
    assert_eq!(tensors(&there), tensors(&here));
    assert_eq!((there.seed(), there.parameters()), (Seed(7), here.parameters()));
    Ok(())
}

#[test]
fn cuda_stores_keep_what_is_set() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let mut net = Net::new(&device, Seed(1))?;
    net.set("fc2.bias", &[1.0, -2.0, 0.5])?;
    assert_eq!(*net.get("fc2.bias")?, [1.0, -2.0, 0.5]);
    net.set_typed::<f32>("fc2.bias", &[0.0, 3.0, 4.0])?;
    assert_eq!(*net.get_typed::<f32>("fc2.bias")?, [0.0, 3.0, 4.0]);
    assert!(matches!(net.set("fc2.bias", &[1.0]), Err(Error::ValueCount { expected: 3, found: 1, .. })));
    assert!(matches!(net.get_typed::<u8>("fc2.bias"), Err(Error::OtherType { asked: DType::U8, .. })));
    Ok(())
}

#[test]
fn cuda_stores_and_those_of_the_processor_load_each_others_files() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let file = File::new("both");
    let net = Net::new(&device, Seed(5))?;
    net.save(&file.0)?;
    let mut here = Net::new(&Device::cpu(), Seed(6))?;
    here.load(&file.0)?;
    assert_eq!((tensors(&here), here.seed()), (tensors(&net), Seed(5)));
    here.set("fc1.bias", &[0.25; 10])?;
    here.save(&file.0)?;
    let mut there = Net::new(&device, Seed(8))?;
    there.load(&file.0)?;
    assert_eq!(tensors(&there), tensors(&here));
    Ok(())
}

#[test]
fn cuda_stores_are_refused_by_steps_of_the_processor() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let mut step = Train::compile(&Device::cpu(), Train::dims().b(BATCH), &Options::default())?;
    let mut net = Net::new(&device, Seed(0))?;
    let (x, y) = batch(0);
    let error = step.run(&mut net, &x, &y, 0.1).map(|_| ()).expect_err("the store lies elsewhere");
    assert_eq!(error.to_string(), format!("Train runs on the processor, and `net` lies on {device}"));
    Ok(())
}

#[test]
fn cuda_steps_refuse_stores_of_the_processor() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let (_, mut step) = network(&device, &Options::default())?;
    let mut net = Net::new(&Device::cpu(), Seed(0))?;
    let (x, y) = batch(0);
    let error = step.run(&mut net, &x, &y, 0.1).map(|_| ()).expect_err("the store lies elsewhere");
    assert_eq!(error.to_string(), format!("Train runs on {device}, and `net` lies on the processor"));
    Ok(())
}

#[test]
fn cuda_runs_resume_from_a_file_bit_by_bit() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let file = File::new("resumed");
    let (mut net, mut step) = network(&device, &Options::default())?;
    train(&mut net, &mut step, 0..3)?;
    net.save(&file.0)?;
    let expected = train(&mut net, &mut step, 3..6)?;
    let mut resumed = Net::new(&device, Seed(99))?;
    resumed.load(&file.0)?;
    assert_eq!(train(&mut resumed, &mut step, 3..6)?, expected);
    assert_eq!(tensors(&resumed), tensors(&net));
    Ok(())
}

#[test]
fn cuda_stores_have_averages() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let averages = |device: &Device| {
        let (mut net, mut step) = network(device, &Options::default())?;
        train(&mut net, &mut step, 0..4)?;
        net.averaged("Train").map(|average| tensors(&average))
    };
    let (found, expected) = (averages(&device)?, averages(&Device::cpu())?);
    for ((key, found), (_, expected)) in found.iter().zip(&expected) {
        println!("{key}");
        crate::models::assert_close(found, expected, 1e-5);
    }
    Ok(())
}

#[test]
fn cuda_changes_between_runs_reach_the_next_run() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let run = |device: &Device| {
        let (mut net, mut step) = network(device, &Options::default())?;
        train(&mut net, &mut step, 0..2)?;
        net.set("fc2.bias", &[5.0, 5.0, 5.0])?;
        train(&mut net, &mut step, 2..4)
    };
    crate::models::assert_close(&run(&device)?, &run(&Device::cpu())?, 1e-5);
    Ok(())
}
