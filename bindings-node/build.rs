//! Link arguments that a Node addon needs.

fn main() {
    napi_build::setup();
    // When the last worker thread that loaded the addon ends, Node unloads it while the allocator still has work to do at
    // the thread's end: a crash. macOS never unloads a library with thread-local storage; elsewhere it must be told.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
