//! Reads ESC/POS from stdin and prints what a foreign decoder makes of it: a JSON array of commands.

use std::io::Read;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    println!("{}", serde_json::to_string(&hardless_escpos::parse(&bytes))?);
    Ok(())
}
