//! Sizes, strides and paddings that do not fit each other or the image.

use tapeless::model;

model! {
    pub model Net(image: f32<N, 3, 8, 6>) -> f32<N, 4> {
        let sizes = Conv2d(8, (3, 3, 3));
        let groups = Conv2d(8, 3, groups = 2);
        let same = Conv2d(8, 3, stride = 2, padding = same);
        let word = Conv2d(8, 3, padding = equal);
        let stride = Conv2d(8, 3, stride = 0);
        let large = Conv2d(8, 7);
        let back = ConvTranspose2d(8, 2, stride = 2, output_padding = 2);
        let flat = image.sizes().flatten(1);
        let shared = image.groups().mean([2, 3]) + image.same().mean([2, 3]) + image.word().mean([2, 3]);
        let other = image.stride().mean([2, 3]) + image.large().mean([2, 3]) + image.back().mean([2, 3]);
        let pooled = image.max_pool2d(2, padding = 2);
        let wide = image.avg_pool2d(9);
        let sized = image.interpolate(mode = bilinear);
        shared + other
    }
}

fn main() {}

// error: Conv2d: `kernel_size` is a number or 2 in a tuple, not a tuple of 3
//          Conv2d(out_channels, kernel_size, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, padding_mode = zeros)
//   --> wrong/conv_arguments.rs:7:31
// error: conv2d: 2 groups do not share 3 channels evenly
//          x is f32<N, 3, 8, 6>, weight is f32<8, 1, 3, 3>
//   --> wrong/conv_arguments.rs:15:28
// error: conv2d: `padding` is a number where the stride is not 1: no padding keeps the extents
//          conv2d(input, weight, bias = …, stride = 1, padding = 0, dilation = 1, groups = 1, padding_mode = zeros)
//   --> wrong/conv_arguments.rs:15:58
// error: conv2d: `padding` is a number, `same` or `valid`, not `equal`
//          conv2d(input, weight, bias = …, stride = 1, padding = 0, dilation = 1, groups = 1, padding_mode = zeros)
//   --> wrong/conv_arguments.rs:15:86
// error: conv2d: `stride` is at least 1, not 0
//          conv2d(input, weight, bias = …, stride = 1, padding = 0, dilation = 1, groups = 1, padding_mode = zeros)
//   --> wrong/conv_arguments.rs:16:27
// error: conv2d: a window of 7 does not fit axis 3 of extent 6
//          x is f32<N, 3, 8, 6>, weight is f32<8, 3, 7, 7>
//   --> wrong/conv_arguments.rs:16:57
// error: conv_transpose2d: `output_padding` is less than the stride, and not less than 0
//          conv_transpose2d(input, weight, bias = …, stride = 1, padding = 0, output_padding = 0, groups = 1, dilation = 1)
//   --> wrong/conv_arguments.rs:16:86
// error: max_pool2d: `padding` is at most half of a window
//          max_pool2d(input, kernel_size, stride = …, padding = 0, dilation = 1, ceil_mode = false)
//   --> wrong/conv_arguments.rs:17:52
// error: avg_pool2d: a window of 9 does not fit axis 3 of extent 6
//          image is f32<N, 3, 8, 6>
//          image is made at wrong/conv_arguments.rs:6:19
//   --> wrong/conv_arguments.rs:18:26
// error: interpolate: takes `size` or `scale_factor`, one of them
//          interpolate(input, size = …, scale_factor = …, mode = nearest, align_corners = false)
//   --> wrong/conv_arguments.rs:19:27
