//! Transformers over patches of images: Dosovitskiy and others, "An image is worth 16 x 16 words: transformers for image
//! recognition at scale" (2020).

use crate::model;

model! {
    /// Attention between all patches, then two linear layers, each behind a norm and beside the way around it.
    pub block VitBlock<const HEADS: usize, const HIDDEN: usize, const DROP: f32 = 0.0>(x: f32<N, P, D>) -> f32<N, P, D> {
        let ln_1 = LayerNorm(eps = 1e-6);
        let self_attention = MultiheadAttention(HEADS, batch_first = true);
        let ln_2 = LayerNorm(eps = 1e-6);
        let mlp = Seq(Linear(HIDDEN), gelu, Dropout(DROP), Linear(D), Dropout(DROP));
        let seen = ln_1(x);
        let (y, _) = self_attention(seen, seen, seen, need_weights = false);
        let x = x + y.dropout(DROP);
        x + x.ln_2().mlp()
    }

    /// Patches with their places, through so many blocks.
    block VitEncoder<const LAYERS: usize, const HEADS: usize, const HIDDEN: usize, const DROP: f32>(x: f32<N, P, D>) -> f32<N, P, D> {
        #[param]
        let pos_embedding: f32<1, P, D> = normal(0.02);
        let ln = LayerNorm(eps = 1e-6);
        let mut x = (x + pos_embedding).dropout(DROP);
        for i in 0..LAYERS {
            #[name("layers.encoder_layer_{i}")]
            let block = VitBlock(HEADS, HIDDEN, DROP);
            x = block(x);
        }
        ln(x)
    }

    /// The classes of square images of one size, from what a token of their own gathers from the patches: `vit_b_16`, unless
    /// consts say another.
    pub model ViT<const CLASSES: usize = 1000, const IMAGE: usize = 224, const PATCH: usize = 16, const LAYERS: usize = 12, const HEADS: usize = 12, const D: usize = 768, const HIDDEN: usize = 3072, const DROP: f32 = 0.0>(image: f32<N, 3, IMAGE, IMAGE>) -> f32<N, CLASSES> {
        assert!(IMAGE % PATCH == 0, "patches of {PATCH} do not divide an image of {IMAGE}");
        #[param]
        let class_token: f32<1, 1, D> = zeros();
        let conv_proj = Conv2d(D, PATCH, stride = PATCH);
        let encoder = VitEncoder(LAYERS, HEADS, HIDDEN, DROP);
        let heads = VitHead(CLASSES);
        let patches = image.conv_proj().flatten(2).transpose(1, 2);
        let x = cat([class_token.expand([N, 1, D]), patches], 1).encoder();
        x.at(1, 0).heads()
    }

    /// The last layer, which begins at zero.
    block VitHead<const CLASSES: usize>(x: f32<N, D>) -> f32<N, CLASSES> {
        let head = Linear(CLASSES);
        x.head()
    }
}
