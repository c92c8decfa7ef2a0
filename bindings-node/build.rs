//! Link arguments that a Node addon needs on macOS and Windows.

fn main() {
    napi_build::setup();
}
