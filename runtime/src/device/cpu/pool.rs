//! Threads that run the pieces of one job together.
//!
//! A pool belongs to a device. Whoever runs a step holds a [`Session`]; a second one at the same time finds the pool taken and
//! runs alone. While there is a session its workers spin, since a job may be over sooner than a thread wakes up; a moment
//! after it they sleep. Nothing is allocated per job.
//!
//! A job falls into pieces that are taken one by one. The ticket says which job there is, how many pieces it has and which
//! one is next; whoever moves it on by one owns a piece. So a thread that comes late finds nothing left and touches nothing,
//! and a job is over when as many pieces are done as there were.

use std::hint::spin_loop;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How many pieces each thread finds, about, so that one which is held up leaves its share to the others.
const PIECES_PER_THREAD: usize = 4;

/// How long a worker spins after a session, for the next one to come.
const LINGER: Duration = Duration::from_micros(200);

/// How often a thread looks for work before it lets others run.
const SPINS: u32 = 2048;

/// The bits of a ticket for the next piece, and for the number of pieces; the rest is the number of the job.
const PIECE_BITS: u32 = 16;

/// What a job does: which thread runs it, and which iterations.
type Work<'a> = &'a (dyn Fn(usize, Range<usize>) + Sync);

/// Workers that wait for jobs.
#[derive(Default)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Mutex<Vec<Worker>>,
}

struct Worker {
    sleeps: Arc<AtomicBool>,
    handle: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    ticket: AtomicU64,
    /// The job of the ticket.
    job: AtomicPtr<Job>,
    /// How many of its pieces are done.
    done: AtomicUsize,
    /// Threads whose number is below take part.
    threads: AtomicUsize,
    /// Whether there is a session.
    busy: AtomicBool,
    /// Whether the pool is going.
    stops: AtomicBool,
}

/// A job while it runs. It lies on the stack of the thread that waits for it.
struct Job {
    work: Work<'static>,
    extent: usize,
    pieces: usize,
}

/// The use of a pool for some jobs, one after the other.
pub(crate) struct Session<'p> {
    shared: &'p Shared,
    /// How many threads there are, this one included.
    threads: usize,
    /// Nobody else has the workers as long as this is held; a session of one thread needs none.
    _workers: Option<MutexGuard<'p, Vec<Worker>>>,
}

impl Pool {
    /// The use of this many threads, the caller's included; of the caller's alone if someone else has the pool.
    pub(crate) fn session(&self, threads: usize) -> Session<'_> {
        let workers = match (threads > 1).then(|| self.workers.try_lock()) {
            Some(Ok(workers)) => Some(workers),
            Some(Err(TryLockError::Poisoned(poisoned))) => Some(poisoned.into_inner()),
            Some(Err(TryLockError::WouldBlock)) | None => None,
        };
        let Some(mut workers) = workers else { return Session { shared: &self.shared, threads: 1, _workers: None } };
        while workers.len() + 1 < threads {
            match self.spawn(workers.len() + 1) {
                Ok(worker) => workers.push(worker),
                // With fewer threads everything takes longer and is the same.
                Err(_) => break,
            }
        }
        let threads = threads.min(workers.len() + 1);
        self.shared.threads.store(threads, Ordering::Relaxed);
        self.shared.busy.store(true, Ordering::SeqCst);
        for worker in &workers[..threads - 1] {
            if worker.sleeps.load(Ordering::SeqCst) {
                worker.handle.thread().unpark();
            }
        }
        Session { shared: &self.shared, threads, _workers: Some(workers) }
    }

    fn spawn(&self, number: usize) -> std::io::Result<Worker> {
        let sleeps = Arc::new(AtomicBool::new(false));
        let (shared, own) = (self.shared.clone(), sleeps.clone());
        let builder = thread::Builder::new().name(format!("tapeless-{number}"));
        let handle = builder.spawn(move || shared.serve(number, &own))?;
        Ok(Worker { sleeps, handle })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stops.store(true, Ordering::SeqCst);
        let workers = self.workers.get_mut().unwrap_or_else(PoisonError::into_inner);
        for worker in workers.drain(..) {
            worker.handle.thread().unpark();
            // A worker that panicked has said so itself.
            let _ = worker.handle.join();
        }
    }
}

impl Session<'_> {
    /// Runs the iterations up to an extent, split among the threads; each call gets the number of its thread and at least one
    /// iteration. Returns when all have run.
    pub(crate) fn run(&self, extent: usize, work: Work<'_>) {
        if self.threads == 1 || extent < 2 {
            if extent > 0 {
                work(0, 0..extent);
            }
            return;
        }
        let pieces = extent.min(self.threads * PIECES_PER_THREAD).min((1 << PIECE_BITS) - 1);
        // SAFETY: only the lifetime changes. The work is used by whoever owns a piece, before that piece is done, and this
        // function does not return, not even by a panic, before all pieces are.
        let work = unsafe { std::mem::transmute::<Work<'_>, Work<'static>>(work) };
        let mut job = Job { work, extent, pieces };
        self.shared.done.store(0, Ordering::Relaxed);
        self.shared.job.store(&raw mut job, Ordering::Relaxed);
        let number = (self.shared.ticket.load(Ordering::Relaxed) >> (2 * PIECE_BITS)).wrapping_add(1);
        let ticket = number << (2 * PIECE_BITS) | (pieces as u64) << PIECE_BITS;
        let _wait = Wait { shared: self.shared, pieces };
        self.shared.ticket.store(ticket, Ordering::Release);
        while self.shared.run_piece(0) {}
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if self._workers.is_some() {
            self.shared.busy.store(false, Ordering::SeqCst);
        }
    }
}

/// Waits when it is dropped until all pieces of the job are done.
struct Wait<'s> {
    shared: &'s Shared,
    pieces: usize,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        // Pieces that nobody has taken yet, because this thread panics, are run by no one.
        let (ticket, mask) = (self.shared.ticket.load(Ordering::Relaxed), (1 << PIECE_BITS) - 1);
        let closed = self.shared.ticket.fetch_or(mask, Ordering::AcqRel) & mask;
        debug_assert!(ticket & mask <= closed, "tickets only move on");
        let taken = self.pieces.min(closed as usize);
        let mut spins = 0;
        while self.shared.done.load(Ordering::Acquire) < taken {
            pause(&mut spins);
        }
    }
}

/// Counts a piece as done when it is dropped.
struct Done<'s>(&'s AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl Shared {
    /// Takes a piece and runs it; false if there is none.
    fn run_piece(&self, thread: usize) -> bool {
        let mask = (1 << PIECE_BITS) - 1;
        let mut ticket = self.ticket.load(Ordering::Acquire);
        let piece = loop {
            let (next, pieces) = (ticket & mask, ticket >> PIECE_BITS & mask);
            if next >= pieces || thread >= self.threads.load(Ordering::Relaxed) {
                return false;
            }
            match self.ticket.compare_exchange_weak(ticket, ticket + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break next as usize,
                Err(other) => ticket = other,
            }
        };
        let _done = Done(&self.done);
        // SAFETY: this thread owns a piece of the ticket's job, which stays where it is until all pieces are done; the next
        // job is written only after that.
        let job = unsafe { &*self.job.load(Ordering::Relaxed) };
        let start = |piece: usize| job.extent * piece / job.pieces;
        (job.work)(thread, start(piece)..start(piece + 1));
        true
    }

    /// What a worker does as long as there is a pool.
    fn serve(&self, number: usize, sleeps: &AtomicBool) {
        let (mut spins, mut idle) = (0, Instant::now());
        while !self.stops.load(Ordering::Relaxed) {
            if self.run_piece(number) {
                (spins, idle) = (0, Instant::now());
                continue;
            }
            pause(&mut spins);
            let used = self.busy.load(Ordering::Relaxed) && number < self.threads.load(Ordering::Relaxed);
            if used {
                idle = Instant::now();
            } else if idle.elapsed() > LINGER {
                self.sleep(number, sleeps);
                idle = Instant::now();
            }
        }
    }

    /// Sleeps until a session needs this worker.
    fn sleep(&self, number: usize, sleeps: &AtomicBool) {
        sleeps.store(true, Ordering::SeqCst);
        // Whoever begins a session after this look sees that this thread sleeps, and wakes it.
        let needed = self.busy.load(Ordering::SeqCst) && number < self.threads.load(Ordering::SeqCst);
        if !needed && !self.stops.load(Ordering::SeqCst) {
            thread::park();
        }
        sleeps.store(false, Ordering::SeqCst);
    }
}

/// Waits a moment; after many of them it lets others run.
fn pause(spins: &mut u32) {
    *spins += 1;
    if spins.is_multiple_of(SPINS) { thread::yield_now() } else { spin_loop() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each of so many iterations runs in a job.
    fn counts(session: &Session<'_>, extent: usize) -> Vec<usize> {
        let counts: Vec<AtomicUsize> = (0..extent).map(|_| AtomicUsize::new(0)).collect();
        session.run(extent, &|_, range| {
            assert!(!range.is_empty());
            range.for_each(|at| {
                counts[at].fetch_add(1, Ordering::Relaxed);
            });
        });
        counts.into_iter().map(AtomicUsize::into_inner).collect()
    }

    #[test]
    fn each_iteration_runs_once() {
        let pool = Pool::default();
        for threads in [1, 2, 5, 3] {
            let session = pool.session(threads);
            for extent in [0, 1, 2, 7, 64, 1000] {
                for _ in 0..200 {
                    assert_eq!(counts(&session, extent), vec![1; extent], "{threads} threads");
                }
            }
        }
    }

    #[test]
    fn only_threads_of_the_session_take_part() {
        let pool = Pool::default();
        drop(pool.session(4));
        for _ in 0..100 {
            let session = pool.session(2);
            session.run(64, &|thread, _| assert!(thread < 2));
        }
    }

    #[test]
    fn a_second_session_at_the_same_time_runs_alone() {
        let pool = Pool::default();
        let first = pool.session(2);
        let second = pool.session(2);
        assert_eq!((first.threads, second.threads), (2, 1));
        assert_eq!(counts(&second, 9), vec![1; 9]);
        assert_eq!(counts(&first, 9), vec![1; 9]);
        drop(first);
        assert_eq!(pool.session(2).threads, 2);
    }

    #[test]
    fn workers_that_sleep_are_woken() {
        let pool = Pool::default();
        for _ in 0..3 {
            let session = pool.session(2);
            // The other thread has to take one of the two pieces, since each waits for the other.
            let meet = std::sync::Barrier::new(2);
            session.run(2, &|_, _| {
                meet.wait();
            });
            drop(session);
            thread::sleep(20 * LINGER);
        }
    }

    #[test]
    fn a_piece_that_panics_holds_nobody_up() {
        let pool = Pool::default();
        let session = pool.session(2);
        let run = || session.run(64, &|thread, _| assert!(thread != 0, "the caller's own piece fails"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
        assert_eq!(counts(&session, 64), vec![1; 64]);
    }
}
