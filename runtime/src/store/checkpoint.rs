//! Checkpoints: a model saved and loaded. Files that PyTorch wrote are loaded too.
//!
//! A save is one file of the format safetensors with the parameters and states under their keys, in PyTorch's layout and
//! nothing else: `model.load_state_dict(safetensors.torch.load_file(path))` takes it as it is. The seed stands in the file's
//! remarks. What optimizers keep and the counts of runs are no part of a state dict; if there are any, they stand in a
//! second file beside it, `PATH.run-ID`, under `step/slot`, and the first file's remarks name the ID. Each save gets a new
//! ID, and its second file is complete before the first takes the old one's place, so that a crash leaves the old save or
//! the new one.
//!
//! Nothing in a store changes before everything that a load needs has been read and held against the model.

use super::file::{self, Contents, FileTensor, ReadTensor};
use super::slots::Kept;
use super::{Seed, Slots, Store, StoreId, ty, values};
use crate::device::{Device, Storage};
use crate::error::Error;
use crate::store::SlotDecl;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

/// The remark that holds the seed.
const SEED: &str = "tapeless.seed";
/// The remark that names the second file of a save.
const RUN: &str = "tapeless.run";

/// How a file is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Whether everything must fit: each tensor of the model is in the file, with the same shape and type, and nothing
    /// else is. Otherwise what does not fit is skipped and reported.
    pub strict: bool,
    /// Beginnings of keys: a key in the file that starts with the first counts as one that starts with the second in its
    /// place. The first entry that applies to a key is the one that is used; an empty beginning applies to all.
    pub rename: Vec<(String, String)>,
    /// Whether the run is resumed that the file was saved from: its seed, what optimizers kept, and how often each step
    /// ran. A file that was not saved from a run has none, and then the store keeps its own.
    pub run: bool,
    /// Which of several dicts of tensors in a file of PyTorch's. If it is not said, that is the outermost one if it holds
    /// tensors, else the one in it called `state_dict`, `model_state_dict` or `model`, else the only one that holds any.
    pub part: Option<String>,
}

impl Default for Load {
    /// Strict, without renaming, tensors only.
    fn default() -> Load {
        Load { strict: true, rename: Vec::new(), run: false, part: None }
    }
}

/// What a load did, and what did not fit.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// The keys of the tensors that were loaded.
    pub loaded: Vec<String>,
    /// Tensors of the model that the file does not have: key and type.
    pub missing: Vec<(String, String)>,
    /// Tensors of the file, renamed if so, that the model does not have: key and type.
    pub extra: Vec<(String, String)>,
    /// Tensors that are different in the file and in the model.
    pub differing: Vec<Difference>,
}

/// A tensor that is different in a file and in a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key in the model.
    pub key: String,
    /// The type in the file.
    pub file: String,
    /// The type in the model.
    pub model: String,
}

impl Store {
    /// Saves parameters and states, and the run: the seed, what optimizers keep and how often each step ran. The file holds
    /// the tensors under their keys in PyTorch's layout, as PyTorch's own state dict does; what belongs to the run, if there
    /// is anything, stands in a file beside it whose name begins with the same.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        // The program transformers takes a file only if it says which framework's layout it has.
        let mut remarks = vec![("format", "pt".to_string()), (SEED, self.seed().0.to_string())];
        let slots: Vec<FileTensor<'_>> =
            self.slots.iter().map(|slot| slot.map(slot_tensor)).collect::<Result<_, _>>()?;
        let run = (!slots.is_empty()).then(new_id);
        if let Some(run) = &run {
            file::write(&run_path(path, run), &slots, &[(RUN, run.clone())])?;
            remarks.push((RUN, run.clone()));
        }
        let memory = self.tensors.read()?;
        let tensors = self.description.tensors.iter().zip(&self.layout.places);
        let tensors = tensors.map(|(tensor, place)| FileTensor {
            key: tensor.key.clone(),
            dtype: place.dtype,
            shape: &place.shape,
            bytes: values::bytes(memory, place),
        });
        file::write(path, &tensors.collect::<Vec<_>>(), &remarks)?;
        remove_other_runs(path, run.as_deref());
        Ok(())
    }

    /// Loads what [`Store::save`] saved, and resumes its run; or any file of safetensors, or of `torch.save` with tensors in
    /// dicts, and then the run goes on as it was. Which of these a file is is seen from what it begins with, whatever its name.
    /// Everything must fit; on an error nothing changes. Nothing in a file is run.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.load_with(path, Load { run: true, ..Load::default() }).map(|_| ())
    }

    /// Loads a file that may fit in parts only; the report says what was loaded. On an error nothing changes.
    pub fn load_with(&mut self, path: impl AsRef<Path>, how: Load) -> Result<LoadReport, Error> {
        let path = path.as_ref();
        let bytes = file::read(path)?;
        let contents = Contents::parse(path, &bytes, how.part.as_deref())?;
        let tensors = renamed(path, &contents.tensors, &how.rename)?;
        let (found, report) = self.compared(&tensors);
        if how.strict && !report.fits() {
            let (path, model) = (path.to_path_buf(), self.model().to_string());
            return Err(Error::LoadMismatch { path, model, report: Box::new(report) });
        }
        let run = if how.run { saved_run(path, &contents, &self.device)? } else { None };
        let places = &self.layout.places;
        self.tensors.change(0..self.layout.bytes, |tensors| {
            found
                .iter()
                .for_each(|(position, tensor)| values::set_bytes(tensors, &places[*position], &tensor.elements()));
        })?;
        if let Some(Run { seed, seed_words, slots }) = run {
            self.seed = seed;
            self.seed_words = seed_words;
            self.slots = slots;
            // Steps look up slots anew in a store that they do not know.
            self.id = StoreId::next();
        }
        Ok(report)
    }

    /// The tensors that fit, by position in the model, and the report.
    fn compared<'a>(
        &self,
        tensors: &BTreeMap<String, &'a ReadTensor<'a>>,
    ) -> (Vec<(usize, &'a ReadTensor<'a>)>, LoadReport) {
        let (mut found, mut report) = (Vec::new(), LoadReport::default());
        for (position, (tensor, place)) in self.description.tensors.iter().zip(&self.layout.places).enumerate() {
            let (key, model) = (tensor.key.clone(), ty(place.dtype, &place.shape));
            match tensors.get(&key).copied() {
                None => report.missing.push((key, model)),
                Some(view) if file::own_dtype(view.dtype) != Some(place.dtype) || view.shape != place.shape => {
                    report.differing.push(Difference { key, file: type_of(view), model });
                }
                Some(view) => {
                    found.push((position, view));
                    report.loaded.push(key);
                }
            }
        }
        let known = |key: &String| self.description.tensors.iter().any(|tensor| tensor.key == *key);
        let extra = tensors.iter().filter(|(key, _)| !known(key));
        report.extra = extra.map(|(key, view)| (key.clone(), type_of(view))).collect();
        (found, report)
    }
}

/// A slot as the second file holds it.
fn slot_tensor(Kept { step, name, place, bytes }: Kept<'_>) -> FileTensor<'_> {
    FileTensor { key: format!("{step}/{name}"), dtype: place.dtype, shape: &place.shape, bytes }
}

/// The tensors of a file by the keys that they have in the model.
fn renamed<'a>(
    path: &Path,
    tensors: &'a BTreeMap<Cow<'_, str>, ReadTensor<'_>>,
    rename: &[(String, String)],
) -> Result<BTreeMap<String, &'a ReadTensor<'a>>, Error> {
    let mut found = BTreeMap::new();
    for (key, view) in tensors {
        let rule = rename.iter().find_map(|(old, new)| Some(format!("{new}{}", key.strip_prefix(old.as_str())?)));
        let new = rule.unwrap_or_else(|| key.to_string());
        if found.insert(new.clone(), view).is_some() {
            let reason = format!("two of its keys become `{new}`, `{key}` is one of them");
            return Err(Error::Checkpoint { path: path.to_path_buf(), reason });
        }
    }
    Ok(found)
}

/// What belongs to a run, not to the model.
struct Run {
    seed: Seed,
    seed_words: Storage,
    slots: Slots,
}

/// The run that a file was saved from, for a store on this device; `None` if it was not.
fn saved_run(path: &Path, contents: &Contents<'_>, device: &Device) -> Result<Option<Run>, Error> {
    let wrong = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
    let Some(seed) = contents.remark(SEED) else { return Ok(None) };
    let seed = seed.parse().map(Seed).map_err(|_| wrong(format!("its seed is `{seed}`, which is no number")))?;
    let seed_words = device.storage(super::seed_words(seed)?)?;
    let Some(run) = contents.remark(RUN) else {
        return Ok(Some(Run { seed, seed_words, slots: Slots::new(device) }));
    };
    if run.len() != 16 || !run.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong(format!("its run is `{run}`, which is no name of one")));
    }
    let beside = run_path(path, run);
    if !beside.exists() {
        let reason = format!(
            "the other half of this save, {}, is missing: put it back, or load the tensors only, with `Load {{ run: false, .. }}`",
            beside.display()
        );
        return Err(wrong(reason));
    }
    let bytes = file::read(&beside)?;
    let slots = slots(&beside, &Contents::parse(&beside, &bytes, None)?, device)?;
    Ok(Some(Run { seed, seed_words, slots }))
}

fn slots(path: &Path, contents: &Contents<'_>, device: &Device) -> Result<Slots, Error> {
    let wrong = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
    let mut steps: BTreeMap<&str, Vec<(SlotDecl, &ReadTensor<'_>)>> = BTreeMap::new();
    for (key, view) in &contents.tensors {
        let Some((step, name)) = key.split_once('/') else { return Err(wrong(format!("`{key}` names no step"))) };
        let Some(dtype) = file::own_dtype(view.dtype) else {
            return Err(wrong(format!("`{key}` is {}, which no slot is", type_of(view))));
        };
        let decl = SlotDecl { name: name.to_string(), dtype, shape: view.shape.clone(), initial: 0.0 };
        steps.entry(step).or_default().push((decl, view));
    }
    let mut slots = Slots::new(device);
    for (step, tensors) in steps {
        let (decls, views): (Vec<SlotDecl>, Vec<&ReadTensor<'_>>) = tensors.into_iter().unzip();
        for (position, view) in slots.ensure(step, &decls)?.into_iter().zip(views) {
            slots.set_bytes(position, &view.elements())?;
        }
    }
    Ok(slots)
}

/// A name that no earlier save has.
fn new_id() -> String {
    // Every hasher of this kind begins with random numbers of the system.
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

fn run_path(path: &Path, run: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".run-{run}"));
    PathBuf::from(name)
}

/// Removes what belonged to saves that this one took the place of. What cannot be removed does no harm.
fn remove_other_runs(path: &Path, run: Option<&str>) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    let Ok(entries) = fs::read_dir(file::folder(path)) else { return };
    for entry in entries.flatten() {
        let other = entry.file_name();
        let id = other.to_str().and_then(|other| other.strip_prefix(name)?.strip_prefix(".run-"));
        if id.is_some_and(|id| id.len() == 16 && Some(id) != run) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The type of a tensor in a file, in words of the language.
fn type_of(view: &ReadTensor<'_>) -> String {
    let name = file::type_name(view.dtype);
    match view.shape.as_slice() {
        [] => name,
        shape => format!("{name}<{}>", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

impl LoadReport {
    /// Whether the file and the model have the same tensors.
    pub fn fits(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.differing.is_empty()
    }
}

impl fmt::Display for LoadReport {
    /// How many tensors were loaded, and a line for each that does not fit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} tensors fit",
            self.loaded.len(),
            self.loaded.len() + self.missing.len() + self.differing.len()
        )?;
        for (key, ty) in &self.missing {
            write!(f, "\n  {key}: {ty} in the model, missing in the file")?;
        }
        for Difference { key, file, model } in &self.differing {
            write!(f, "\n  {key}: {model} in the model, {file} in the file")?;
        }
        for (key, ty) in &self.extra {
            write!(f, "\n  {key}: {ty} in the file, not in the model")?;
        }
        Ok(())
    }
}
