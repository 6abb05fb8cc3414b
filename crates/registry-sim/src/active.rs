//! What goes wrong in a simulation, and how often: the faults that are active, of registries and of AWS alike. What a fault is
//! and which calls it is for is their own.

use std::sync::Mutex;
use std::time::Duration;

use crate::lock::lock;

/// Which of the calls that a fault is for it hits: all of them, unless it is said otherwise.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// The first ones, which it does not hit.
    pub skip: u64,
    /// How many it hits at most.
    pub times: Option<u64>,
}

impl Count {
    /// Counts a call that the fault is for: is it hit?
    pub fn hit(&mut self) -> bool {
        if let Some(left) = self.skip.checked_sub(1) {
            self.skip = left;
            return false;
        }
        match &mut self.times {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// Faults, each with the calls that it is for.
#[derive(Debug)]
pub struct Active<On, Fault>(Mutex<Vec<(On, Fault)>>);

impl<On, Fault> Default for Active<On, Fault> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<On, Fault: Clone> Active<On, Fault> {
    /// From now on. Of several faults that hit a call the first added counts; latencies add up.
    pub fn add(&self, on: On, fault: Fault) {
        lock(&self.0).push((on, fault));
    }

    /// All is well again.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    /// What hits a call: how long its answer takes, and the first other fault. `hits` says of the calls of a fault whether they
    /// include this one, and counts it; `latency` is that of a fault which is nothing else.
    pub fn take(
        &self,
        mut hits: impl FnMut(&mut On) -> bool,
        latency: impl Fn(&Fault) -> Option<Duration>,
    ) -> (Duration, Option<Fault>) {
        let (mut slow, mut taken) = (Duration::ZERO, None);
        for (on, fault) in lock(&self.0).iter_mut() {
            match latency(fault) {
                Some(more) if hits(on) => slow += more,
                None if taken.is_none() && hits(on) => taken = Some(fault.clone()),
                _ => {}
            }
        }
        (slow, taken)
    }
}
