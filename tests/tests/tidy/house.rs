//! The law of the house as tables. To change a law, change its table here, with the reason, in the same commit.

use leadyard_types::SystemTask;

/// A room: its package, its folder, and the rooms of ours it may use.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) package: &'static str,
    pub(crate) folder: &'static str,
    pub(crate) may_use: &'static [&'static str],
}

/// `api → jobs → market → {entity, connectors} → market/types`: a room may use any room below it. `migration` is
/// `entity`'s alone and uses none of ours; `tests` may use all.
pub(crate) const ROOMS: &[Room] = &[
    Room { package: "leadyard-types", folder: "market/types", may_use: &[] },
    Room { package: "leadyard-migration", folder: "migration", may_use: &[] },
    Room { package: "leadyard-entity", folder: "entity", may_use: &["leadyard-types", "leadyard-migration"] },
    Room { package: "leadyard-connectors", folder: "connectors", may_use: &["leadyard-types"] },
    Room {
        package: "leadyard-market",
        folder: "market",
        may_use: &["leadyard-types", "leadyard-entity", "leadyard-connectors"],
    },
    Room {
        package: "leadyard-jobs",
        folder: "jobs",
        may_use: &["leadyard-types", "leadyard-entity", "leadyard-connectors", "leadyard-market"],
    },
    Room {
        package: "leadyard",
        folder: "api",
        may_use: &["leadyard-types", "leadyard-entity", "leadyard-connectors", "leadyard-market", "leadyard-jobs"],
    },
    Room {
        package: "leadyard-tests",
        folder: "tests",
        may_use: &[
            "leadyard-types",
            "leadyard-migration",
            "leadyard-entity",
            "leadyard-connectors",
            "leadyard-market",
            "leadyard-jobs",
            "leadyard",
        ],
    },
];

/// The rooms a family of foreign libraries lives in: the crate of that name and those named `name-…`.
/// `market` and `market/types` stand nowhere here: they know no framework and do no I/O.
pub(crate) const HOMES: &[(&str, &[&str])] = &[
    // The edge.
    ("axum", &["leadyard"]),
    ("tower-http", &["leadyard"]),
    ("utoipa", &["leadyard"]),
    ("async-graphql", &["leadyard"]),
    ("governor", &["leadyard"]),
    // The edge's server, and the servers of the connectors' fakes.
    ("hyper", &["leadyard", "leadyard-connectors"]),
    // Wherever services are stacked: the edge and the workers.
    ("tower", &["leadyard", "leadyard-jobs"]),
    // The command line and the process itself.
    ("clap", &["leadyard"]),
    ("indicatif", &["leadyard"]),
    ("toml", &["leadyard"]),
    ("mimalloc", &["leadyard"]),
    ("tracing-subscriber", &["leadyard"]),
    ("metrics-exporter-prometheus", &["leadyard"]),
    // Background work.
    ("apalis", &["leadyard-jobs"]),
    // The database.
    ("sea-orm", &["leadyard-entity", "leadyard-migration"]),
    ("sea-query", &["leadyard-entity", "leadyard-migration"]),
    ("sqlx", &["leadyard-entity", "leadyard-migration"]),
    // What is kept secret at rest.
    ("argon2", &["leadyard-entity"]),
    ("aes-gcm-siv", &["leadyard-entity"]),
    ("totp-rs", &["leadyard-entity"]),
    // The outside world.
    ("reqwest", &["leadyard-connectors"]),
    ("rustls", &["leadyard-connectors"]),
    ("lettre", &["leadyard-connectors"]),
    ("minijinja", &["leadyard-connectors"]),
    ("quick-xml", &["leadyard-connectors"]),
    ("md-5", &["leadyard-connectors"]),
    ("oauth2", &["leadyard-connectors"]),
    ("async-stripe", &["leadyard-connectors"]),
    ("hickory-resolver", &["leadyard-connectors"]),
    // What a lead's fields mean.
    ("rlibphonenumber", &["leadyard-market"]),
    ("email_address", &["leadyard-market"]),
];

/// Where each task of the system may be named: the beginnings of paths. Tests may name any.
/// A new call site is a new door past the scope of the rows: name it here, as narrowly as it goes.
pub(crate) const SYSTEM_TASKS: &[(SystemTask, &[&str])] = &[
    (SystemTask::Authenticate, &["api/src/", "market/src/people"]),
    (SystemTask::Place, &["market/src/"]),
    (SystemTask::Deliver, &["jobs/src/", "market/src/"]),
    (SystemTask::Reconcile, &["jobs/src/", "market/src/"]),
    (SystemTask::Operate, &["api/src/cli", "api/src/demo/", "market/src/"]),
];

/// Where the tasks are declared, and where is written what each of them sees.
pub(crate) const SYSTEM_TASK_HOMES: &[&str] = &["market/types/src/principal.rs", "entity/src/"];

/// The only code that writes to the terminal: everything else logs by `tracing`. (Tests may print.)
pub(crate) const MAY_PRINT: &[&str] = &["api/src/cli", "api/src/main.rs"];

/// The only code that reads the environment: configuration is read once and handed down. (Tests may read it.)
pub(crate) const MAY_READ_ENVIRONMENT: &[&str] = &["api/src/"];

/// The most lines a `.rs` file may have: past that it holds more than one subject.
pub(crate) const FILE_LINES_MAX: usize = 700;

/// The parts of our files' paths below which nothing is looked at.
pub(crate) const SKIPPED_FOLDERS: &[&str] = &["target", "node_modules"];

/// The endings of text files that must not name a machine's own folders.
pub(crate) const TEXT_ENDINGS: &[&str] =
    &[".rs", ".toml", ".md", ".sql", ".sh", ".graphql", ".yml", ".yaml", ".html", "justfile", ".ci/run"];
