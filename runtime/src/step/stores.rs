//! The stores of a run: which leaves of the step they hold, and where.
//!
//! Keys are looked up once per store: a store's layout never changes and its slots stay where they are, so the step keeps
//! what it found until it is run with another store.

use crate::device::{Device, Executable};
use crate::error::Error;
use crate::store::{SlotDecl, Store, StoreId, ty};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{Leaf, StoreDecl};
use tapeless_compiler::kernel::Usage;
use tapeless_compiler::plan::{Place, Plan};

/// A store as a run gets it.
#[derive(Debug)]
pub enum StoreArgument<'a> {
    /// The run only reads it.
    Shared(&'a Store),
    /// The run may change it.
    Exclusive(&'a mut Store),
}

impl StoreArgument<'_> {
    fn store(&self) -> &Store {
        match self {
            StoreArgument::Shared(store) => store,
            StoreArgument::Exclusive(store) => store,
        }
    }
}

/// A store as the step uses it.
pub(super) struct StoreUse {
    decl: StoreDecl,
    tensors: Vec<TensorUse>,
    slots: Vec<SlotDecl>,
    /// The leaf of each slot.
    slot_leaves: Vec<usize>,
    /// The leaf of the seed, if the step draws random numbers.
    seed_leaf: Option<usize>,
    /// Whether the plan writes a leaf of it.
    written: bool,
    found: Option<Found>,
}

/// A tensor of a store as the step uses it.
struct TensorUse {
    leaf: usize,
    key: String,
    dtype: DType,
    shape: Vec<usize>,
}

/// Where the leaves are in one store.
struct Found {
    store: StoreId,
    /// The first byte of each tensor.
    tensors: Vec<usize>,
    /// The position of each slot.
    slots: Vec<usize>,
}

impl StoreUse {
    /// What a plan takes from the store at a position; `written` says which leaves it writes.
    pub(super) fn new(position: usize, decl: &StoreDecl, plan: &Plan, written: &[bool]) -> StoreUse {
        let mut used = StoreUse {
            decl: decl.clone(),
            tensors: Vec::new(),
            slots: Vec::new(),
            slot_leaves: Vec::new(),
            seed_leaf: None,
            written: false,
            found: None,
        };
        for (leaf, planned) in plan.leaves.iter().enumerate() {
            let (dtype, shape) = (planned.dtype, planned.shape.clone());
            match &planned.leaf {
                Leaf::Parameter { store, key } | Leaf::State { store, key } if *store == position => {
                    used.tensors.push(TensorUse { leaf, key: key.clone(), dtype, shape });
                }
                Leaf::Slot { store, name, initial } if *store == position => {
                    used.slots.push(SlotDecl { name: name.clone(), dtype, shape, initial: *initial });
                    used.slot_leaves.push(leaf);
                }
                Leaf::Seed { store } if *store == position => used.seed_leaf = Some(leaf),
                _ => continue,
            }
            used.written |= written[leaf];
        }
        used
    }

    /// Finds the leaves in a store and makes slots that are missing. Parameters and states are not touched.
    pub(super) fn find(&mut self, step: &str, device: &Device, argument: &mut StoreArgument<'_>) -> Result<(), Error> {
        if self.written && matches!(argument, StoreArgument::Shared(_)) {
            let reason = format!("it changes `{}`, which it gets to read only", self.decl.binding);
            return Err(Error::Internal { step: step.to_string(), reason });
        }
        let store = argument.store();
        if !store.device().shares_memory(device) {
            let (step, binding) = (step.to_string(), self.decl.binding.clone());
            let [expected, found] = [device, store.device()].map(Device::to_string);
            return Err(Error::OtherDevice { step, binding, expected, found });
        }
        if self.found.as_ref().is_some_and(|found| found.store == store.id()) {
            return Ok(());
        }
        let (id, tensors) = (store.id(), self.find_tensors(step, store)?);
        let slots = match argument {
            StoreArgument::Exclusive(store) => store.slots_mut().ensure(step, &self.slots)?,
            StoreArgument::Shared(_) if self.slots.is_empty() => Vec::new(),
            StoreArgument::Shared(_) => {
                let reason = format!("it keeps slots in `{}`, which it gets to read only", self.decl.binding);
                return Err(Error::Internal { step: step.to_string(), reason });
            }
        };
        self.found = Some(Found { store: id, tensors, slots });
        Ok(())
    }

    /// Tells every launch where the leaves lie in a store, which is the one that was found last.
    pub(super) fn fill(&self, argument: &mut StoreArgument<'_>, executable: &mut dyn Executable) {
        let found = self.found.as_ref().expect("the leaves were found before");
        if let StoreArgument::Exclusive(store) = argument
            && self.written
        {
            store.is_written(&found.slots);
        }
        let store = argument.store();
        for (tensor, &offset) in self.tensors.iter().zip(&found.tensors) {
            executable.set_leaf(tensor.leaf, store.tensors().address(offset));
        }
        for (&leaf, &slot) in self.slot_leaves.iter().zip(&found.slots) {
            executable.set_leaf(leaf, store.slots().address(slot));
        }
        if let Some(leaf) = self.seed_leaf {
            executable.set_leaf(leaf, store.seed_address());
        }
    }

    fn find_tensors(&self, step: &str, store: &Store) -> Result<Vec<usize>, Error> {
        if store.model() != self.decl.model {
            return Err(Error::OtherModel {
                step: step.to_string(),
                binding: self.decl.binding.clone(),
                expected: self.decl.model.clone(),
                found: store.model().to_string(),
            });
        }
        let mut offsets = Vec::with_capacity(self.tensors.len());
        for tensor in &self.tensors {
            let place = store.place(&tensor.key)?;
            if (place.dtype, &place.shape) != (tensor.dtype, &tensor.shape) {
                return Err(Error::StoreMismatch {
                    step: step.to_string(),
                    key: tensor.key.clone(),
                    expected: ty(tensor.dtype, &tensor.shape),
                    found: ty(place.dtype, &place.shape),
                });
            }
            offsets.push(place.offset);
        }
        Ok(offsets)
    }
}

/// Which leaves the plan writes.
pub(super) fn written_leaves(plan: &Plan) -> Vec<bool> {
    let mut written = vec![false; plan.leaves.len()];
    for launch in &plan.launches {
        let parameters = plan.kernels[launch.kernel].arguments();
        for (parameter, argument) in parameters.zip(&launch.arguments) {
            if let Place::Leaf(leaf) = plan.buffers[plan.whole(*argument, 1).0.0].place {
                written[leaf] |= parameter.usage == Usage::Written;
            }
        }
    }
    written
}
