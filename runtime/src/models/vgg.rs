//! Networks of small convolutions one after the other: Simonyan and Zisserman, "Very deep convolutional networks for
//! large-scale image recognition" (2014).

use crate::model;

model! {
    /// Five stages of convolutions of 3 x 3, each halved by pooling, and three linear layers. So many layers have weights:
    /// 11, 13, 16 or 19.
    pub model Vgg<const LAYERS: usize = 16, const CLASSES: usize = 1000, const NORM: bool = false, const DROP: f32 = 0.5>(image: f32<N, 3, H, W>) -> f32<N, CLASSES> {
        assert!(LAYERS == 11 || LAYERS == 13 || LAYERS == 16 || LAYERS == 19, "Vgg has 11, 13, 16 or 19 layers, not {LAYERS}");
        let early = if LAYERS == 11 { 1 } else { 2 };
        let late = if LAYERS == 16 { 3 } else if LAYERS == 19 { 4 } else { 2 };
        let mut at = 0;
        let mut x = image;
        for (channels, layers) in [(64, early), (128, early), (256, late), (512, late), (512, late)] {
            for i in 0..layers {
                #[name("features.{at}")]
                let conv = Conv2d(channels, 3, padding = 1);
                x = conv(x);
                at += 1;
                if NORM {
                    #[name("features.{at}")]
                    let norm = BatchNorm2d();
                    x = norm(x);
                    at += 1;
                }
                x = relu(x);
                at += 1;
            }
            x = x.max_pool2d(2);
            at += 1;
        }
        let classifier = Seq(
            Linear(4096), relu, Dropout(DROP),
            Linear(4096), relu, Dropout(DROP),
            Linear(CLASSES),
        );
        x.adaptive_avg_pool2d(7).flatten(1).classifier()
    }

    pub model Vgg11 = Vgg(11);
    pub model Vgg13 = Vgg(13);
    pub model Vgg16 = Vgg(16);
    pub model Vgg19 = Vgg(19);
}
