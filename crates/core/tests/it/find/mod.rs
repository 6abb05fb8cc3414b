//! What the finder finds. `cargo test -p pullthru-core --test it -- find::` is the loop of a change to it.

mod explained;
mod forms;
mod generated;
mod hostile;
mod outline;
