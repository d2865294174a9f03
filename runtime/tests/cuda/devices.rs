use crate::device::device;
use crate::process::{is_own, is_own_emulated};
use tapeless::{Device, Error};

#[test]
fn cuda_devices_that_are_not_there_are_refused_with_how_many_there_are() {
    match Device::cuda(99).expect_err("nobody has a hundred of them") {
        Error::NoSuchDevice { ordinal: 99, count } => assert!(count < 99),
        Error::NoDriver => println!("skipped: there is no driver"),
        other => panic!("{other}"),
    }
}

#[test]
fn cuda_drivers_that_are_missing_are_one_message() {
    let test = "devices::cuda_drivers_that_are_missing_are_one_message";
    if !is_own(test, &[("LD_LIBRARY_PATH", "")]) {
        return;
    }
    let Err(error) = Device::cuda(0) else { return println!("skipped: the machine has a driver of its own") };
    let expected = "there is no CUDA driver: its library (libcuda.so.1, nvcuda.dll) cannot be loaded; \
                    `Device::cpu()` needs none";
    assert_eq!(error.to_string(), expected);
    assert_eq!(format!("{:?}", Device::best().expect("the processor is always there")), "Device::cpu()");
}

#[test]
fn cuda_is_the_best_device_where_there_is_one() {
    let expected = if device().is_some() { "Device::cuda(0)" } else { "Device::cpu()" };
    assert_eq!(format!("{:?}", Device::best().expect("there is a device")), expected);
}

#[test]
fn cuda_drivers_without_a_device_leave_the_processor() {
    let test = "devices::cuda_drivers_without_a_device_leave_the_processor";
    if !is_own_emulated(test, &[("PTX_EMU_DEVICES", "0")]) {
        return;
    }
    let error = Device::cuda(0).expect_err("there is none");
    assert_eq!(error.to_string(), "there is no CUDA device 0: the driver knows none");
    assert_eq!(format!("{:?}", Device::best().expect("the processor is always there")), "Device::cpu()");
}

#[test]
fn cuda_devices_that_are_too_old_leave_the_processor() {
    let test = "devices::cuda_devices_that_are_too_old_leave_the_processor";
    if !is_own_emulated(test, &[("PTX_EMU_CC", "7.5")]) {
        return;
    }
    let error = Device::cuda(0).expect_err("it is too old");
    assert!(matches!(error, Error::OldDevice { capability: (7, 5), .. }), "{error}");
    assert_eq!(format!("{:?}", Device::best().expect("the processor is always there")), "Device::cpu()");
}

#[test]
fn cuda_devices_say_what_they_are() {
    let Some(device) = device() else { return };
    let cuda = device.cuda_properties().expect("the driver answers").expect("it is a CUDA device");
    assert_eq!(device.to_string(), format!("CUDA device 0 ({})", cuda.name));
    assert!(cuda.capability >= (8, 0) && cuda.driver >= (11, 0) && cuda.multiprocessors > 0, "{cuda:?}");
    assert!(0 < cuda.free && cuda.free <= cuda.memory, "{cuda:?}");
    let bandwidth = device.copy_bandwidth(1 << 20).expect("it has a megabyte");
    // Neither a device nor its emulator moves less than a byte in ten nanoseconds, none a million in one.
    assert!((1e8..1e15).contains(&bandwidth), "{bandwidth}");
}
