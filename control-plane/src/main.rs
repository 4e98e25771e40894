//! The `control-plane` binary: hands its arguments to the command line and knows nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    control_plane::cli::main()
}
