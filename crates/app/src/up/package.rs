//! From a folder to the zip that CreateFunction takes. The same files give the same bytes.

use std::fs;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::files::LEFT_OUT;
use super::folder::{DESCRIPTION, Folder};

/// How deep a package may be.
const DEPTH_MAX: usize = 64;

/// Makes the zip of a folder; the folder `except` is left out.
///
/// # Errors
/// A file cannot be read, or what `package` names is not there.
pub(super) fn zip(folder: &Folder, except: &Path) -> Result<Vec<u8>> {
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    match &folder.description.package {
        None => collect(&folder.path, Path::new(""), except, &mut files)?,
        Some(parts) => {
            for part in parts {
                let from = folder.path.join(part);
                let data = fs::metadata(&from).with_context(|| {
                    format!("`package` names {}, which is not there: does `build` make it?", from.display())
                })?;
                if data.is_dir() {
                    collect(&from, Path::new(""), except, &mut files)?;
                } else {
                    files.push((PathBuf::from(part.file_name().unwrap_or_default()), from));
                }
            }
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("there are no files in {}", folder.path.display());
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, from) in files {
        let data = fs::metadata(&from).with_context(|| format!("reading {}", from.display()))?;
        let executable = data.permissions().mode() & 0o111 != 0;
        // The date is left at 1980, so that the digest follows from the contents alone.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .unix_permissions(if executable { 0o755 } else { 0o644 });
        writer.start_file(name.to_string_lossy(), options)?;
        writer.write_all(&fs::read(&from).with_context(|| format!("reading {}", from.display()))?)?;
    }
    Ok(writer.finish()?.into_inner())
}

/// All files below `from`; links are followed, as packaging tools do.
fn collect(from: &Path, below: &Path, except: &Path, files: &mut Vec<(PathBuf, PathBuf)>) -> Result<()> {
    if below.components().count() > DEPTH_MAX {
        bail!("{} is more than {DEPTH_MAX} folders deep: does a link lead back up?", from.display());
    }
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let path = entry.path();
        let Ok(data) = fs::metadata(&path) else { continue };
        if data.is_dir() {
            let is_left_out = LEFT_OUT.iter().any(|left_out| name == *left_out);
            if !is_left_out && path.canonicalize().is_ok_and(|path| path != except) {
                collect(&path, &below.join(&name), except, files)?;
            }
        } else if data.is_file() && !(below.as_os_str().is_empty() && name == DESCRIPTION) {
            files.push((below.join(&name), path));
        }
    }
    Ok(())
}
