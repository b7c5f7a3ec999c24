//! All commands with arguments, for the tests that run each of them. The list comes from the help
//! pages, so that a new command is tested too.

/// The arguments of each command after its name. `CSV` is a file of plays, `NEW` a new file, `DIR` the
/// folder of the database.
const ARGUMENTS: [(&str, &[&str]); 35] = [
    ("demo", &["--dir", "DIR", "--reset"]),
    ("import", &["CSV"]),
    ("import list", &[]),
    ("import undo", &["1"]),
    ("import-balances", &["CSV"]),
    ("settle", &[]),
    ("report top5", &["--date", "2024-05-01"]),
    ("report revenue", &["--date", "2024-05-01"]),
    ("verify", &[]),
    ("jobs list", &[]),
    ("jobs show", &["1"]),
    ("jobs launch", &["--date", "2024-05-01"]),
    ("jobs restart", &["1"]),
    ("jobs retry", &["1"]),
    ("jobs stop", &["1"]),
    ("jobs abandon", &["1"]),
    ("rates show", &[]),
    ("rates set", &["CSV", "--effective-from", "2099-01-01"]),
    ("rules show", &[]),
    ("rules set", &["--view-window-s", "31"]),
    ("events adopt", &[]),
    ("events replay", &[]),
    ("restore complete", &[]),
    ("admin create", &["boss", "--password-file", "CSV"]),
    ("admin grant", &["boss"]),
    ("admin password", &["boss", "--password-file", "CSV"]),
    ("clock repair", &[]),
    ("migrate", &[]),
    ("backup", &["NEW"]),
    ("serve", &[]),
    ("api", &[]),
    ("worker", &[]),
    ("workers", &[]),
    ("openapi", &[]),
    ("completions", &["bash"]),
];

/// The commands that use no database, and those whose kind of database is always wrong here.
pub(crate) const WITHOUT: [&str; 4] = ["openapi", "completions", "events adopt", "events replay"];
/// The commands that only read.
pub(crate) const READ: [&str; 9] = [
    "import list",
    "report top5",
    "report revenue",
    "verify",
    "jobs list",
    "jobs show",
    "rates show",
    "rules show",
    "workers",
];

/// Returns all commands and subcommands of the help pages, with their arguments. `help` returns the page
/// for the words of a command.
pub(crate) fn commands(
    help: &dyn Fn(&[&str]) -> String,
) -> Vec<(&'static str, &'static [&'static str])> {
    let mut found = subcommands("", help);
    found.retain(|name| !name.ends_with("help"));
    // A command of its own, besides its subcommands.
    found.push("import".to_owned());
    let mut known: Vec<&str> = ARGUMENTS.iter().map(|(name, _)| *name).collect();
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known, "ARGUMENTS lists all commands");
    ARGUMENTS.to_vec()
}

/// Returns the commands below a command that have no further ones.
fn subcommands(parent: &str, help: &dyn Fn(&[&str]) -> String) -> Vec<String> {
    let mut args = vec!["help"];
    args.extend(parent.split_whitespace());
    let page = help(&args);
    let Some((_, list)) = page.split_once("\nCommands:\n") else {
        return vec![parent.to_owned()];
    };
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .flat_map(|name| subcommands(format!("{parent} {name}").trim(), help))
        .collect()
}

/// The input files of the commands.
pub(crate) struct Inputs<'a> {
    /// A file of plays.
    pub(crate) csv: &'a str,
    /// A file that does not exist.
    pub(crate) new: &'a str,
    /// The folder for a demo.
    pub(crate) folder: &'a str,
}

/// Returns the words of a command line.
pub(crate) fn words<'a>(name: &'a str, args: &[&'a str], inputs: &Inputs<'a>) -> Vec<&'a str> {
    let args = args.iter().map(|arg| match *arg {
        "CSV" => inputs.csv,
        "NEW" => inputs.new,
        "DIR" => inputs.folder,
        arg => arg,
    });
    name.split(' ').chain(args).collect()
}
