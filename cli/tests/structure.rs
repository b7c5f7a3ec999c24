//! Holds the structure of the workspace where Cargo cannot: sizes of folders, files and functions,
//! names of types, cycles of files, and which crate depends on what.

#[path = "structure/modules.rs"]
mod modules;

#[path = "structure/source.rs"]
mod source;

#[path = "sources/mod.rs"]
mod sources;

use modules::Modules;
use source::Source;
use sources::{files, is_test, read};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

/// The most files directly in one folder of a crate.
const MAX_FILES: usize = 15;
/// The most lines of a source file, without its tests.
const MAX_LINES: usize = 400;
/// The most lines of a function, outside of tests.
const MAX_FUNCTION_LINES: usize = 80;

/// The crates of the workspace that a crate may depend on, without `balance-`. The binary may depend
/// on all.
const LAYERS: &[(&str, &str)] = &[
    ("core/domain", ""),
    ("core/batch", ""),
    ("core/store", "batch domain"),
    ("core/service", "batch domain store"),
    ("core/redis", "batch domain service store"),
    ("worker", "batch domain redis service store"),
    ("api", "batch domain service store"),
];

/// The only crates that may depend on certain libraries, tests excepted.
const LIBRARIES: &[(&str, &str)] = &[
    ("sqlx", "core/store"),
    ("redis apalis-redis", "core/redis"),
    ("apalis apalis-core apalis-cron", "core/redis worker"),
    ("poem poem-openapi", "api"),
    ("clap opentelemetry-otlp", "cli"),
    ("opentelemetry tracing-opentelemetry", "core/service cli"),
    ("serde serde_json", "api cli"),
    ("tokio", "core/store core/service core/redis worker api cli"),
];

/// The source files of all crates, tests left out.
fn sources() -> io::Result<Vec<Source>> {
    let names = files()?.into_iter();
    let names =
        names.filter(|name| name.ends_with(".rs") && name.contains("/src/") && !is_test(name));
    names
        .map(|name| Ok(Source::new(&name, &read(&name)?)))
        .collect()
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn folders_hold_few_files() -> io::Result<()> {
    let mut folders: BTreeMap<String, usize> = BTreeMap::new();
    for name in files()?.iter().filter(|name| name.ends_with(".rs")) {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        *folders.entry(folder.to_owned()).or_default() += 1;
    }
    folders.retain(|_, count| *count > MAX_FILES);
    let found = folders.iter();
    let found: Vec<String> = found
        .map(|(folder, count)| format!("{folder}: {count} files, at most {MAX_FILES}"))
        .collect();
    assert_none(&found);
    Ok(())
}

#[test]
fn files_and_functions_are_short() -> io::Result<()> {
    let mut found = Vec::new();
    for source in sources()? {
        let name = &source.name;
        let lines = source.code.lines().count();
        if lines > MAX_LINES {
            found.push(format!("{name}: {lines} lines, at most {MAX_LINES}"));
        }
        for (function, lines) in source.functions() {
            if lines > MAX_FUNCTION_LINES {
                found.push(format!(
                    "{name}: fn {function} has {lines} lines, at most {MAX_FUNCTION_LINES}"
                ));
            }
        }
    }
    assert_none(&found);
    Ok(())
}

#[test]
fn public_types_have_different_names() -> io::Result<()> {
    let sources = sources()?;
    let mut types: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for source in &sources {
        for name in source.public_types() {
            types.entry(name).or_default().push(&source.name);
        }
    }
    types.retain(|_, files| files.len() > 1);
    let found = types.iter();
    let found: Vec<String> = found
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect();
    assert_none(&found);
    Ok(())
}

#[test]
fn files_of_a_crate_use_each_other_without_cycles() -> io::Result<()> {
    let sources = sources()?;
    let crates: BTreeSet<&str> = sources.iter().map(Source::folder).collect();
    assert!(crates.len() > 5, "only {crates:?} were found");
    let mut found = Vec::new();
    for folder in crates {
        let files = sources.iter().filter(|source| source.folder() == folder);
        found.extend(Modules::new(files).cycles());
    }
    assert_none(&found);
    Ok(())
}

/// Returns the names in `[dependencies]`, `[build-dependencies]` and their target-specific forms.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for section in manifest.split("\n[").skip(1) {
        let (title, body) = section.split_once(']').unwrap_or_default();
        let is_read = title.ends_with("dependencies") && title != "dev-dependencies";
        let names = body.lines().filter(|line| line.contains('='));
        let names = names.filter_map(|line| line.split(['.', ' ', '=']).next());
        found.extend(names.filter(|_| is_read).map(str::to_owned));
        // A dependency with a section of its own.
        if let Some((parent, name)) = title.rsplit_once("dependencies.") {
            found.extend((!parent.contains("dev-")).then(|| name.to_owned()));
        }
    }
    found
}

#[test]
fn crates_depend_on_what_their_layer_may_use() -> io::Result<()> {
    let mut found = Vec::new();
    let manifests = files()?.into_iter();
    let manifests: Vec<String> = manifests
        .filter(|name| name.ends_with("/Cargo.toml"))
        .collect();
    for manifest in &manifests {
        let folder = manifest.trim_end_matches("/Cargo.toml");
        let layer = LAYERS.iter().find(|(name, _)| *name == folder);
        for dependency in dependencies(&read(manifest)?) {
            let name = dependency.as_str();
            let is_below = match (name.strip_prefix("balance-"), layer) {
                (Some(name), Some((_, allowed))) => allowed.split(' ').any(|one| one == name),
                _ => true,
            };
            let is_allowed = LIBRARIES.iter().all(|(libraries, crates)| {
                libraries.split(' ').all(|one| one != name)
                    || crates.split(' ').any(|one| one == folder)
            });
            if !(is_below && is_allowed || folder == "test-support") {
                found.push(format!("{manifest}: must not depend on {name}"));
            }
        }
    }
    for (folder, _) in LAYERS {
        let manifest = format!("{folder}/Cargo.toml");
        assert!(manifests.contains(&manifest), "{manifest} is missing");
    }
    assert_none(&found);
    Ok(())
}

#[test]
fn tasks_belong_to_a_tracker_that_waits_for_them() -> io::Result<()> {
    // clippy.toml forbids `tokio::spawn`; a tracker that is dropped at once has the same effect.
    let found: Vec<String> = sources()?
        .iter()
        .filter(|source| source.code.contains("TaskTracker::new().spawn"))
        .map(|source| format!("{}: spawns on a temporary TaskTracker", source.name))
        .collect();
    assert_none(&found);
    Ok(())
}

#[test]
fn continuous_integration_uses_the_rust_version_of_the_manifest() -> io::Result<()> {
    let manifest = read("Cargo.toml")?;
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .unwrap_or_default()
        .trim_matches('"');
    let workflow = read(".github/workflows/ci.yml")?;
    let expected = [
        format!("RUST_VERSION: \"{version}\""),
        format!("rust-version: \"{version}\""),
        format!("container: rust:{version}-"),
    ];
    for expected in expected {
        assert!(workflow.contains(&expected), "ci.yml lacks {expected}");
    }
    Ok(())
}

#[test]
fn the_scan_sees_functions_types_and_imports() {
    let text = r#"//! use crate::nothing;
use crate::{b::{self, Thing as Other}, c};
pub use d::Re;
pub struct One<T>(T);
pub(crate) enum Two {}
impl One<u8> {
    pub(crate) async fn long(
        &self,
    ) -> u8 {
        "}
    }";
        Other::new(b::X, 'x', '"')
    }
    fn short() {}
}
#[cfg(test)]
mod tests {
    use crate::nothing;
}
"#;
    let a = Source::new("core/x/src/a/mod.rs", text);
    let b = Source::new("core/x/src/b.rs", "use crate::a::Re;\nuse super::c;\n");
    let c = Source::new("core/x/src/c.rs", "use crate::a::{self, Re};\n");
    let d = Source::new("core/x/src/a/d.rs", "pub struct Re;\n");
    assert_eq!(a.public_types().collect::<Vec<_>>(), ["One"]);
    assert_eq!(
        a.functions(),
        [("long".to_owned(), 7), ("short".to_owned(), 1)]
    );
    let modules = Modules::new([&a, &b, &c, &d].into_iter());
    assert_eq!(
        modules.cycles(),
        [
            "core/x/src/a/mod.rs: b::X, in core/x/src/b.rs",
            "core/x/src/a/mod.rs: crate::c, in core/x/src/c.rs",
            "core/x/src/b.rs: super::c, in core/x/src/c.rs",
            "core/x/src/c.rs: crate::a, in core/x/src/a/mod.rs",
        ]
    );
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nsqlx.workspace = true\n\
                    [dependencies.poem]\nversion = \"3\"\n[dev-dependencies]\nclap = \"4\"\n\
                    [target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n";
    let names: Vec<String> = dependencies(manifest).into_iter().collect();
    assert_eq!(names, ["libc", "poem", "sqlx"]);
}
