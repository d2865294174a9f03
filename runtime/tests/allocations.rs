//! What steps take: no allocation per run, and nothing that stays when they are dropped.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tapeless::generated::{Elements, StoreArgument};
use tapeless::{Device, Options, Seed, Step, Store};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting what each thread asks for.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn line(device: &Device) -> Store {
    Store::new(include_str!("texts/line.model"), device, Seed(0)).expect("the text is a description")
}

fn train_line(device: &Device) -> Step {
    let options = Options { keep_gradients: true, ..Options::default() };
    Step::compile(include_str!("texts/train_line.graph"), device, &[], &options).expect("the step compiles")
}

fn run(step: &mut Step, store: &mut Store) {
    let inputs = &[Elements::from(&2.0f32), Elements::from(&4.0f32), Elements::from(&0.1f32)];
    step.run(&mut [StoreArgument::Exclusive(store)], inputs).expect("the inputs fit");
}

#[test]
fn runs_after_the_first_allocate_nothing() {
    let device = Device::cpu();
    let (mut store, mut step) = (line(&device), train_line(&device));
    assert!(COUNT.get() > 0, "compiling allocates, so the counter counts");
    run(&mut step, &mut store);
    let first = COUNT.get();
    let mut sum = 0.0;
    for _ in 0..100 {
        run(&mut step, &mut store);
        sum += step.scalar::<f32>(0) + step.view::<f32>(1)[0];
    }
    assert_eq!(COUNT.get() - first, 0, "allocations in 100 runs");
    assert!(sum > 0.0);
}

#[cfg(target_os = "linux")]
#[test]
fn steps_that_are_dropped_leave_nothing_behind() {
    let device = Device::cpu();
    let mut store = line(&device);
    let mut compile_and_run = |times: usize| (0..times).for_each(|_| run(&mut train_line(&device), &mut store));
    compile_and_run(100);
    let (bytes, pieces) = (resident(), mappings());
    compile_and_run(1000);
    // One page of code that stays for each would be 4 MB by now.
    let grown = resident().saturating_sub(bytes);
    assert!(grown < 2 << 20, "{grown} bytes more after 1000 steps");
    assert!(mappings() <= pieces + 8, "{} mappings, {pieces} before", mappings());
}

/// How many bytes of the process are in memory.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("every process has one");
    let kilobytes: usize = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number");
    kilobytes * 1024
}

/// How many pieces of memory the process has mapped.
#[cfg(target_os = "linux")]
fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").expect("Linux tells").lines().count()
}
