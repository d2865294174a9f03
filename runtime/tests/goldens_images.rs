//! Networks for images against records of PyTorch's in float64.

mod golden;

use tapeless::Device;

golden::goldens!(images, large: lenet, resnet18_sum, resnet18_ce, mobilenetv2_keypoints);

/// The device, unless it is emulated.
fn real(device: Device) -> Option<Device> {
    let properties = device.cuda_properties().ok().flatten()?;
    let emulated = properties.name.contains("emulator");
    if emulated {
        println!("skipped: {} would take hours", properties.name);
    }
    (!emulated).then_some(device)
}
