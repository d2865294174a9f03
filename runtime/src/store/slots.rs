//! What optimizers keep between runs, under the name of their step.
//!
//! Slots appear when a step first runs with the store and stay as long as it lives, so a position, once known, stays
//! valid. Every compile of a step finds the slots of that step's name.

use super::layout::Place;
use super::values;
use crate::device::{Device, Storage};
use crate::error::Error;
use crate::memory::Memory;
use std::borrow::Cow;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::shape::{Shape, Type};

/// A slot as a step names it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SlotDecl {
    /// The name within the step.
    pub(crate) name: String,
    /// The element type.
    pub(crate) dtype: DType,
    /// The extents.
    pub(crate) shape: Vec<usize>,
    /// What every element is at first.
    pub(crate) initial: f64,
}

/// All slots of a store.
#[derive(Debug)]
pub(crate) struct Slots {
    device: Device,
    /// The steps that ran.
    steps: Vec<String>,
    slots: Vec<Slot>,
    memories: Vec<Storage>,
}

#[derive(Debug)]
struct Slot {
    step: String,
    name: String,
    memory: usize,
    place: Place,
}

/// A slot, and what is in it.
pub(super) struct Kept<'a> {
    /// The step.
    pub(super) step: &'a str,
    /// The name within it.
    pub(super) name: &'a str,
    /// What the slot is.
    pub(super) place: &'a Place,
    /// The elements as a file holds them.
    pub(super) bytes: Cow<'a, [u8]>,
}

impl Slots {
    /// No slots, for a store on this device.
    pub(super) fn new(device: &Device) -> Slots {
        Slots { device: device.clone(), steps: Vec::new(), slots: Vec::new(), memories: Vec::new() }
    }

    /// The positions of a step's slots. Those that are missing are made; on an error nothing changes.
    pub(crate) fn ensure(&mut self, step: &str, decls: &[SlotDecl]) -> Result<Vec<usize>, Error> {
        for decl in decls {
            self.check(step, decl)?;
        }
        self.create(step, decls.iter().filter(|decl| self.find(step, &decl.name).is_none()).cloned().collect())?;
        if !self.knows(step) {
            self.steps.push(step.to_string());
        }
        let position = |decl: &SlotDecl| self.find(step, &decl.name).expect("missing slots were made above");
        Ok(decls.iter().map(position).collect())
    }

    /// The position of the slot of that name.
    pub(crate) fn find(&self, step: &str, name: &str) -> Option<usize> {
        self.slots.iter().position(|slot| slot.step == step && slot.name == name)
    }

    /// The steps that change the store and ran with it.
    pub(super) fn steps(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(String::as_str)
    }

    /// Whether a step that changes the store ran with it.
    pub(super) fn knows(&self, step: &str) -> bool {
        self.steps().any(|known| known == step)
    }

    /// What a step keeps in the slot of this name, if it ran.
    pub(crate) fn numbers_of(&self, step: &str, name: &str) -> Result<Option<Vec<f64>>, Error> {
        let Some(position) = self.find(step, name) else { return Ok(None) };
        let slot = &self.slots[position];
        Ok(Some(values::numbers(self.memory(slot)?, &slot.place)))
    }

    /// What a step keeps under this name for any of its `minimize`, as numbers.
    pub(super) fn numbers(&self, step: &str, name: &str) -> Result<Vec<f32>, Error> {
        let mut numbers = Vec::new();
        for (slot, _) in self.of_step(step).filter(|(_, found)| *found == name) {
            numbers.extend(values::read(self.memory(slot)?, &slot.place));
        }
        Ok(numbers)
    }

    /// The key of every parameter of which a step keeps a moving average, and where that is.
    pub(super) fn averages(&self, step: &str) -> impl Iterator<Item = Result<(&str, &Memory, &Place), Error>> {
        let keys = self.of_step(step).filter_map(|(slot, name)| Some((slot, name.strip_prefix("average.")?)));
        keys.map(|(slot, key)| Ok((key, self.memory(slot)?, &slot.place)))
    }

    /// The slots of a step, and their names without the number of the `minimize`.
    fn of_step(&self, step: &str) -> impl Iterator<Item = (&Slot, &str)> {
        let of_step = self.slots.iter().filter(move |slot| slot.step == step);
        of_step.filter_map(|slot| Some((slot, slot.name.split_once('.')?.1)))
    }

    /// Where a slot lies, for steps.
    pub(crate) fn address(&self, position: usize) -> *mut u8 {
        let slot = &self.slots[position];
        self.memories[slot.memory].address(slot.place.offset)
    }

    /// Says that a step writes to these slots.
    pub(super) fn are_written(&mut self, positions: &[usize]) {
        for &position in positions {
            self.memories[self.slots[position].memory].is_written();
        }
    }

    /// All slots, with what is in them.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<Kept<'_>, Error>> {
        self.slots.iter().map(|slot| {
            let Slot { step, name, place, .. } = slot;
            Ok(Kept { step, name, place, bytes: values::bytes(self.memory(slot)?, place) })
        })
    }

    /// Sets the elements of a slot to what a file holds, which are as many as it has.
    pub(super) fn set_bytes(&mut self, position: usize, bytes: &[u8]) -> Result<(), Error> {
        let Slot { memory, place, .. } = &self.slots[position];
        let range = place.offset..place.end();
        self.memories[*memory].change(range, |memory| values::set_bytes(memory, place, bytes))
    }

    /// What the slot lies in, as it is.
    fn memory(&self, slot: &Slot) -> Result<&Memory, Error> {
        self.memories[slot.memory].read()
    }

    fn check(&self, step: &str, decl: &SlotDecl) -> Result<(), Error> {
        let Some(position) = self.find(step, &decl.name) else { return Ok(()) };
        let place = &self.slots[position].place;
        if (place.dtype, &place.shape) == (decl.dtype, &decl.shape) {
            return Ok(());
        }
        Err(Error::SlotMismatch {
            step: step.to_string(),
            slot: decl.name.clone(),
            expected: ty(decl.dtype, &decl.shape),
            found: ty(place.dtype, &place.shape),
        })
    }

    /// Makes slots in one memory of their own.
    fn create(&mut self, step: &str, decls: Vec<SlotDecl>) -> Result<(), Error> {
        if decls.is_empty() {
            return Ok(());
        }
        let mut bytes = 0;
        let mut places = Vec::new();
        for decl in &decls {
            let place = Place::new(decl.dtype, &decl.shape, bytes);
            bytes = place.end();
            places.push(place);
        }
        let mut memory = Memory::zeroed(bytes)?;
        for (decl, place) in decls.iter().zip(&places) {
            values::write(&mut memory, place, |_| decl.initial);
        }
        let (storage, memory) = (self.device.storage(memory)?, self.memories.len());
        let slot = |(decl, place): (SlotDecl, Place)| Slot { step: step.to_string(), name: decl.name, memory, place };
        self.slots.extend(decls.into_iter().zip(places).map(slot));
        self.memories.push(storage);
        Ok(())
    }
}

/// A type in words of the language.
pub(crate) fn ty(dtype: DType, shape: &[usize]) -> String {
    Type::new(dtype, Shape::from_known(shape)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decl(name: &str, shape: &[usize], initial: f64) -> SlotDecl {
        SlotDecl { name: name.to_string(), dtype: DType::F32, shape: shape.to_vec(), initial }
    }

    fn read(slots: &Slots, step: &str, name: &str) -> Option<Vec<f32>> {
        let slot = &slots.slots[slots.find(step, name)?];
        Some(values::read(slots.memory(slot).expect("it lies on the host"), &slot.place))
    }

    #[test]
    fn slots_are_made_once_per_step_and_kept() {
        let mut slots = Slots::new(&Device::cpu());
        let first = slots.ensure("Train", &[decl("m", &[3], 0.0), decl("v", &[3], 1.0)]).expect("new slots");
        let address = slots.address(first[1]);
        let again = slots.ensure("Train", &[decl("v", &[3], 1.0), decl("t", &[], 2.0)]).expect("one more");
        let other = slots.ensure("Tune", &[decl("v", &[4], 0.0)]).expect("another step's");
        assert_eq!((first, &again, other), (vec![0, 1], &vec![1, 2], vec![3]));
        assert_eq!(slots.address(again[0]), address);
        assert_eq!(read(&slots, "Train", "v"), Some(vec![1.0; 3]));
        assert_eq!(read(&slots, "Train", "t"), Some(vec![2.0]));
        assert_eq!(read(&slots, "Tune", "m"), None);
    }

    #[test]
    fn a_slot_of_another_shape_is_refused_and_nothing_changes() {
        let mut slots = Slots::new(&Device::cpu());
        slots.ensure("Train", &[decl("m", &[3], 0.0)]).expect("new slots");
        let error = slots.ensure("Train", &[decl("new", &[1], 0.0), decl("m", &[4], 0.0)]).expect_err("4 is not 3");
        assert_eq!(
            error.to_string(),
            "Train: the store keeps its slot `m` as f32<3>, this compile wants f32<4>: two steps of one name share a store"
        );
        assert_eq!(slots.find("Train", "new"), None);
    }
}
