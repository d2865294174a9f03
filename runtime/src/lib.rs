//! Deep-learning training steps compiled ahead of time into fused machine code.
//!
//! A model is written in the language of [`model!`], which runs while the crate compiles: it checks every shape, derives
//! the backward pass and the optimizer's update, and embeds the whole step as a graph. `compile` binds the extents that
//! are left open, fuses the graph into kernels and makes machine code of them; `run` calls that code. Nothing is recorded,
//! nothing is interpreted, and after the first run nothing is allocated.
//!
//! ```
//! use tapeless::{model, Device, Error, Options, Seed};
//!
//! model! {
//!     pub model Net(x: f32<N, 10>) -> f32<N, 1> {
//!         let fc1 = Linear(20);
//!         let fc2 = Linear(1);
//!         x.fc1().relu().fc2()
//!     }
//!
//!     pub step TrainNet(x: f32<dyn B, 10>, y: f32<B, 1>, lr: f32) {
//!         let net = Net();
//!         let loss = mse(net(x), y);
//!         minimize(loss, over = net, with = Sgd(lr));
//!         metric(loss);
//!     }
//! }
//!
//! fn main() -> Result<(), Error> {
//!     let device = Device::cpu();
//!     let mut net = Net::new(&device, Seed(0))?;
//!     let mut train = TrainNet::compile(&device, TrainNet::dims().b(4), &Options::default())?;
//!     let (x, y) = (vec![0.5; 4 * 10], vec![1.0; 4]);
//!     let first = train.run(&mut net, &x, &y, 0.1)?.loss;
//!     let second = train.run(&mut net, &x, &y, 0.1)?.loss;
//!     assert!(second < first);
//!     println!("{:?}\n{}", net.get("fc2.bias")?, train.explain());
//!     Ok(())
//! }
//! ```

// What `model!` writes names this crate by its name, in this crate too.
extern crate self as tapeless;

mod device;
mod elements;
mod error;
#[doc(hidden)]
pub mod generated;
mod memory;
pub mod models;
pub mod schedule;
mod step;
mod store;
mod tensor;

pub use device::{CudaProperties, Device};
pub use error::Error;
/// The element types of half precision.
pub use half::{bf16, f16};
pub use step::{LaunchProfile, Profile, Step};
pub use store::{Difference, Load, LoadReport, Parameter, Seed, Store, Stored};
pub use tapeless_compiler::dtype::DType;
pub use tapeless_compiler::pipeline::{Fusion, Options};
pub use tapeless_macros::model;
pub use tensor::{Tensor, View};
