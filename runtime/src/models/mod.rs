//! Networks, written in the language: a `model!` imports them by `use tapeless::models::ResNet18;`.
//!
//! Keys and shapes of the tensors of networks that torchvision has too are those of its models, so that its state dicts load by
//! name; those of `Llama` are Hugging Face's.
//! Each network is a model with its default consts; another number of classes is a name of its own:
//!
//! ```
//! use tapeless::{Device, Error, Seed, model};
//!
//! model! {
//!     use tapeless::models::ResNet18;
//!
//!     pub model Flowers = ResNet18(102);
//! }
//!
//! fn main() -> Result<(), Error> {
//!     let flowers = Flowers::new(&Device::cpu(), Seed(0))?;
//!     assert_eq!(flowers.get("fc.weight")?.shape(), [102, 512]);
//!     Ok(())
//! }
//! ```

mod convnext;
mod gpt;
mod lenet;
mod llama;
mod lstm;
mod mobilenet;
mod resnet;
mod rotary;
mod unet;
mod vgg;
mod vit;

pub use convnext::{CnBlock, ConvNeXt};
pub use gpt::{Gpt, GptBlock};
pub use lenet::LeNet;
pub use llama::{Llama, LlamaAttention, LlamaBlock, SwiGlu};
pub use lstm::LstmClassifier;
pub use mobilenet::{ConvNormAct, InvertedResidual, MobileNetV2};
pub use resnet::{BasicBlock, Bottleneck, ResNet18, ResNet34, ResNet50};
pub use rotary::Rotary;
pub use unet::{DoubleConv, UNet};
pub use vgg::{Vgg, Vgg11, Vgg13, Vgg16, Vgg19};
pub use vit::{ViT, VitBlock};
