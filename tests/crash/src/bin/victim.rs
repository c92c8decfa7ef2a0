//! A job as a shop would run it: delivers every file of a folder in order of their names, and ends. It knows nothing of
//! earlier runs; started again, it delivers everything again.
//!
//! `victim OPTIONS.json FOLDER`, where files are called `1-customer.ndjson`, `2-order.ndjson`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cartwire::facade::Engine;
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

async fn run(options: &Path, folder: &Path) -> Result<(), Failure> {
    let engine = Engine::open(&std::fs::read(options)?).await?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    for file in files {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).ok_or("a file without a name")?;
        let resource = stem.split_once('-').ok_or("a file without a resource")?.1;
        let call = json!({"resource": resource, "format": "ndjson"}).to_string();
        engine.deliver(call.into(), std::fs::read(&file)?.into()).await?;
    }
    engine.flush(bytes::Bytes::new()).await?;
    engine.close().await?;
    Ok(())
}

#[allow(clippy::print_stderr)] // The killer shows what a victim that died by itself had to say.
fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [options, folder] = arguments.as_slice() else {
        eprintln!("usage: victim OPTIONS.json FOLDER");
        return ExitCode::from(2);
    };
    let outcome = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(run(options, folder)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("victim: {error}");
            ExitCode::FAILURE
        }
    }
}
