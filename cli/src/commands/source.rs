//! Input files of commands.

use anyhow::{Context, bail};
use std::{fs::File, io::Read, path::Path};

/// Returns the name of an input file for messages.
pub(super) fn display_name(path: &Path) -> String {
    if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

/// Checks that a file can be read. Does not open a pipe, whose content can be read once.
pub(super) fn check_source(path: &Path) -> anyhow::Result<()> {
    if path == Path::new("-") {
        return Ok(());
    }
    let unreadable = || format!("{}: cannot be read", path.display());
    let metadata = std::fs::metadata(path).with_context(unreadable)?;
    if metadata.is_dir() {
        bail!("{}: is a folder, not a file", path.display());
    }
    if metadata.is_file() {
        File::open(path).with_context(unreadable)?;
    }
    Ok(())
}

/// Opens a file, or standard input for `-`. Returns its length in bytes if it is a regular file.
pub(super) fn open_source(path: &Path) -> anyhow::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let open = || -> std::io::Result<(File, std::fs::Metadata)> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    };
    let (file, metadata) = open().with_context(|| format!("{}: cannot be read", path.display()))?;
    if metadata.is_dir() {
        bail!("{}: is a folder, not a file", path.display());
    }
    let length = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(file), length))
}
