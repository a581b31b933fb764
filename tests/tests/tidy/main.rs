//! Tidy: reads the manifests and the sources and fails on what the house forbids.
//!
//! The law is in `house`, as tables; the checks are in `check`, each with a test that it can fail; here they are held
//! against the repository. Run them alone with `cargo test -p leadyard-tests --test tidy`.

#![allow(clippy::expect_used, reason = "a test that cannot read its own repository should stop there")]

mod check;
mod house;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cargo_metadata::{Metadata, MetadataCommand, Package};
use leadyard_types::SystemTask;

use house::{ROOMS, Room, SKIPPED_FOLDERS, SYSTEM_TASKS, TEXT_ENDINGS};
use source::Source;

/// The repository, read once.
struct House {
    root: PathBuf,
    metadata: Metadata,
    /// Every text file's path from the root, with `/`.
    files: Vec<String>,
    sources: Vec<Source>,
}

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root").to_owned();
    // Only the manifests: the graph behind them is cargo-deny's to check.
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .other_options(vec!["--offline".to_owned()])
        .exec()
        .expect("cargo metadata");
    let mut files = Vec::new();
    walk(&root, "", &mut files);
    files.sort();
    let sources = files
        .iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| Source::new(path, &fs::read_to_string(root.join(path)).expect("a source in UTF-8")))
        .collect();
    House { root, metadata, files, sources }
});

/// Collects the text files below a folder. Hidden folders are left out, but for `.ci`.
fn walk(root: &Path, folder: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(folder)).expect("a folder of the repository") {
        let entry = entry.expect("a file of the repository");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if entry.file_type().expect("a file's type").is_dir() {
            if !SKIPPED_FOLDERS.contains(&name.as_str()) && (!name.starts_with('.') || name == ".ci") {
                walk(root, &path, files);
            }
        } else if TEXT_ENDINGS.iter().any(|ending| path.ends_with(ending)) {
            files.push(path);
        }
    }
}

impl House {
    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }

    fn package(&self, room: &Room) -> &Package {
        self.metadata.packages.iter().find(|package| package.name == room.package).expect("a room in the workspace")
    }

    /// Everything a room's manifest names, for building, testing and running.
    fn dependencies(&self, room: &Room) -> Vec<String> {
        self.package(room).dependencies.iter().map(|dependency| dependency.name.clone()).collect()
    }

    /// The room a file lies in: the innermost.
    fn room_of(&self, path: &str) -> Option<&'static Room> {
        ROOMS
            .iter()
            .filter(|room| path.strip_prefix(room.folder).is_some_and(|rest| rest.starts_with('/')))
            .max_by_key(|room| room.folder.len())
    }

    /// What a check finds in all sources.
    fn in_sources(&self, check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
        self.sources.iter().flat_map(check).collect()
    }
}

/// Fails with what was found and what to do about it.
#[track_caller]
fn none(problems: Vec<String>, advice: &str) {
    assert!(problems.is_empty(), "{} found:\n  {}\n{advice}\n", problems.len(), problems.join("\n  "));
}

/// The tables and the workspace name the same rooms, and the sources were really read.
#[test]
fn every_room_is_known() {
    let found: BTreeSet<String> = HOUSE
        .metadata
        .workspace_packages()
        .iter()
        .map(|package| {
            let folder = package.manifest_path.parent().and_then(|path| path.strip_prefix(&HOUSE.root).ok());
            format!("{} in {}", package.name, folder.map(ToString::to_string).unwrap_or_default())
        })
        .collect();
    let known: BTreeSet<String> = ROOMS.iter().map(|room| format!("{} in {}", room.package, room.folder)).collect();
    assert_eq!(found, known, "a new room needs its line in ROOMS (tests/tests/tidy/house.rs) and in ARCHITECTURE.md");
    for room in ROOMS {
        let entrance = format!("{}/src/lib.rs", room.folder);
        assert!(HOUSE.sources.iter().any(|source| source.path == entrance), "{entrance} was not read");
    }
    for source in &HOUSE.sources {
        assert!(HOUSE.room_of(&source.path).is_some(), "{} lies in no room: move it into one", source.path);
    }
}

#[test]
fn dependencies_point_down() {
    none(
        ROOMS.iter().flat_map(|room| check::wrong_way(room, &HOUSE.dependencies(room))).collect(),
        "api → jobs → market → {entity, connectors} → market/types. Move the code down, or pass what it needs as an argument.",
    );
}

#[test]
fn every_foreign_library_lives_in_its_room() {
    none(
        ROOMS.iter().flat_map(|room| check::not_at_home(room.package, &HOUSE.dependencies(room))).collect(),
        "Use it through its room, or move the code there. The table is HOMES in tests/tests/tidy/house.rs.",
    );
    none(
        HOUSE.in_sources(|source| {
            HOUSE.room_of(&source.path).map_or_else(Vec::new, |room| check::named_away_from_home(room.package, source))
        }),
        "A re-export is no way around the rooms: give the room a word of its own for it.",
    );
}

#[test]
fn every_room_takes_the_workspace_lints() {
    let mut problems = check::unsafe_allowed(&HOUSE.read("Cargo.toml"));
    for path in ROOMS.iter().map(|room| format!("{}/Cargo.toml", room.folder)) {
        problems.extend(check::own_lints(&path, &HOUSE.read(&path)));
    }
    none(problems, "No room has lints of its own, and none has unsafe code.");
}

#[test]
fn every_room_has_the_workspace_licence() {
    for room in ROOMS {
        assert_eq!(
            HOUSE.package(room).license.as_deref(),
            Some("Apache-2.0"),
            "{}: license.workspace = true",
            room.package
        );
    }
}

#[test]
fn every_dependency_has_a_reason_and_a_use() {
    let manifest = HOUSE.read("Cargo.toml");
    none(check::without_reason(&manifest), "A comment above it, or above its group, says why it is there.");
    let used =
        ROOMS.iter().flat_map(|room| HOUSE.dependencies(room)).chain(ROOMS.iter().map(|room| room.package.to_owned()));
    none(check::unused(&manifest, &used.collect()), "What nobody uses is neither checked nor missed.");
    none(
        ROOMS
            .iter()
            .map(|room| format!("{}/Cargo.toml", room.folder))
            .flat_map(|path| check::own_versions(&path, &HOUSE.read(&path)))
            .collect(),
        "Versions stand once, in the workspace's manifest, with their reason.",
    );
}

#[test]
fn no_file_is_too_long() {
    none(
        HOUSE.in_sources(check::too_long),
        "Split it by subject: a folder of the same name, one file per noun or verb.",
    );
}

#[test]
fn nothing_is_left_unfinished() {
    none(HOUSE.in_sources(check::unfinished), "Finish it, or write an issue and take the mark out.");
}

#[test]
fn only_the_command_line_prints() {
    none(
        HOUSE.in_sources(check::prints),
        "Log with `tracing` (ids only, no personal data), or return the text to the command line.",
    );
}

#[test]
fn only_configuration_reads_the_environment() {
    none(HOUSE.in_sources(check::reads_environment), "Read it in api's configuration and hand the value down.");
}

#[test]
fn system_tasks_stay_in_their_call_sites() {
    let known: BTreeSet<SystemTask> = SYSTEM_TASKS.iter().map(|(task, _)| *task).collect();
    assert_eq!(known, SystemTask::ALL.iter().copied().collect(), "every system task needs a line in SYSTEM_TASKS");
    none(
        HOUSE.in_sources(check::system_tasks),
        "Reach the rows through the caller's own principal. If the system itself must act, add the file to SYSTEM_TASKS \
         (tests/tests/tidy/house.rs), as narrowly as it goes, and say why in the commit.",
    );
}

#[test]
fn no_machine_is_named() {
    none(
        HOUSE.files.iter().flat_map(|path| check::machine_paths(path, &HOUSE.read(path))).collect(),
        "Use a temporary folder (`tempfile`, `mktemp`), a path from the configuration, or one relative to the repository.",
    );
}

#[test]
fn landed_migrations_are_frozen() {
    let files: Vec<(String, Vec<u8>)> = HOUSE
        .files
        .iter()
        .filter(|path| path.starts_with("migration/src/") && *path != "migration/src/lib.rs")
        .map(|path| (path.clone(), fs::read(HOUSE.root.join(path)).expect("a file of a migration")))
        .collect();
    none(
        check::thawed(&HOUSE.read("migration/checksums.txt"), &files),
        "A migration, and what it is made of, never changes once it has landed: databases out there ran it as it was.",
    );
}
