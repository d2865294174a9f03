//! Residual networks: He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015), with the stride of a
//! bottleneck in its second convolution, as torchvision has it.

use crate::model;

model! {
    /// Two convolutions of 3 x 3 beside what they are added to.
    pub block BasicBlock<const O: usize, const S: usize = 1>(x: f32<N, I, H, W>) -> f32<N, O, _, _> {
        let conv1 = Conv2d(O, 3, stride = S, padding = 1, bias = false);
        let bn1 = BatchNorm2d();
        let conv2 = Conv2d(O, 3, padding = 1, bias = false);
        let bn2 = BatchNorm2d();
        let y = x.conv1().bn1().relu().conv2().bn2();
        let skip = if S != 1 || I != O {
            let downsample = Seq(Conv2d(O, 1, stride = S, bias = false), BatchNorm2d());
            downsample(x)
        } else {
            x
        };
        relu(y + skip)
    }

    /// A convolution of 3 x 3 between two of 1 x 1, the last with four times the channels, beside what they are added to.
    pub block Bottleneck<const C: usize, const S: usize = 1>(x: f32<N, I, H, W>) -> f32<N, {4 * C}, _, _> {
        let conv1 = Conv2d(C, 1, bias = false);
        let bn1 = BatchNorm2d();
        let conv2 = Conv2d(C, 3, stride = S, padding = 1, bias = false);
        let bn2 = BatchNorm2d();
        let conv3 = Conv2d(4 * C, 1, bias = false);
        let bn3 = BatchNorm2d();
        let y = x.conv1().bn1().relu().conv2().bn2().relu().conv3().bn3();
        let skip = if S != 1 || I != 4 * C {
            let downsample = Seq(Conv2d(4 * C, 1, stride = S, bias = false), BatchNorm2d());
            downsample(x)
        } else {
            x
        };
        relu(y + skip)
    }

    /// A quarter of the rows and columns, then four stages of so many blocks each, and the classes of what they leave.
    block Stages<const BOTTLENECKS: bool, const FIRST: usize, const SECOND: usize, const THIRD: usize, const FOURTH: usize, const CLASSES: usize>(image: f32<N, 3, H, W>) -> f32<N, CLASSES> {
        let conv1 = Conv2d(64, 7, stride = 2, padding = 3, bias = false);
        let bn1 = BatchNorm2d();
        let mut x = image.conv1().bn1().relu().max_pool2d(3, stride = 2, padding = 1);
        for (stage, channels, blocks) in [(1, 64, FIRST), (2, 128, SECOND), (3, 256, THIRD), (4, 512, FOURTH)] {
            for i in 0..blocks {
                let stride = if stage > 1 && i == 0 { 2 } else { 1 };
                if BOTTLENECKS {
                    #[name("layer{stage}.{i}")]
                    let block = Bottleneck(channels, S = stride);
                    x = block(x);
                } else {
                    #[name("layer{stage}.{i}")]
                    let block = BasicBlock(channels, S = stride);
                    x = block(x);
                }
            }
        }
        let fc = Linear(CLASSES);
        x.mean([2, 3]).fc()
    }

    /// Two basic blocks in each stage. Images of any extents, in three channels.
    pub model ResNet18<const CLASSES: usize = 1000>(image: f32<N, 3, H, W>) -> f32<N, CLASSES> {
        #[name("")]
        let stages = Stages(false, 2, 2, 2, 2, CLASSES);
        stages(image)
    }

    /// Three, four, six and three basic blocks.
    pub model ResNet34<const CLASSES: usize = 1000>(image: f32<N, 3, H, W>) -> f32<N, CLASSES> {
        #[name("")]
        let stages = Stages(false, 3, 4, 6, 3, CLASSES);
        stages(image)
    }

    /// Three, four, six and three bottlenecks.
    pub model ResNet50<const CLASSES: usize = 1000>(image: f32<N, 3, H, W>) -> f32<N, CLASSES> {
        #[name("")]
        let stages = Stages(true, 3, 4, 6, 3, CLASSES);
        stages(image)
    }
}
