//! The README and the guides are true: their commands run as they stand, and print what is said they print.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Place, text};
use tokio::time::Instant;

const README: &str = include_str!("../../README.md");
const GRAPHQL: &str = include_str!("../../docs/graphql.md");
/// Where the README's server listens.
const ADDRESS: &str = "127.0.0.1:8080";
/// Stands for anything in what is printed.
const ANYTHING: char = '…';
/// The longest anything may take; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(180);
/// `cargo` as far as the README calls it: the program is built already, and the demo ends by itself.
const CARGO: &str = r#"#!/bin/sh
case "$*" in
  "build --release" | "test --workspace") ;;
  "run --release -- demo") exec leadyard demo --leads 10 --exit --json --listen 127.0.0.1:0 ;;
  *) echo "cargo $*: not a command of the README" >&2; exit 1 ;;
esac
"#;

/// A fenced block: what stands behind the fence, and its lines.
struct Block {
    kind: &'static str,
    body: String,
}

/// The blocks below a heading of a page.
fn blocks(page: &'static str, heading: &str) -> Vec<Block> {
    let section = page.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let mut blocks = Vec::new();
    let mut lines = section.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block { kind, body: body.join("\n") });
        }
    }
    blocks
}

/// Whether a text is what is expected, with anything where the expectation says so.
fn matches(expected: &str, text: &str) -> bool {
    let (expected, text) = (expected.trim(), text.trim());
    let mut pieces = expected.split(ANYTHING);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[test]
fn expectations_can_fail() {
    for (expected, text, right) in [
        ("a", "a\n", true),
        ("a", "ab", false),
        ("a…", "ab", true),
        ("…b", "ab", true),
        ("a…c…e", "a b c d e", true),
        ("a…c…e", "a b d e", false),
        ("a…b\n…", "a\nb", false),
        ("…", "", true),
    ] {
        assert_eq!(matches(expected, text), right, "{expected:?} {text:?}");
    }
}

/// A shell in the test's folder, in which `leadyard` and `cargo` are found.
fn shell(place: &Place, address: &str, script: &str) -> Command {
    let (folder, tools) = (place.folder.path(), place.folder.path().join("tools"));
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-euc", script]).current_dir(folder).env("PATH", path).env("LEADYARD_LISTEN", address);
    command.env_remove("DATABASE_URL").env_remove("LEADYARD_MASTER_KEY_FILE").env_remove("LEADYARD_CONFIG");
    command.stdin(Stdio::null());
    command
}

fn lay_out_tools(folder: &Path) {
    let tools = folder.join("tools");
    std::fs::create_dir(&tools).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_leadyard"), tools.join("leadyard")).unwrap();
    std::fs::write(tools.join("cargo"), CARGO).unwrap();
    std::fs::set_permissions(tools.join("cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A server of the tour; it ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts what stays up, and waits until it has printed what it should.
fn stay_up(place: &Place, address: &str, script: &str, expected: &str) -> Server {
    let output = place.folder.path().join("stays-up.txt");
    // The last command in the shell's place, so that it can be ended.
    let (before, last) = script.rsplit_once('\n').unwrap();
    let script = format!("{before}\nexec {last} >'{}'", output.display());
    let mut server = Server(shell(place, address, &script).spawn().unwrap());
    let began = Instant::now();
    loop {
        let printed = std::fs::read_to_string(&output).unwrap_or_default();
        if matches(expected, &printed) {
            return server;
        }
        let ended = server.0.try_wait().unwrap();
        assert!(ended.is_none() && began.elapsed() < PATIENCE, "{expected}\nis expected, not\n{printed}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The tour of five minutes: its commands one after the other, with what they print.
#[test]
fn the_tour_is_true() {
    take(README, "Five minutes", 5);
}

/// What the guide for front-end teams begins with.
#[test]
fn the_guide_to_graphql_is_true() {
    take(GRAPHQL, "Start", 4);
}

/// Whatever is shown as a command of a guide is run by one of these tests.
#[test]
fn every_command_of_the_guides_is_run() {
    let guides = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    let run = |name: &str, heading: &str| (name, heading) == ("graphql.md", "Start");
    for entry in std::fs::read_dir(guides).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for section in text.split("\n## ") {
            let heading = section.lines().next().unwrap_or_default();
            assert!(!section.contains("\n```sh") || run(&name, heading), "docs/{name}, {heading}: run its commands");
        }
    }
}

/// Runs what stands below a heading, one command after the other, at least so many that print something.
fn take(page: &'static str, heading: &str, at_least: usize) {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("SKIPPED: {heading}: needs curl");
        return;
    }
    let place = Place::sqlite();
    lay_out_tools(place.folder.path());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let at = |text: &str| text.replace(ADDRESS, &address);
    let blocks = blocks(page, heading);
    let (mut servers, mut script, mut expectations) = (Vec::new(), String::new(), Vec::new());
    for (index, block) in blocks.iter().enumerate() {
        let printed = blocks.get(index + 1).filter(|next| next.kind == "text").map(|next| at(&next.body));
        match block.kind {
            "sh stays-up" => servers.push(stay_up(&place, &address, &at(&block.body), &printed.unwrap())),
            "sh" => {
                script.push_str(&format!("exec >printed-{index}.txt\n{}\n", at(&block.body)));
                expectations.push((index, &block.body, printed.expect("what a command prints is shown")));
            }
            "text" => assert!(index > 0 && blocks[index - 1].kind.starts_with("sh"), "an output has a command"),
            other => panic!("a block of kind {other:?} in the tour"),
        }
    }
    assert!(servers.len() == 1 && expectations.len() >= at_least, "the tour has its steps");
    let output = shell(&place, &address, &script).output().unwrap();
    for (index, command, expected) in expectations {
        let printed = std::fs::read_to_string(place.folder.path().join(format!("printed-{index}.txt")));
        let printed = printed.unwrap_or_default();
        assert!(
            matches(&expected, &printed),
            "{command}\nis expected to print\n{expected}\nnot\n{printed}\n{}",
            text(&output.stderr)
        );
    }
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// The two commands at the top.
#[test]
fn the_first_commands_run() {
    let first = README.split("```").nth(1).unwrap().strip_prefix("sh\n").unwrap();
    let commands: Vec<&str> = first.lines().map(|line| line.split('#').next().unwrap().trim()).collect();
    assert_eq!(commands, ["cargo run --release -- demo", "cargo test --workspace"]);
    let place = Place::sqlite();
    lay_out_tools(place.folder.path());
    let output = shell(&place, "127.0.0.1:0", first).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(common::last_json(&text(&output.stdout))["books_ok"], true);
}

/// Every command there is stands in the table, and no other.
#[test]
fn every_command_is_listed() {
    let place = Place::sqlite();
    let names = |help: &str| -> Vec<String> {
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let named = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        named.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
    };
    let table = README.split("\n## ").find(|section| section.starts_with("Commands")).unwrap();
    let listed: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")).collect();
    let is_listed = |name: &str| listed.iter().any(|line| line.starts_with(name) || line.contains(&format!("`{name}")));
    for name in names(&place.run(&["--help"])) {
        assert!(is_listed(&name), "`{name}` is missing in the table of commands");
    }
    for name in names(&place.run(&["import", "--help"])) {
        assert!(is_listed(&format!("import {name}")), "`import {name}` is missing in the table of commands");
    }
    for line in listed {
        let name = line.split([' ', '`']).next().unwrap();
        place.run(&[name, "--help"]);
    }
}
