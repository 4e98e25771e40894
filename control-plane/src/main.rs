//! The `control-plane` binary: hands its arguments to the command line and knows nothing else.

fn main() {}
