//! Suggestions for misspelled names.

/// Less alike than this is another name, not a misspelled one.
const ALIKE: f64 = 0.6;

/// The names nearest to a misspelled one, best first, at most three; names that differ in case only count as one.
///
/// Near is the share of letters in common runs, after Ratcliff and Obershelp, whatever the case; case and then the
/// alphabet, backward, decide between equally near names.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let letters = |text: &str| text.chars().collect::<Vec<char>>();
    let (own, folded) = (letters(name), letters(&name.to_lowercase()));
    let mut near: Vec<(f64, f64, &str)> = candidates
        .map(|other| (alike(&folded, &letters(&other.to_lowercase())), alike(&own, &letters(other)), other))
        .filter(|(alike, _, _)| *alike >= ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)).then(b.2.cmp(a.2)));
    let mut found: Vec<&str> = Vec::new();
    for (_, _, candidate) in near {
        if found.len() < 3 && !found.iter().any(|known| known.eq_ignore_ascii_case(candidate)) {
            found.push(candidate);
        }
    }
    found
}

/// Twice the letters in common runs over all letters: 1 for equal texts, 0 for texts without a common letter.
fn alike(a: &[char], b: &[char]) -> f64 {
    match a.len() + b.len() {
        0 => 1.0,
        total => 2.0 * common(a, b) as f64 / total as f64,
    }
}

/// Letters of the longest common run, and of the runs left and right of it.
fn common(a: &[char], b: &[char]) -> usize {
    let mut longest = (0, 0, 0);
    for i in 0..a.len() {
        for j in 0..b.len() {
            let run = a[i..].iter().zip(&b[j..]).take_while(|(x, y)| x == y).count();
            if run > longest.0 {
                longest = (run, i, j);
            }
        }
    }
    match longest {
        (0, ..) => 0,
        (run, i, j) => run + common(&a[..i], &b[..j]) + common(&a[i + run..], &b[j + run..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every layer, activation, loss, optimizer, initialiser and function of the language.
    const NAMES: &str = "Linear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d BatchNorm1d BatchNorm2d LayerNorm \
        GroupNorm InstanceNorm2d RmsNorm Embedding Dropout Dropout2d MultiheadAttention TransformerEncoderLayer \
        TransformerDecoderLayer Rnn Lstm Gru MaxPool2d AvgPool2d AdaptiveAvgPool2d Flatten Upsample Identity Relu Relu6 \
        LeakyRelu Elu Selu Silu Gelu Mish Hardswish Hardsigmoid Hardtanh Softplus Sigmoid Tanh Prelu Softmax LogSoftmax \
        relu relu6 leaky_relu elu selu silu gelu mish hardswish hardsigmoid hardtanh softplus sigmoid tanh softmax \
        log_softmax mse l1 smooth_l1 huber cross_entropy nll bce bce_with_logits kl_div hinge_embedding cosine_embedding \
        triplet_margin ctc zeros ones constant uniform normal xavier_uniform xavier_normal kaiming_uniform kaiming_normal \
        trunc_normal orthogonal max_pool2d avg_pool2d adaptive_avg_pool2d interpolate scaled_dot_product_attention matmul \
        einsum logsumexp gather scatter_add index_select topk cumsum cat stack chunk split flatten reshape permute \
        transpose t squeeze unsqueeze expand repeat_interleave pad flip roll tril triu arange clamp maximum minimum pow \
        sqrt rsqrt exp log sin cos erf abs sign floor round select mean sum max min amax argmax argmin var at slice cast \
        detach eq ne lt le gt ge logical_and logical_or logical_not zeros_like ones_like randn rand bernoulli one_hot \
        minimize metric Seq";
    const OPTIMIZERS: &str = "Sgd Adagrad RmsProp Adadelta Adam AdamW Adamax Nadam Radam Lion Lamb";

    fn suggest(name: &str, names: &'static str) -> String {
        nearest(name, names.split_whitespace()).join(", ")
    }

    #[test]
    fn functions_and_layers() {
        assert_eq!(suggest("rellu", NAMES), "relu, relu6, Prelu");
        assert_eq!(suggest("gellu", NAMES), "gelu, elu, selu");
        assert_eq!(suggest("BatchNorm1D", NAMES), "BatchNorm1d, BatchNorm2d");
        assert_eq!(suggest("ReLU", NAMES).split(", ").next(), Some("Relu"));
        assert_eq!(suggest("sofmax", NAMES).split(", ").next(), Some("softmax"));
        assert_eq!(suggest("something_else", NAMES), "");
    }

    #[test]
    fn arguments_and_optimizers() {
        assert_eq!(
            suggest("strides", "out_channels kernel_size stride padding dilation groups bias padding_mode"),
            "stride"
        );
        assert_eq!(suggest("biass", "out_features bias"), "bias");
        assert_eq!(suggest("Sdg", OPTIMIZERS), "Sgd");
        assert_eq!(suggest("adam", OPTIMIZERS).split(", ").next(), Some("Adam"));
    }

    #[test]
    fn the_order_of_candidates_does_not_matter() {
        for name in ["rellu", "gellu", "BatchNorm1D", "maxpool"] {
            let forward = nearest(name, NAMES.split_whitespace());
            assert_eq!(forward, nearest(name, NAMES.split_whitespace().rev()), "{name}");
        }
    }

    #[test]
    fn common_runs_count_on_both_sides_of_the_longest() {
        let letters = |text: &str| text.chars().collect::<Vec<char>>();
        assert_eq!(common(&letters("rellu"), &letters("relu")), 4);
        assert_eq!(common(&letters(""), &letters("abc")), 0);
        assert_eq!(alike(&letters("sdg"), &letters("sgd")), 2.0 / 3.0);
    }
}
