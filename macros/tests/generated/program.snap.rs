/// A line.
pub struct Line {
    store: ::tapeless::Store,
}
impl Line {
    const DESCRIPTION: &'static str = "tapeless model 1\nmodel Line\nparameter \"w\" f32 constant 1.0\nparameter \"b\" f32 constant 0.0\nend\n";
    /// The model with its parameters at their initial values.
    pub fn new(
        device: &::tapeless::Device,
        seed: ::tapeless::Seed,
    ) -> ::core::result::Result<Self, ::tapeless::Error> {
        ::tapeless::Store::new(Self::DESCRIPTION, device, seed)
            .map(|store| Self { store })
    }
    /// The model with the moving averages that a step with `ema` keeps in place of its parameters, and states as
    /// they are.
    pub fn averaged(
        &self,
        step: &str,
    ) -> ::core::result::Result<Self, ::tapeless::Error> {
        self.store.averaged(step).map(|store| Self { store })
    }
}
impl ::core::ops::Deref for Line {
    type Target = ::tapeless::Store;
    fn deref(&self) -> &::tapeless::Store {
        &self.store
    }
}
impl ::core::ops::DerefMut for Line {
    fn deref_mut(&mut self) -> &mut ::tapeless::Store {
        &mut self.store
    }
}
impl ::core::fmt::Debug for Line {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}
/// The step `TrainLine`, compiled for a device.
pub struct TrainLine {
    step: ::tapeless::Step,
}
impl TrainLine {
    const GRAPH: &'static str = "tapeless graph 1\nstep TrainLine\ndim B\nstore 0 line Line\nstore 1 other Line\n%0 = user \"x\" : f32<B>\n%1 = parameter 0 \"w\" : f32\nresult metric \"loss\" %1\nresult next %1 %1\nresult metric \"each\" %0\nresult output 0 %0\nresult output 1 %1\nend\n";
    /// The extents that the step is compiled for, none of them set.
    pub fn dims() -> TrainLineDims {
        <TrainLineDims as ::core::default::Default>::default()
    }
    /// Compiles the step for these extents.
    pub fn compile(
        device: &::tapeless::Device,
        dims: TrainLineDims,
        options: &::tapeless::Options,
    ) -> ::core::result::Result<Self, ::tapeless::Error> {
        let TrainLineDims { b, r#type } = dims;
        ::tapeless::Step::compile(
                Self::GRAPH,
                device,
                &[("B", b), ("TYPE", r#type)],
                options,
            )
            .map(|step| Self { step })
    }
    /// Runs the step once. On an error nothing has changed.
    #[allow(clippy::too_many_arguments)]
    pub fn run(
        &mut self,
        line: &mut Line,
        other: &Line,
        line_: &[f32],
        label: &[u32],
        r#type: &[bool],
        half: &[::tapeless::bf16],
        lr: f32,
        count: i32,
    ) -> ::core::result::Result<TrainLineOutput<'_>, ::tapeless::Error> {
        self.step
            .run(
                &mut [
                    ::tapeless::generated::StoreArgument::Exclusive(line),
                    ::tapeless::generated::StoreArgument::Shared(other),
                ],
                &[
                    ::core::convert::From::from(line_),
                    ::core::convert::From::from(label),
                    ::core::convert::From::from(r#type),
                    ::core::convert::From::from(half),
                    ::core::convert::From::from(&lr),
                    ::core::convert::From::from(&count),
                ],
            )?;
        ::core::result::Result::Ok(TrainLineOutput {
            loss: self.step.scalar::<f32>(0),
            each: self.step.view::<f32>(1),
            output: (self.step.view::<f32>(2), (self.step.scalar::<f32>(3),)),
        })
    }
}
impl ::core::ops::Deref for TrainLine {
    type Target = ::tapeless::Step;
    fn deref(&self) -> &::tapeless::Step {
        &self.step
    }
}
impl ::core::fmt::Debug for TrainLine {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("TrainLine").finish_non_exhaustive()
    }
}
/// The extents that [`TrainLine`] is compiled for.
#[derive(::core::clone::Clone, ::core::fmt::Debug, ::core::default::Default)]
pub struct TrainLineDims {
    b: ::core::option::Option<usize>,
    r#type: ::core::option::Option<usize>,
}
impl TrainLineDims {
    /// Sets `B`.
    pub fn b(mut self, extent: usize) -> Self {
        self.b = ::core::option::Option::Some(extent);
        self
    }
    /// Sets `TYPE`.
    pub fn r#type(mut self, extent: usize) -> Self {
        self.r#type = ::core::option::Option::Some(extent);
        self
    }
}
/// What a run of [`TrainLine`] returns.
#[derive(::core::fmt::Debug)]
pub struct TrainLineOutput<'a> {
    /// The metric `loss`.
    pub loss: f32,
    /// The metric `each`.
    pub each: ::tapeless::View<'a, f32>,
    /// The value of the step.
    pub output: (::tapeless::View<'a, f32>, (f32,)),
}
/// The step `Idle`, compiled for a device.
struct Idle {
    step: ::tapeless::Step,
}
impl Idle {
    const GRAPH: &'static str = "tapeless graph 1\nstep Idle\nend\n";
    /// The extents that the step is compiled for, none of them set.
    pub fn dims() -> IdleDims {
        <IdleDims as ::core::default::Default>::default()
    }
    /// Compiles the step for these extents.
    pub fn compile(
        device: &::tapeless::Device,
        dims: IdleDims,
        options: &::tapeless::Options,
    ) -> ::core::result::Result<Self, ::tapeless::Error> {
        let IdleDims {} = dims;
        ::tapeless::Step::compile(Self::GRAPH, device, &[], options)
            .map(|step| Self { step })
    }
    /// Runs the step once. On an error nothing has changed.
    pub fn run(&mut self) -> ::core::result::Result<IdleOutput, ::tapeless::Error> {
        self.step.run(&mut [], &[])?;
        ::core::result::Result::Ok(IdleOutput {})
    }
}
impl ::core::ops::Deref for Idle {
    type Target = ::tapeless::Step;
    fn deref(&self) -> &::tapeless::Step {
        &self.step
    }
}
impl ::core::fmt::Debug for Idle {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Idle").finish_non_exhaustive()
    }
}
/// The extents that [`Idle`] is compiled for.
#[derive(::core::clone::Clone, ::core::fmt::Debug, ::core::default::Default)]
struct IdleDims {}
/// What a run of [`Idle`] returns.
#[derive(::core::fmt::Debug)]
struct IdleOutput {}
