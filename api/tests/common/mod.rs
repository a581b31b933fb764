//! What tests of the binary share: databases of their own, and the real program run as a person runs it.
#![allow(dead_code, reason = "each test uses its part")]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use leadyard::config::{CommonArgs, Config};
use leadyard_entity::testing::OwnDatabase;
use serde_json::Value;

/// A database of a test's own, with a folder that goes with it.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    own: Option<OwnDatabase>,
}

impl Place {
    /// A SQLite file that does not exist yet.
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), own: None }
    }

    /// SQLite, and PostgreSQL where a server is named.
    pub(crate) async fn both() -> Vec<Self> {
        let mut places = vec![Self::sqlite()];
        match std::env::var("LEADYARD_TEST_POSTGRES") {
            Ok(url) => {
                let own = Some(OwnDatabase::create(&url).await.unwrap());
                places.push(Self { folder: tempfile::tempdir().unwrap(), own });
            }
            Err(_) => println!("SKIPPED on PostgreSQL: LEADYARD_TEST_POSTGRES is not set"),
        }
        places
    }

    pub(crate) fn url(&self) -> String {
        match &self.own {
            Some(own) => own.url(),
            None => format!("sqlite://{}", self.folder.path().join("test.sqlite").display()),
        }
    }

    /// A file in the folder, with these contents.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// The configuration that the program has here.
    pub(crate) fn config(&self) -> Config {
        let master_key_file = Some(self.folder.path().join("master.key"));
        let args = CommonArgs { database_url: Some(self.url()), master_key_file, ..CommonArgs::default() };
        Config::load(&args).unwrap()
    }

    /// The program, in the folder, with this database.
    pub(crate) fn leadyard(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadyard"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("DATABASE_URL", self.url())
            .env("LEADYARD_MASTER_KEY_FILE", self.folder.path().join("master.key"))
            .env_remove("LEADYARD_LISTEN")
            .env_remove("LEADYARD_CONFIG")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program; answers what it printed. It must succeed.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.leadyard(args).output().unwrap();
        assert!(output.status.success(), "{args:?} failed: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs the program; answers the JSON on the last line of what it printed.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        last_json(&self.run(args))
    }

    /// Runs the program; it must fail without a panic. Answers what it said.
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        failed(&self.leadyard(args).output().unwrap())
    }

    pub(crate) async fn remove(self) {
        if let Some(own) = self.own {
            own.remove().await.unwrap();
        }
    }
}

pub(crate) fn failed(output: &Output) -> String {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "an orderly failure is expected: {}{said}", text(&output.stdout));
    assert!(!said.contains("panicked"), "{said}");
    said
}

pub(crate) fn last_json(printed: &str) -> Value {
    serde_json::from_str(printed.lines().last().unwrap_or_default()).unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
