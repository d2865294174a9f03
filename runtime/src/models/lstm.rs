//! Classes of sequences by recurrent layers: Hochreiter and Schmidhuber, "Long short-term memory" (1997).

use crate::model;

model! {
    /// Embeddings, recurrent layers in both directions, and the classes of what they end with. Token 0 is the padding.
    pub model LstmClassifier<const VOCAB: usize = 1000, const WIDTH: usize = 64, const HIDDEN: usize = 128, const LAYERS: usize = 2, const CLASSES: usize = 4, const BETWEEN: f32 = 0.2, const DROP: f32 = 0.5>(ids: u32<N, T>) -> f32<N, CLASSES> {
        let embed = Embedding(VOCAB, WIDTH, padding_idx = 0);
        let lstm = Lstm(HIDDEN, num_layers = LAYERS, batch_first = true, dropout = if LAYERS > 1 { BETWEEN } else { 0.0 }, bidirectional = true);
        let drop = Dropout(DROP);
        let head = Linear(CLASSES);
        let (_, (h, _)) = ids.embed().lstm();
        let last = cat([h.at(0, 2 * LAYERS - 2), h.at(0, 2 * LAYERS - 1)], 1);
        last.drop().head()
    }
}
