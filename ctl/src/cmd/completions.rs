//! `ahoyctl completions`.
//!
//! Lives here: printing the script that teaches a shell.
//! Must not: write into a person's files.

use std::io::Write as _;

use crate::fault::{Exit, Fault};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "A package has installed them already. It completes names of contacts too.\n\
Example: echo 'source <(ahoyctl completions bash)' >> ~/.bashrc")]
pub(crate) struct Args {
    /// For which shell
    #[arg(value_parser = ["bash", "zsh", "fish"])]
    shell: String,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<Exit, Fault> {
    let script = crate::complete::script(&args.shell)
        .ok_or_else(|| Fault::new(Exit::Error, format!("There is no script for {}.", args.shell)))?;
    match std::io::stdout().write_all(&script) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Fault::new(Exit::Error, format!("Cannot write to standard output: {error}.")))
        }
        Ok(()) | Err(_) => Ok(Exit::Ok),
    }
}
