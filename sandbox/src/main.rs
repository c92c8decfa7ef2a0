//! The sandbox as a command: prints its address as one line of JSON, then serves until it is told to stop.

use std::io::Write;
use std::process::ExitCode;

use cartwire_sandbox::Sandbox;
use serde_json::{Map, Value, json};
use tokio::io::AsyncReadExt;

const USAGE: &str = "usage: cartwire-sandbox [--port N] [--options FILE.json] [--with-stdin]

Serves on loopback until Ctrl-C or SIGTERM; with --with-stdin also until standard input ends.
Prints one line of JSON when it is ready: {\"iterable\": \"http://127.0.0.1:PORT\", \"bigcommerce\": …}";

struct Arguments {
    options: Map<String, Value>,
    with_stdin: bool,
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut read = Arguments { options: Map::new(), with_stdin: false };
    let mut port = None;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--port" => port = Some(value()?.parse::<u16>().map_err(|error| format!("--port: {error}"))?),
            "--options" => {
                let file = std::fs::read(value()?).map_err(|error| format!("--options: {error}"))?;
                read.options = serde_json::from_slice(&file).map_err(|error| format!("--options: {error}"))?;
            }
            "--with-stdin" => read.with_stdin = true,
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown argument {other}")),
        }
    }
    if let Some(port) = port {
        read.options.insert("port".into(), port.into());
    }
    Ok(Some(read))
}

fn main() -> ExitCode {
    let arguments = match arguments(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return say(USAGE, ExitCode::SUCCESS),
        Err(why) => return fail(&format!("{why}\n{USAGE}"), 2),
    };
    let sandbox = match Sandbox::start(Value::Object(arguments.options).to_string().as_bytes()) {
        Ok(sandbox) => sandbox,
        Err(error) => return fail(&error.to_string(), 1),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string(), 1),
    };
    let code = runtime.block_on(async {
        // Signals are listened for before the address is known, so that none is lost.
        let stop = match Stop::new() {
            Ok(stop) => stop,
            Err(error) => return fail(&error.to_string(), 1),
        };
        say(&json!(sandbox.urls()).to_string(), ExitCode::SUCCESS);
        stop.wait(arguments.with_stdin).await;
        ExitCode::SUCCESS
    });
    sandbox.stop();
    // A thread that still waits for standard input must not keep the process.
    runtime.shutdown_background();
    code
}

fn say(text: &str, code: ExitCode) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    code
}

fn fail(why: &str, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "cartwire-sandbox: {why}");
    ExitCode::from(code)
}

/// What ends the command.
struct Stop {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    #[cfg_attr(not(unix), allow(unused_mut))]
    async fn wait(mut self, with_stdin: bool) {
        #[cfg(unix)]
        let terminated = self.terminate.recv();
        #[cfg(not(unix))]
        let terminated = std::future::pending::<Option<()>>();
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated => {}
            () = stdin_ends(), if with_stdin => {}
        }
    }
}

async fn stdin_ends() {
    let (mut stdin, mut buffer) = (tokio::io::stdin(), [0_u8; 1024]);
    while let Ok(1..) = stdin.read(&mut buffer).await {}
}
