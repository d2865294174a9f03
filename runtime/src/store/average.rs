//! Moving averages of parameters, as a model of their own.
//!
//! A step whose `minimize` has an `ema` keeps in its slots an average per parameter, and the number of updates in it: the
//! slots `average` and `averaged` of the compiler's `optim::average`.

use super::{Place, Store, values};
use crate::error::Error;
use crate::memory::Memory;
use tapeless_compiler::nearest::nearest;

impl Store {
    /// A store of the same model: parameters of which the step keeps a moving average are that average, everything else is
    /// as it is here. No step has run with it.
    #[doc(hidden)]
    pub fn averaged(&self, step: &str) -> Result<Store, Error> {
        let averages: Vec<(&str, &Memory, &Place)> = self.slots.averages(step).collect::<Result<_, _>>()?;
        let updated = self.slots.numbers(step, "averaged")?.into_iter().all(|updates| updates > 0.0);
        if !self.slots.knows(step) || !updated {
            return Err(self.not_averaged(step));
        }
        if averages.is_empty() {
            return Err(Error::NoAverage { model: self.model().to_string(), step: step.to_string() });
        }
        let mut tensors = Memory::zeroed(self.layout.bytes)?;
        tensors.slice_mut(0, self.layout.bytes).copy_from_slice(self.tensors.read()?.slice::<u8>(0, self.layout.bytes));
        for (key, memory, average) in averages {
            let place = self.place(key)?;
            match place.dtype == average.dtype {
                true => values::set_bytes(&mut tensors, place, &values::bytes(memory, average)),
                // Averages of half precision are f32.
                false => {
                    let numbers = values::read(memory, average);
                    values::write(&mut tensors, place, |i| f64::from(numbers[i]));
                }
            }
        }
        let (description, layout) = (self.description.clone(), self.layout.clone());
        Store::assembled(description, &self.device, layout, tensors, self.seed())
    }

    fn not_averaged(&self, step: &str) -> Error {
        let others = self.slots.steps().filter(|other| *other != step);
        Error::NotAveraged {
            model: self.model().to_string(),
            step: step.to_string(),
            nearest: nearest(step, others).into_iter().map(str::to_string).collect(),
        }
    }
}
