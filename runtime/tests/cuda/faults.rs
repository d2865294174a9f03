use crate::device::device;
use crate::models::{Net, network, train};
use crate::process::{is_one, is_own_emulated};
use tapeless::{Device, Error, Options, Seed};

/// Whether this is a process with these faults injected.
fn is_own_with(test: &str, faults: &str) -> bool {
    is_own_emulated(&format!("faults::{test}"), &[("PTX_EMU_FAIL", faults)])
}

#[test]
fn cuda_memory_that_runs_out_is_an_error_and_nothing_else() -> Result<(), Error> {
    let test = "faults::cuda_memory_that_runs_out_is_an_error_and_nothing_else";
    if !is_one() {
        // Memories of the store, then those of the step, slots at last: whatever fails, the program goes on.
        (1..=7).for_each(|number| assert!(!is_own_emulated(test, &[("PTX_EMU_FAIL", &format!("alloc:{number}"))])));
        return Ok(());
    }
    let device = device().expect("the driver was there before");
    let trained = || {
        let (mut net, mut step) = network(&device, &Options::default())?;
        train(&mut net, &mut step, 0..3)
    };
    match trained() {
        Err(Error::OutOfDeviceMemory { bytes, .. } | Error::OutOfMemory { bytes }) => println!("{bytes} bytes"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("something was to fail"),
    }
    let (mut net, mut step) = network(&Device::cpu(), &Options::default())?;
    crate::models::assert_close(&trained()?, &train(&mut net, &mut step, 0..3)?, 1e-5);
    Ok(())
}

#[test]
fn cuda_launches_that_fail_leave_the_parameters_readable() -> Result<(), Error> {
    // The first two runs are fine for steps of up to 20 launches; the third one or a later one fails.
    if !is_own_with("cuda_launches_that_fail_leave_the_parameters_readable", "launch:41") {
        return Ok(());
    }
    let device = device().expect("the driver was there before");
    let (mut net, mut step) = network(&device, &Options::default())?;
    train(&mut net, &mut step, 0..2)?;
    let before = net.get("fc1.weight")?.to_vec();
    let error = (2..100).find_map(|run| train(&mut net, &mut step, run..run + 1).err()).expect("a launch fails");
    let Error::Launch { error: name, .. } = &error else { panic!("{error}") };
    assert!(name.contains("CUDA_ERROR_LAUNCH_FAILED"), "{name}");
    assert_eq!(*net.get("fc1.weight")?, before[..]);
    let path = std::env::temp_dir().join(format!("tapeless-{}-lost.safetensors", std::process::id()));
    net.save(&path)?;
    let mut saved = Net::new(&Device::cpu(), Seed(9))?;
    saved.load_with(&path, tapeless::Load::default())?;
    for entry in std::fs::read_dir(std::env::temp_dir()).expect("there is a folder").flatten() {
        if entry.file_name().to_string_lossy().contains(&format!("tapeless-{}-lost", std::process::id())) {
            std::fs::remove_file(entry.path()).expect("the test made it");
        }
    }
    assert_eq!(*saved.get("fc1.weight")?, before[..]);
    let error = train(&mut net, &mut step, 0..1).expect_err("the device is lost");
    assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
    assert!(matches!(net.set("fc2.bias", &[0.0; 3]), Err(Error::DeviceLost { .. })));
    Ok(())
}

#[test]
fn cuda_launches_that_fail_name_the_kernel_where_they_are_timed() -> Result<(), Error> {
    if !is_own_with("cuda_launches_that_fail_name_the_kernel_where_they_are_timed", "launch:2") {
        return Ok(());
    }
    let device = device().expect("the driver was there before");
    let (mut net, mut step) = network(&device, &Options { profile: true, ..Options::default() })?;
    let error = train(&mut net, &mut step, 0..1).expect_err("the second launch fails");
    assert!(matches!(&error, Error::Launch { step, kernel: Some(_), .. } if step == "Train"), "{error}");
    Ok(())
}

#[test]
fn cuda_modules_that_do_not_load_are_errors_of_compile() -> Result<(), Error> {
    if !is_own_with("cuda_modules_that_do_not_load_are_errors_of_compile", "load:1") {
        return Ok(());
    }
    let device = device().expect("the driver was there before");
    let error = network(&device, &Options::default()).map(|_| ()).expect_err("the first module is refused");
    assert!(
        matches!(&error, Error::Module { step, reason, .. } if step == "Train" && reason.ends_with("injected failure")),
        "{error}"
    );
    network(&device, &Options::default()).map(|_| ())
}

#[test]
fn cuda_copies_that_fail_leave_runs_that_can_be_repeated() -> Result<(), Error> {
    // Two copies make the store and one the slots; the inputs of the first run are the fourth.
    if !is_own_with("cuda_copies_that_fail_leave_runs_that_can_be_repeated", "copy:4") {
        return Ok(());
    }
    let device = device().expect("the driver was there before");
    let (mut net, mut step) = network(&device, &Options::default())?;
    let error = train(&mut net, &mut step, 0..1).expect_err("a copy fails");
    assert!(matches!(&error, Error::Driver { error, .. } if error.contains("CUDA_ERROR_UNKNOWN")), "{error}");
    let (mut here, mut there) = network(&Device::cpu(), &Options::default())?;
    crate::models::assert_close(&train(&mut net, &mut step, 0..4)?, &train(&mut here, &mut there, 0..4)?, 1e-5);
    Ok(())
}
