//! Parameters that cannot be trained: no path leads from them to the loss.

use super::Minimize;
use crate::graph::ValueId;
use crate::syntax::diagnostic::position;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;

impl Elaborator<'_> {
    /// Parameters from which no path leads to the loss.
    pub(super) fn unreached(&self, request: &Minimize, gradients: &[Option<(ValueId, ValueId)>]) {
        let pairs = || request.over.parameters.iter().zip(gradients);
        let missing: Vec<_> = pairs().filter(|(_, gradient)| gradient.is_none()).map(|(p, _)| p).collect();
        let keys: Vec<&str> = missing.iter().map(|(_, key)| key.as_str()).collect();
        let mut layers: Vec<&str> = Vec::new();
        for ((_, key), _) in pairs().filter(|(_, gradient)| gradient.is_some()) {
            let layer = key.rsplit_once('.').map_or(key.as_str(), |(layer, _)| layer);
            if !layers.contains(&layer) {
                layers.push(layer);
            }
        }
        let (loss, loss_place) = &request.loss_name;
        let headline = format!("minimize: no path leads from {} to `{loss}`", keys.join(", "));
        let (store, first) = missing[0];
        let made = position(self.user_span(self.stores[*store].entries[first].made));
        let line = match loss_place {
            Some(place) => format!("they are made at {made}, the loss at {place}"),
            None => format!("they are made at {made}"),
        };
        let problem = Problem::new(request.over.span, headline).place(line);
        let root = &request.over.root;
        let paths: Vec<String> = layers.iter().map(|layer| format!("{root}.{layer}")).collect();
        self.report(match paths.as_slice() {
            [] => problem,
            [one] => problem.place(format!("leave them out: over = {one}")),
            many => problem.place(format!("leave them out: over = [{}]", many.join(", "))),
        });
    }
}
