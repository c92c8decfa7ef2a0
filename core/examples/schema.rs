//! Prints the JSON Schema that the types of other languages are generated from.

fn main() {
    use std::io::Write;
    let _ = std::io::stdout().write_all(&cartwire::facade::schema());
}
