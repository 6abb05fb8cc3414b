//! The `pullthru` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    pullthru::cli::main()
}
