//! How fast the device copies within its memory, which is measured and printed when something is first held against it.

use super::Size;
use super::sheet::{Sheet, Verdict};
use tapeless::Device;

/// The bandwidth of copies.
pub struct Copies<'d> {
    device: &'d Device,
    size: Size,
    /// Once it was measured; nothing in it if that failed.
    measured: Option<Option<f64>>,
}

impl Copies<'_> {
    /// Copies of arrays of this size, which are not measured yet.
    pub fn new(device: &Device, size: Size) -> Copies<'_> {
        Copies { device, size, measured: None }
    }

    /// How many bytes they read and write in a second, if they can be made at all.
    pub fn bandwidth(&mut self, sheet: &mut Sheet) -> Option<f64> {
        match self.measured {
            Some(known) => known,
            None => *self.measured.insert(measure(self.device, self.size, sheet)),
        }
    }
}

fn measure(device: &Device, size: Size, sheet: &mut Sheet) -> Option<f64> {
    let remark = match size {
        Size::Large => "",
        Size::Small => "So small an array says nothing about the memory.",
    };
    sheet.section("Copies within the device's memory", remark, &["array in MB", "GB/s read and written", "result"]);
    let (bandwidth, verdict) = match device.copy_bandwidth(size.bytes()) {
        Ok(bandwidth) => (Some(bandwidth), Verdict::Ok),
        Err(error) => (None, Verdict::on(&error.into())),
    };
    let cell = bandwidth.map_or_else(String::new, |bandwidth| format!("{:.1}", bandwidth / 1e9));
    sheet.row(&[format!("{:.2}", size.bytes() as f64 / 1e6), cell], &verdict);
    bandwidth
}
