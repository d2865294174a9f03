//! Networks for images against records of PyTorch's in float64.

mod golden;

golden::goldens!(images: lenet);

mod photographs {
    use crate::golden;

    golden::goldens!(photographs on the processor: resnet18_sum, resnet18_ce, mobilenetv2_keypoints);
}
