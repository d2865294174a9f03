//! Suggestions for misspelled names.

/// The names nearest to a misspelled one, best first, at most three; names that differ in case only count as one.
///
/// Near is a Damerau-Levenshtein distance of a third of the name's length, whatever the case. Among equally far names those
/// come first that agree with `name` from the front: letters are compared by the bits in which they differ, which makes
/// the order independent of that of the candidates.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let folded = name.to_lowercase();
    let farthest = (folded.chars().count() + 1) / 3;
    let mut near: Vec<(Rank, &str)> = candidates
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= farthest)
        .map(|candidate| (rank(name, &folded, candidate), candidate))
        .filter(|(rank, _)| rank.0 <= farthest)
        .collect();
    near.sort();
    let mut found: Vec<&str> = Vec::new();
    for (_, candidate) in near {
        if found.len() < 3 && !found.iter().any(|known| known.eq_ignore_ascii_case(candidate)) {
            found.push(candidate);
        }
    }
    found
}

/// The distance, the bits in which letters differ, and the same with case.
type Rank = (usize, Vec<u32>, Vec<u32>);

fn rank(name: &str, folded: &str, candidate: &str) -> Rank {
    let other = candidate.to_lowercase();
    (distance(folded, &other), differences(folded, &other), differences(name, candidate))
}

/// What differs in each letter, from the front; the end of the shorter one differs from every letter.
fn differences(a: &str, b: &str) -> Vec<u32> {
    let letters =
        |text: &str| text.chars().map(u32::from).chain(std::iter::repeat(0)).take(a.len().max(b.len())).collect();
    let (a, b): (Vec<u32>, Vec<u32>) = (letters(a), letters(b));
    a.into_iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// How many letters must be put in, left out, replaced or exchanged with their neighbour, each letter at most once.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every layer, activation, loss, optimizer, initialiser and function of the language.
    const NAMES: &str = "Linear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d BatchNorm1d BatchNorm2d LayerNorm \
        GroupNorm InstanceNorm2d RmsNorm Embedding Dropout Dropout2d MultiheadAttention TransformerEncoderLayer \
        TransformerDecoderLayer Rnn Lstm Gru MaxPool2d AvgPool2d AdaptiveAvgPool2d Flatten Upsample Identity Relu Relu6 \
        LeakyRelu Elu Selu Silu Gelu Mish Hardswish Hardsigmoid Hardtanh Softplus Sigmoid Tanh Prelu Softmax LogSoftmax \
        relu relu6 leaky_relu elu selu silu gelu mish hardswish hardsigmoid hardtanh softplus sigmoid tanh prelu softmax \
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
        assert_eq!(suggest("rellu", NAMES), "relu, relu6, selu");
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
        assert_eq!(suggest("adam", OPTIMIZERS), "Adam, AdamW");
    }

    #[test]
    fn the_order_of_candidates_does_not_matter() {
        for name in ["rellu", "gellu", "BatchNorm1D", "maxpool"] {
            let forward = nearest(name, NAMES.split_whitespace());
            assert_eq!(forward, nearest(name, NAMES.split_whitespace().rev()), "{name}");
        }
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("sdg", "sgd"), 1);
        assert_eq!(distance("rellu", "relu6"), 2);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
