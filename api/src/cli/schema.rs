//! `leadyard schema`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct SchemaArgs {
    /// Instead of printing the schema, write its reference into this folder, as `docs/reference` holds it: a page for each
    /// noun with what can be asked and done, by whom, and what every code means.
    #[arg(long, value_name = "FOLDER")]
    reference: Option<PathBuf>,
}

/// Prints the schema or writes its reference.
pub(super) fn run(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    let Some(folder) = &args.reference else {
        print!("{}", crate::graphql::sdl());
        return Ok(ExitCode::SUCCESS);
    };
    let cannot = || format!("{} cannot be written", folder.display());
    std::fs::create_dir_all(folder).with_context(cannot)?;
    for (name, text) in crate::graphql::reference()? {
        std::fs::write(folder.join(name), text).with_context(cannot)?;
    }
    Ok(ExitCode::SUCCESS)
}
