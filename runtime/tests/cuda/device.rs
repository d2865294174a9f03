//! The CUDA device that tests run on, if there is one.

use tapeless::{Device, Error};

/// The first CUDA device, or nothing where there is none, and then it says so.
pub fn device() -> Option<Device> {
    match Device::cuda(0) {
        Ok(device) => Some(device),
        Err(error @ (Error::NoDriver | Error::NoSuchDevice { .. } | Error::OldDevice { .. })) => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
