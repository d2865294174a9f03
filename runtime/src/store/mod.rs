//! Parameter stores: the tensors of a model, and what optimizers keep beside them.

mod average;
mod checkpoint;
mod file;
mod initial;
mod layout;
mod slots;
mod values;

pub use checkpoint::{Difference, Load, LoadReport};
pub(crate) use layout::Place;
pub(crate) use slots::{SlotDecl, Slots, ty};

use crate::device::{Device, Storage};
use crate::elements::Element;
use crate::error::Error;
use crate::memory::{Memory, Plain};
use crate::tensor::View;
use layout::Layout;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use tapeless_compiler::description::ModelDescription;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::nearest::nearest;
use tapeless_compiler::random::Key;

/// Where the random numbers of a model come from, those that its parameters begin with and those that its steps draw: equal
/// seeds give equal models and equal runs, on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Seed(pub u64);

/// A tensor of a store, as [`Store::parameters`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The key, like `fc1.weight`.
    pub key: String,
    /// The extents, in PyTorch's layout.
    pub shape: Vec<usize>,
    /// The element type.
    pub dtype: DType,
    /// Whether it is kept but not trained, like a running mean.
    pub state: bool,
}

/// The parameters and states of one model, and the slots of the steps that train it, on one device. The type that `model!` generates
/// derefs to this.
pub struct Store {
    id: StoreId,
    device: Device,
    description: ModelDescription,
    layout: Layout,
    tensors: Storage,
    slots: Slots,
    seed: Seed,
    /// The seed as two words, the lower one first.
    seed_words: Storage,
}

/// An element type that lies in stores as it is in programs: every one but bool.
pub trait Stored: Element + Plain {}

impl<T: Element + Plain> Stored for T {}

/// Which store it is; no two of a program are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreId(u64);

impl StoreId {
    fn next() -> StoreId {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        StoreId(COUNT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Store {
    /// The store of the described model, its parameters at their initial values.
    #[doc(hidden)]
    pub fn new(description: &'static str, device: &Device, seed: Seed) -> Result<Store, Error> {
        Store::from_description(tapeless_compiler::description::parse(description)?, device, seed)
    }

    fn from_description(description: ModelDescription, device: &Device, seed: Seed) -> Result<Store, Error> {
        let layout = layout::layout(&description.tensors);
        let mut tensors = Memory::zeroed(layout.bytes)?;
        for (position, (tensor, place)) in description.tensors.iter().zip(&layout.places).enumerate() {
            let key = Key::new(seed.0).fold(position as u64);
            values::write(&mut tensors, place, |element| initial::initial(tensor.initial, key, element));
        }
        Store::assembled(description, device, layout, tensors, seed)
    }

    /// A store with which no step has run.
    fn assembled(
        description: ModelDescription,
        device: &Device,
        layout: Layout,
        tensors: Memory,
        seed: Seed,
    ) -> Result<Store, Error> {
        Ok(Store {
            id: StoreId::next(),
            description,
            layout,
            tensors: device.storage(tensors)?,
            slots: Slots::new(device),
            seed,
            seed_words: device.storage(seed_words(seed)?)?,
            device: device.clone(),
        })
    }

    /// The device that it lies on.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The seed that the model was made with, or that of the run that it resumes.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The tensor of that key. Tensors of other types than f32 are shown converted; [`Store::get_typed`] has them as they are.
    /// A store on a device that is lost shows what it had when it was last read or changed from the program.
    pub fn get(&self, key: &str) -> Result<View<'_, f32>, Error> {
        let (place, tensors) = (self.place(key)?, self.tensors.read()?);
        Ok(match place.dtype {
            DType::F32 => View::borrowed(tensors.slice(place.offset, place.elements), &place.shape),
            dtype if dtype.is_float() => View::converted(values::read(tensors, place), &place.shape),
            _ => View::converted(values::read(tensors, place), &place.shape).of_integers(),
        })
    }

    /// The tensor of that key, which has this element type.
    pub fn get_typed<T: Stored>(&self, key: &str) -> Result<View<'_, T>, Error> {
        let place = self.typed_place::<T>(key)?;
        Ok(View::borrowed(self.tensors.read()?.slice(place.offset, place.elements), &place.shape))
    }

    /// Replaces the values of the tensor of that key, which has this element type: row-major, in PyTorch's layout.
    pub fn set_typed<T: Stored>(&mut self, key: &str, elements: &[T]) -> Result<(), Error> {
        let place = self.typed_place::<T>(key)?.clone();
        self.check_count(key, &place, elements.len())?;
        self.tensors.change(place.offset..place.end(), |tensors| {
            tensors.slice_mut(place.offset, place.elements).copy_from_slice(elements);
        })
    }

    fn typed_place<T: Stored>(&self, key: &str) -> Result<&Place, Error> {
        let place = self.place(key)?;
        if place.dtype == T::DTYPE {
            return Ok(place);
        }
        let (model, key) = (self.model().to_string(), key.to_string());
        Err(Error::OtherType { model, key, ty: ty(place.dtype, &place.shape), asked: T::DTYPE })
    }

    /// Replaces the values of the tensor of that key: row-major, in PyTorch's layout.
    pub fn set(&mut self, key: &str, elements: &[f32]) -> Result<(), Error> {
        let place = self.place(key)?.clone();
        self.check_count(key, &place, elements.len())?;
        let bytes = place.offset..place.end();
        self.tensors.change(bytes, |tensors| values::write(tensors, &place, |i| f64::from(elements[i])))
    }

    fn check_count(&self, key: &str, place: &Place, found: usize) -> Result<(), Error> {
        if found == place.elements {
            return Ok(());
        }
        let (model, key) = (self.model().to_string(), key.to_string());
        Err(Error::ValueCount { model, key, ty: ty(place.dtype, &place.shape), expected: place.elements, found })
    }

    /// All parameters and states, in the order in which the model declares them.
    pub fn parameters(&self) -> Vec<Parameter> {
        let tensors = self.description.tensors.iter().zip(&self.layout.places);
        tensors
            .map(|(tensor, place)| Parameter {
                key: tensor.key.clone(),
                shape: place.shape.clone(),
                dtype: place.dtype,
                state: tensor.state,
            })
            .collect()
    }

    /// The name of the model's type.
    pub fn model(&self) -> &str {
        &self.description.name
    }

    pub(crate) fn id(&self) -> StoreId {
        self.id
    }

    /// Where the tensor of that key lies.
    pub(crate) fn place(&self, key: &str) -> Result<&Place, Error> {
        let tensors = &self.description.tensors;
        match tensors.iter().position(|tensor| tensor.key == key) {
            Some(position) => Ok(&self.layout.places[position]),
            None => Err(Error::UnknownKey {
                model: self.model().to_string(),
                key: key.to_string(),
                nearest: nearest(key, tensors.iter().map(|tensor| tensor.key.as_str()))
                    .into_iter()
                    .map(str::to_string)
                    .collect(),
            }),
        }
    }

    /// The tensors.
    pub(crate) fn tensors(&self) -> &Storage {
        &self.tensors
    }

    /// Where the words of the seed lie, for steps that draw.
    pub(crate) fn seed_address(&self) -> *mut u8 {
        self.seed_words.address(0)
    }

    /// Says that a step writes to tensors and these slots.
    pub(crate) fn is_written(&mut self, slots: &[usize]) {
        self.tensors.is_written();
        self.slots.are_written(slots);
    }

    /// The tensor of that key as f64.
    pub(crate) fn numbers(&self, key: &str) -> Result<Vec<f64>, Error> {
        Ok(values::numbers(self.tensors.read()?, self.place(key)?))
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    pub(crate) fn slots_mut(&mut self) -> &mut Slots {
        &mut self.slots
    }
}

/// The seed as steps read it.
fn seed_words(seed: Seed) -> Result<Memory, Error> {
    let mut words = Memory::zeroed(8)?;
    words.slice_mut(0, 2).copy_from_slice(&[seed.0 as u32, (seed.0 >> 32) as u32]);
    Ok(words)
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} tensors in {} bytes", self.model(), self.layout.places.len(), self.layout.bytes)
    }
}
