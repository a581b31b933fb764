//! The checks, as functions from what was read to the problems found. Each problem is a line for whoever has to mend it.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::house::{FILE_LINES_MAX, HOMES, MAY_PRINT, MAY_READ_ENVIRONMENT, Room, SYSTEM_TASK_HOMES, SYSTEM_TASKS};
use crate::source::{Source, find_word, is_name, line_of};

fn starts_with_any(path: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| path.starts_with(beginning))
}

/// Where the words stand in one view of a source, as `path:line: word`.
fn places(source: &Source, view: &str, words: &[&str]) -> Vec<String> {
    let mut found: Vec<(usize, &str)> =
        words.iter().flat_map(|word| find_word(view, word).into_iter().map(move |at| (at, *word))).collect();
    found.sort_unstable();
    found.into_iter().map(|(at, word)| format!("{}:{}: {word}", source.path, line_of(view, at))).collect()
}

/// Rooms of ours that a room uses and must not.
pub(crate) fn wrong_way(room: &Room, dependencies: &[String]) -> Vec<String> {
    dependencies
        .iter()
        .filter(|name| *name == "leadyard" || name.starts_with("leadyard-"))
        .filter(|name| !room.may_use.contains(&name.as_str()))
        .map(|name| format!("{} uses {name}: dependencies point down only", room.package))
        .collect()
}

/// The rooms a foreign library may be used in, if it has a home.
fn homes_of(name: &str) -> Option<&'static [&'static str]> {
    let canonical = name.replace('_', "-");
    HOMES
        .iter()
        .filter(|(family, _)| {
            let family = family.replace('_', "-");
            canonical == family || canonical.strip_prefix(&family).is_some_and(|rest| rest.starts_with('-'))
        })
        // `tower-http` is in the family of `tower`, but has a line of its own.
        .max_by_key(|(family, _)| family.len())
        .map(|(_, rooms)| *rooms)
}

/// Foreign libraries in a manifest that live in another room.
pub(crate) fn not_at_home(package: &str, dependencies: &[String]) -> Vec<String> {
    dependencies
        .iter()
        .filter_map(|name| {
            let rooms = homes_of(name).filter(|rooms| !rooms.contains(&package))?;
            Some(format!("{package} depends on {name}, which lives in {}", rooms.join(" and ")))
        })
        .collect()
}

/// Foreign libraries named in a room's code, perhaps through another room's re-export.
pub(crate) fn named_away_from_home(package: &str, source: &Source) -> Vec<String> {
    let bytes = source.code.as_bytes();
    source
        .code
        .match_indices("::")
        .filter_map(|(end, _)| {
            let start = bytes[..end].iter().rposition(|byte| !is_name(*byte)).map_or(0, |at| at + 1);
            let name = &source.code[start..end];
            let rooms = homes_of(name).filter(|rooms| !rooms.contains(&package))?;
            let line = line_of(&source.code, start);
            Some(format!("{}:{line}: {name}::…, which lives in {}", source.path, rooms.join(" and ")))
        })
        .collect()
}

/// The lines of one section of a manifest, with their numbers; the section's own line is not among them.
fn section<'a>(manifest: &'a str, name: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let mut inside = false;
    manifest.lines().enumerate().filter_map(move |(number, line)| {
        if line.starts_with('[') {
            inside = line.trim_end() == format!("[{name}]");
            return None;
        }
        inside.then_some((number + 1, line))
    })
}

/// A manifest that does not take the workspace's lints.
pub(crate) fn own_lints(path: &str, manifest: &str) -> Vec<String> {
    let taken = section(manifest, "lints").any(|(_, line)| line.replace(' ', "") == "workspace=true");
    if taken { Vec::new() } else { vec![format!("{path}: add `[lints]` with `workspace = true`")] }
}

/// A workspace that does not forbid unsafe code.
pub(crate) fn unsafe_allowed(manifest: &str) -> Vec<String> {
    let forbidden =
        section(manifest, "workspace.lints.rust").any(|(_, line)| line.replace(' ', "") == "unsafe_code=\"forbid\"");
    if forbidden {
        Vec::new()
    } else {
        vec!["Cargo.toml: [workspace.lints.rust] must say unsafe_code = \"forbid\"".to_owned()]
    }
}

/// The name a dependency line declares: `name = …`, `name.workspace = true`.
fn declared(line: &str) -> Option<&str> {
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')?;
    (end > 0).then(|| &line[..end])
}

/// Dependencies of the workspace without a comment above them or above their group (lines up to an empty one).
pub(crate) fn without_reason(manifest: &str) -> Vec<String> {
    let mut explained = false;
    let mut problems = Vec::new();
    for (number, line) in section(manifest, "workspace.dependencies") {
        if line.trim().is_empty() {
            explained = false;
        } else if line.starts_with('#') {
            explained = true;
        } else if let Some(name) = declared(line).filter(|_| !explained) {
            problems.push(format!("Cargo.toml:{number}: {name} has no reason: say above it what it is for"));
        }
    }
    problems
}

/// Dependencies of the workspace that no room uses.
pub(crate) fn unused(manifest: &str, used: &BTreeSet<String>) -> Vec<String> {
    section(manifest, "workspace.dependencies")
        .filter_map(|(number, line)| {
            let name = declared(line).filter(|name| !used.contains(*name))?;
            Some(format!("Cargo.toml:{number}: no room uses {name}: drop it"))
        })
        .collect()
}

/// Dependencies a room declares by itself instead of by `workspace = true`.
pub(crate) fn own_versions(path: &str, manifest: &str) -> Vec<String> {
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .into_iter()
        .flat_map(|name| section(manifest, name))
        .filter(|(_, line)| declared(line).is_some() && !line.replace(' ', "").contains("workspace=true"))
        .map(|(number, line)| {
            format!("{path}:{number}: `{line}`: name it in the workspace, say `workspace = true` here")
        })
        .collect()
}

/// A file with more than one subject.
pub(crate) fn too_long(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![format!("{}: {lines} lines, at most {FILE_LINES_MAX}: one subject each", source.path)]
}

/// What marks unfinished work. (Spelt in pieces, so that this file does not name itself.)
pub(crate) fn unfinished(source: &Source) -> Vec<String> {
    let code = [concat!("to", "do!"), concat!("un", "implemented!"), concat!("db", "g!"), concat!("#[", "ignore")];
    let comments = [concat!("FIX", "ME"), concat!("XX", "X")];
    [places(source, &source.code, &code), places(source, &source.comments, &comments)].concat()
}

/// Writing to the terminal where it is not the command line's business.
pub(crate) fn prints(source: &Source) -> Vec<String> {
    if starts_with_any(&source.path, MAY_PRINT) {
        return Vec::new();
    }
    places(source, &source.production, &["println!", "print!", "eprintln!", "eprint!"])
}

/// Reading the environment outside of configuration.
pub(crate) fn reads_environment(source: &Source) -> Vec<String> {
    if starts_with_any(&source.path, MAY_READ_ENVIRONMENT) {
        return Vec::new();
    }
    places(source, &source.production, &["env::var", "env::var_os", "env::vars", "env::vars_os"])
}

/// System tasks named where they may not be, or in a way that hides which.
pub(crate) fn system_tasks(source: &Source) -> Vec<String> {
    if starts_with_any(&source.path, SYSTEM_TASK_HOMES) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for at in find_word(&source.production, "SystemTask") {
        let rest = &source.production[at + "SystemTask".len()..];
        let place = format!("{}:{}", source.path, line_of(&source.production, at));
        if rest.trim_start().starts_with("as ") {
            problems.push(format!("{place}: SystemTask under another name: use its own"));
        }
        let Some(rest) = rest.strip_prefix("::") else { continue };
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        if name.is_empty() {
            problems.push(format!("{place}: SystemTask's words imported: write SystemTask::… in full"));
        } else if name.starts_with(char::is_uppercase) {
            let known = SYSTEM_TASKS.iter().find(|(task, _)| format!("{task:?}") == name);
            if !known.is_some_and(|(_, paths)| starts_with_any(&source.path, paths)) {
                problems.push(format!("{place}: SystemTask::{name} is not allowed here: see the table SYSTEM_TASKS"));
            }
        }
    }
    problems
}

/// Folders of somebody's machine. (Spelt in pieces, so that this file does not name itself.)
pub(crate) fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let folders = [concat!("/t", "mp/"), concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];
    text.lines()
        .enumerate()
        .flat_map(|(number, line)| {
            folders
                .into_iter()
                .filter(move |folder| line.contains(folder))
                .map(move |folder| format!("{path}:{}: {folder}…", number + 1))
        })
        .collect()
}

/// Files of landed migrations that were changed, are gone, or are not in the list yet.
/// `listed` is the checksum file (as `sha256sum` writes it), `files` all there is in the room but its entrance.
pub(crate) fn thawed(listed: &str, files: &[(String, Vec<u8>)]) -> Vec<String> {
    let listed: Vec<(&str, &str)> = listed
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once("  ").unwrap_or((line, "")))
        .collect();
    let mut problems = Vec::new();
    for (sum, path) in &listed {
        match files.iter().find(|(name, _)| name == path) {
            None => problems.push(format!("{path} has landed and is gone: databases that ran it still need it")),
            Some((_, bytes)) if hex(&Sha256::digest(bytes)) != *sum => problems.push(format!(
                "{path} has landed and was changed. Undo that and write a new migration; or, if it has not left your \
                 branch: sed -i '\\|  {path}$|d' migration/checksums.txt && sha256sum {path} >> migration/checksums.txt"
            )),
            Some(_) => {}
        }
    }
    let last = listed.iter().map(|(_, path)| *path).filter(|path| is_migration(path)).max().unwrap_or_default();
    for (path, _) in files.iter().filter(|(path, _)| !listed.iter().any(|(_, known)| known == path)) {
        if is_migration(path) && path.as_str() < last {
            problems.push(format!("{path} is new and older than {last}: give it a later date"));
        } else {
            problems.push(format!(
                "{path} is not frozen: when it is finished, sha256sum {path} >> migration/checksums.txt"
            ));
        }
    }
    problems
}

/// Whether a file is a migration (`m20261121_…`) and not something one of them is made of.
fn is_migration(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.strip_prefix('m').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::ROOMS;

    fn room(package: &str) -> &'static Room {
        ROOMS.iter().find(|room| room.package == package).expect("a room")
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    /// A room may use those below it, never one beside or above it.
    #[test]
    fn directions_are_checked() {
        assert!(wrong_way(room("leadyard-jobs"), &names(&["leadyard-market", "leadyard-types", "serde"])).is_empty());
        assert_eq!(wrong_way(room("leadyard-market"), &names(&["leadyard-jobs", "leadyard"])).len(), 2);
        assert_eq!(wrong_way(room("leadyard-entity"), &names(&["leadyard-connectors"])).len(), 1);
        assert_eq!(wrong_way(room("leadyard-types"), &names(&["leadyard-entity"])).len(), 1);
        assert_eq!(wrong_way(room("leadyard-migration"), &names(&["leadyard-types"])).len(), 1);
        assert_eq!(wrong_way(room("leadyard"), &names(&["leadyard-tests"])).len(), 1);
    }

    /// A library outside its room is found, by its family too.
    #[test]
    fn homes_are_checked() {
        assert!(not_at_home("leadyard", &names(&["axum", "tower-http", "clap", "serde"])).is_empty());
        assert!(not_at_home("leadyard-jobs", &names(&["tower", "apalis", "apalis-core"])).is_empty());
        assert_eq!(not_at_home("leadyard-jobs", &names(&["tower-http"])).len(), 1);
        let all =
            names(&["axum", "sea-orm-migration", "sqlx", "reqwest", "apalis-core", "hyper-util", "async-graphql"]);
        assert_eq!(not_at_home("leadyard-market", &all).len(), all.len());
        let source = Source::new(
            "market/src/a.rs",
            "use leadyard_entity::sea_orm::Set; // sqlx::x\nfn f() { \"axum::Router\"; serde::x(); apalis_core::y() }",
        );
        let found = named_away_from_home("leadyard-market", &source);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("market/src/a.rs:1: sea_orm::"), "{found:?}");
    }

    /// Lints, unsafe code, reasons, unused and privately declared dependencies.
    #[test]
    fn manifests_are_checked() {
        let good = "[lints]\nworkspace = true\n\n[dependencies]\na.workspace = true\nb = { workspace = true, features = [] }\n";
        assert!(own_lints("a", good).is_empty() && own_versions("a", good).is_empty());
        let bad = "[dependencies]\na = \"1\"\n[dev-dependencies]\nb = { version = \"1\" }\n[lints]\n[other]\nworkspace = true";
        assert_eq!(own_lints("a", bad).len(), 1);
        assert_eq!(own_versions("a", bad).len(), 2);

        assert!(unsafe_allowed("[workspace.lints.rust]\nunsafe_code = \"forbid\"\n").is_empty());
        assert_eq!(unsafe_allowed("[workspace.lints.rust]\nunsafe_code = \"deny\"\n").len(), 1);

        let workspace =
            "[workspace.dependencies]\n# Group.\na = \"1\"\nb = \"1\"\n\nc = \"1\"\n# Own.\nd = \"1\"\n[x]\ne = \"1\"";
        let found = without_reason(workspace);
        assert!(found.len() == 1 && found[0].starts_with("Cargo.toml:6: c "), "{found:?}");
        let found = unused(workspace, &names(&["a", "c", "d"]).into_iter().collect());
        assert!(found.len() == 1 && found[0].contains("uses b:"), "{found:?}");
    }

    /// Length, unfinished work, printing and the environment.
    #[test]
    fn sources_are_checked() {
        assert!(too_long(&Source::new("a.rs", &"\n".repeat(FILE_LINES_MAX))).is_empty());
        assert_eq!(too_long(&Source::new("a.rs", &"\n".repeat(FILE_LINES_MAX + 1))).len(), 1);

        let marks = ["to~do!()", "un~implemented!()", "db~g!(1)", "#[ig~nore]", "// FIX~ME: a", "/* XX~X */"];
        for mark in marks.map(|mark| mark.replace('~', "")) {
            assert_eq!(unfinished(&Source::new("a/src/a.rs", &mark)).len(), 1, "{mark}");
            assert!(unfinished(&Source::new("a/src/a.rs", &format!("{mark:?}"))).is_empty(), "{mark}");
        }

        let print = "fn a() { println!(); }\n#[cfg(test)]\nmod tests { fn b() { println!() } }";
        assert_eq!(prints(&Source::new("jobs/src/a.rs", print)), ["jobs/src/a.rs:1: println!"]);
        assert_eq!(prints(&Source::new("api/src/graphql.rs", "eprint!(\"\")")).len(), 1);
        for path in ["api/src/cli/user.rs", "api/src/cli.rs", "api/src/main.rs", "tests/src/lib.rs"] {
            let found = prints(&Source::new(path, print));
            assert!(found.is_empty() || path == "tests/src/lib.rs", "{found:?}");
        }
        assert!(prints(&Source::new("tests/tests/a.rs", print)).is_empty());

        assert_eq!(reads_environment(&Source::new("entity/src/a.rs", "std::env::var(\"A\")")).len(), 1);
        assert!(reads_environment(&Source::new("api/src/config.rs", "std::env::var(\"A\")")).is_empty());
    }

    /// A system task outside its call sites is found, however it is imported.
    #[test]
    fn system_tasks_are_checked() {
        let place = "fn a() { Principal::System(SystemTask::Place) }";
        assert!(system_tasks(&Source::new("market/src/intake.rs", place)).is_empty());
        assert!(system_tasks(&Source::new("entity/src/scope.rs", place)).is_empty());
        assert!(system_tasks(&Source::new("tests/tests/a.rs", place)).is_empty());
        assert_eq!(system_tasks(&Source::new("api/src/rest/leads.rs", place)).len(), 1);
        assert!(system_tasks(&Source::new("api/src/rest/leads.rs", "// SystemTask::Place")).is_empty());
        for hidden in [
            "use x::SystemTask::*;",
            "use x::SystemTask::{Place};",
            "use x::SystemTask as S;",
            "for t in SystemTask::ALL {}",
        ] {
            assert_eq!(system_tasks(&Source::new("market/src/a.rs", hidden)).len(), 1, "{hidden}");
        }
        assert!(system_tasks(&Source::new("api/src/a.rs", "fn a(t: SystemTask) { SystemTask::as_str(t) }")).is_empty());
    }

    /// A folder of somebody's machine is found.
    #[test]
    fn machine_paths_are_checked() {
        let text = format!("a\n\"{}x\" \"/usr/lib\"", concat!("/t", "mp/"));
        assert_eq!(machine_paths("a.rs", &text).len(), 1);
        assert!(machine_paths("a.rs", "/v1/leads /usr/lib/postgresql").is_empty());
    }

    /// A landed migration that was changed or removed is found, and so is one that is not listed.
    #[test]
    fn migrations_are_checked() {
        let file = |name: &str, text: &str| (format!("migration/src/{name}.rs"), text.as_bytes().to_vec());
        let sum = |name: &str, text: &str| format!("{}  migration/src/{name}.rs\n", hex(&Sha256::digest(text)));
        let listed = format!("# Landed.\n{}{}", sum("m1", "a"), sum("m2", "b"));
        assert!(thawed(&listed, &[file("m1", "a"), file("m2", "b")]).is_empty());
        assert!(thawed(&listed, &[file("m1", "a"), file("m2", "c")])[0].contains("was changed"));
        assert!(thawed(&listed, &[file("m2", "b")])[0].contains("is gone"));
        assert!(thawed(&listed, &[file("m1", "a"), file("m2", "b"), file("m3", "c")])[0].contains("sha256sum"));
        assert!(thawed(&listed, &[file("m1", "a"), file("m2", "b"), file("dialect", "c")])[0].contains("sha256sum"));
        assert!(thawed(&listed, &[file("m0", "z"), file("m1", "a"), file("m2", "b")])[0].contains("later date"));
        assert_eq!(hex(&Sha256::digest("abc"))[..16], *"ba7816bf8f01cfea");
    }
}
