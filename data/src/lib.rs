//! What stands around the steps of tapeless in a training program: data sets in memory, cut into shuffled batches, and
//! metrics. Nothing here needs a device, and programs that bring their own leave this crate out.
//!
//! ```
//! use tapeless::{Device, Options, Seed, model};
//! use tapeless_data::{Confusion, Dataset, Rows, RunningMean};
//!
//! model! {
//!     pub model Net(x: f32<N, 2>) -> f32<N, 3> {
//!         let fc1 = Linear(16);
//!         let fc2 = Linear(3);
//!         x.fc1().relu().fc2()
//!     }
//!
//!     pub step Train(x: f32<dyn B, 2>, label: u32<B>, lr: f32) {
//!         let net = Net();
//!         let loss = cross_entropy(net(x), label);
//!         minimize(loss, over = net, with = Adam(lr));
//!         metric(loss);
//!     }
//!
//!     pub step Classify(x: f32<dyn B, 2>) -> u32<B> {
//!         let net = Net();
//!         net(x).argmax(1)
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // The class of a point is how many of its coordinates are positive.
//!     let points: Vec<f32> = (0..300).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.01).collect();
//!     let classes = points.chunks(2).map(|point| point.iter().filter(|x| **x > 0.0).count() as u32).collect();
//!     let data = Dataset::new((Rows::new(2, points)?, Rows::new(1, classes)?))?;
//!     let (test, train) = data.split(30, 7);
//!
//!     let device = Device::cpu();
//!     let mut net = Net::new(&device, Seed(7))?;
//!     let batches = train.batches(32)?.shuffled(7);
//!     // 120 examples: three batches of 32, and one of 24 by a step of its own, which shares the first one's slots.
//!     assert_eq!(batches.sizes(), [32, 24]);
//!     let compile = |&size: &usize| Train::compile(&device, Train::dims().b(size), &Options::default());
//!     let mut steps = batches.sizes().iter().map(compile).collect::<Result<Vec<_>, _>>()?;
//!     let mut losses = Vec::new();
//!     for epoch in 0..40 {
//!         let mut loss = RunningMean::new();
//!         for batch in batches.epoch(epoch) {
//!             let (x, label) = &batch.rows;
//!             loss.add(steps[batch.kind].run(&mut net, x, label, 0.01)?.loss, batch.len);
//!         }
//!         losses.push(loss.mean());
//!     }
//!     assert!(losses[39] < 0.3 * losses[0]);
//!
//!     let (x, label) = test.columns();
//!     let mut classify = Classify::compile(&device, Classify::dims().b(test.len()), &Options::default())?;
//!     let mut confusion = Confusion::new(3);
//!     confusion.add(&classify.run(&net, x.elements())?.output, label.elements())?;
//!     assert!(confusion.accuracy() > 0.8);
//!     println!("{}", confusion.report());
//!     Ok(())
//! }
//! ```

pub mod dataset;
pub mod metrics;

pub use dataset::{Batch, Batches, Columns, DataError, Dataset, Rows};
pub use metrics::{Average, Confusion, MetricError, RunningMean, Scores};
