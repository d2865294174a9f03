//! Inlining: what becomes of an elementwise producer all readers of which are drafts.
//!
//! Either everything that reads it takes it in, or it stays in memory: taken in by some of its readers, its value would be
//! written for the others all the same.

use super::{Draft, Fusing, Reason, compose, is_contraction, legality, profit};
use crate::graph::NodeId;
use crate::nest::Nest;
use std::collections::BTreeSet;

impl Fusing<'_> {
    /// Whether a read of a draft is where the switches let its only producer in.
    fn takes(&self, draft: usize, read: usize) -> bool {
        let nest = &self.drafts[draft].nest;
        match nest.reducer {
            Some(_) if compose::in_epilogue_only(nest, read) => self.fusion.epilogues,
            Some(_) if is_contraction(nest) => self.fusion.prologues,
            Some(_) => self.fusion.reductions,
            None => self.fusion.elementwise,
        }
    }

    /// Inlines a producer into everything that reads it if that may and should be. Whether it was.
    pub(super) fn inline_everywhere(
        &mut self,
        node: NodeId,
        nest: &Nest,
        readers: &[(usize, usize)],
        wanted: bool,
    ) -> bool {
        let repeats = readers.len() > 1 && self.fusion.rematerialize;
        if !repeats && readers.iter().any(|&(draft, read)| !self.takes(draft, read)) {
            return false;
        }
        let decision = match readers {
            _ if self.scanned.contains(&self.graph.node(node).results[0]) => Err(Reason::Scanned),
            _ if wanted => Err(Reason::Result),
            [(draft, read)] => self.should_inline(nest, *draft, *read),
            several if repeats => self.should_repeat(nest, several),
            several => Err(Reason::SeveralReads(several.len())),
        };
        match decision {
            Ok(()) => self.inline_all(node, nest),
            Err(reason) => return self.refuse(node, readers, reason),
        }
        true
    }

    /// Whether a producer should be part of its only reader.
    fn should_inline(&self, nest: &Nest, draft: usize, read: usize) -> Result<(), Reason> {
        let consumer = &self.drafts[draft].nest;
        legality::may_inline(nest, consumer, read)?;
        profit::should_inline(nest, consumer, read)?;
        match is_contraction(consumer) && !compose::in_epilogue_only(consumer, read) {
            true => self.moves_less(nest, &[(draft, read)], profit::fits_a_kernel),
            false => Ok(()),
        }
    }

    /// Whether each of several readers should compute a producer by itself.
    fn should_repeat(&self, nest: &Nest, readers: &[(usize, usize)]) -> Result<(), Reason> {
        for &(draft, read) in readers {
            legality::may_inline(nest, &self.drafts[draft].nest, read)?;
        }
        profit::should_repeat(nest, readers.len())?;
        for &(draft, read) in readers {
            let Draft { nest: consumer, repeated, .. } = &self.drafts[draft];
            profit::should_take_repeated(nest, consumer, read, *repeated)?;
        }
        self.moves_less(nest, readers, profit::is_cheap)
    }

    /// Inlines a producer wherever it is read.
    fn inline_all(&mut self, node: NodeId, nest: &Nest) {
        let value = self.graph.node(node).results[0];
        let drafts: BTreeSet<usize> = self.reads_of(value).into_iter().map(|(draft, _)| draft).collect();
        if drafts.len() > 1 {
            drafts.iter().for_each(|&draft| self.drafts[draft].repeated += profit::cost(nest));
        }
        // Inlining a read renumbers others of the same draft.
        while let Some(&(draft, read)) = self.reads_of(value).last() {
            self.inline(node, nest, draft, read);
        }
    }
}
