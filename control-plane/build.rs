//! Tells cargo that the embedded migrations are more than the files that were there at the last build.

fn main() {
    #[allow(clippy::print_stdout, reason = "this is how a build script talks to cargo")]
    {
        println!("cargo::rerun-if-changed=src/migrations");
    }
}
