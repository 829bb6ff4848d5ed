//! Man pages and shell completions, out of the programs' own command lines.
//!
//! Lives here: what is written where: `FOLDER/man/*.1`, `FOLDER/completions/{bash,zsh,fish}/…`. A tool of the makefile; nobody installs it.
//! Must not: word what a program says of itself; sections that no option tells lie in `sections/`.

#[expect(unreachable_pub, reason = "public in the library that it belongs to")]
#[path = "../../daemon/src/system/cli.rs"]
mod ahoyd;
#[expect(unreachable_pub, reason = "public in the library that it belongs to")]
#[path = "../../relay/src/cli.rs"]
mod relay;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).context("usage: ahoy-papers FOLDER")?);
    let daemon = ahoyd::Arguments::command();
    let relay = relay::Options::command();
    let control = ahoyctl::command();
    let man = folder.join("man");
    fs::create_dir_all(&man)?;
    page(&man, daemon.clone(), include_str!("../sections/ahoyd.roff"), "")?;
    page(&man, relay.clone(), include_str!("../sections/ahoy-relay.roff"), "")?;
    page(&man, control.clone(), include_str!("../sections/ahoyctl.roff"), &commands(control))?;
    let shells = [
        (Shell::Bash, "bash", "ahoyctl.bash"),
        (Shell::Zsh, "zsh", "_ahoyctl"),
        (Shell::Fish, "fish", "ahoyctl.fish"),
    ];
    for (shell, name, file) in shells {
        let place = folder.join("completions").join(name);
        fs::create_dir_all(&place)?;
        for program in [&daemon, &relay] {
            clap_complete::generate_to(shell, &mut program.clone(), program.get_name(), &place)?;
        }
        let script = ahoyctl::completion_script(name).with_context(|| format!("the script for {name}"))?;
        fs::write(place.join(file), script)?;
    }
    Ok(())
}

/// One page: what clap knows, then the sections written by hand, with the commands at their place in them.
fn page(folder: &Path, command: Command, sections: &str, commands: &str) -> Result<()> {
    let name = command.get_name().to_owned();
    let page = Man::new(command).manual("ahoy").section("1");
    let mut roff = Vec::new();
    page.render_title(&mut roff)?;
    page.render_name_section(&mut roff)?;
    page.render_synopsis_section(&mut roff)?;
    if commands.is_empty() {
        page.render_description_section(&mut roff)?;
        page.render_options_section(&mut roff)?;
    }
    roff.extend_from_slice(sections.replace("@COMMANDS@\n", commands).as_bytes());
    let file = folder.join(format!("{name}.1"));
    fs::write(&file, roff).with_context(|| format!("writing {}", file.display()))
}

/// The help of every command, as a person sees it.
fn commands(program: Command) -> String {
    let mut roff = ".SH COMMANDS\n".to_owned();
    let mut program = program;
    program.build();
    tell(&mut program, &mut roff);
    roff
}

fn tell(command: &mut Command, roff: &mut String) {
    for inner in command.get_subcommands_mut() {
        let title = inner.get_bin_name().unwrap_or(inner.get_name()).to_owned();
        let help = inner.render_help().to_string();
        roff.push_str(&format!(".SS \"{}\"\n.nf\n", escaped(&title)));
        for line in help.lines() {
            roff.push_str(&escaped(line));
            roff.push('\n');
        }
        roff.push_str(".fi\n");
        tell(inner, roff);
    }
}

/// A line that troff prints as it is.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('"', "\\(dq");
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}
