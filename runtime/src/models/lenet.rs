//! Two convolutions and two linear layers for images of 28 x 28, after LeCun, Bottou, Bengio and Haffner, "Gradient-based
//! learning applied to document recognition" (1998), with the layers of today.

use crate::model;

model! {
    /// Two convolutions with pooling, two linear layers with dropout between them. Images of one channel, 28 x 28.
    pub model LeNet<const CLASSES: usize = 10, const DROP: f32 = 0.5>(image: f32<N, 1, 28, 28>) -> f32<N, CLASSES> {
        let conv1 = Conv2d(32, 3, padding = 1);
        let conv2 = Conv2d(64, 3, padding = 1);
        let dropout = Dropout(DROP);
        let fc1 = Linear(128);
        let fc2 = Linear(CLASSES);
        let x = image.conv1().relu().max_pool2d(2);
        let x = x.conv2().relu().max_pool2d(2);
        x.flatten(1).fc1().relu().dropout().fc2()
    }
}
