//! Help pages, the reference of settings, and completion scripts.

use crate::env::TestEnv;

const COMMANDS: [&[&str]; 20] = [
    &["demo"],
    &["import"],
    &["import", "list"],
    &["import", "undo"],
    &["import-balances"],
    &["settle"],
    &["report", "top5"],
    &["report", "revenue"],
    &["verify"],
    &["jobs", "list"],
    &["jobs", "retry"],
    &["rates", "set"],
    &["events", "replay"],
    &["admin", "create"],
    &["clock", "repair"],
    &["migrate"],
    &["openapi"],
    &["serve"],
    &["worker"],
    &["workers"],
];

#[test]
fn the_help_of_a_command_lists_its_own_options_only() {
    let env = TestEnv::empty();
    for command in COMMANDS {
        let [first, rest @ ..] = command else {
            panic!("no command");
        };
        let page = env.balance(&[command, &["--help"]].concat()).run();
        let topic = env.balance(&[&["help", first], rest].concat()).run();
        let page = page.succeeded().stdout;
        assert_eq!(topic.succeeded().stdout, page, "{command:?}");
        assert!(page.contains("`balance help settings`"), "{page}");
        for setting in ["--lease-s", "--database-url", "LEASE_S", "[env:"] {
            assert!(!page.contains(setting), "{setting}: {page}");
        }
    }
    let settle = env.balance(&["settle", "--help"]).run().succeeded().stdout;
    for option in ["--date", "--from", "--to", "--no-work"] {
        assert!(settle.contains(option), "{settle}");
    }
    let root = env.balance(&["help"]).run().succeeded().stdout;
    for command in COMMANDS.map(|command| command[0]) {
        assert!(
            root.contains(&format!("\n  {command} ")),
            "{command}: {root}"
        );
    }
    env.balance(&["help", "nothing"])
        .run()
        .failed(&["no help for `nothing`"]);
    env.balance(&["help", "settle", "--markdown"])
        .run()
        .failed(&["--markdown requires"]);
}

#[test]
fn every_command_accepts_the_settings_as_options() {
    let env = TestEnv::new();
    let url = format!("sqlite://{}", env.database().display());
    for args in [
        &["--database-url", &url, "jobs", "list"][..],
        &["jobs", "--database-url", &url, "list"],
        &["jobs", "list", "--database-url", &url],
    ] {
        let call = env.balance(args).env("DATABASE_URL", "sqlite:///proc");
        call.run().succeeded();
    }
}

#[test]
fn commands_without_settings_ignore_the_environment() {
    let env = TestEnv::empty();
    for args in [
        &["openapi"][..],
        &["completions", "bash"],
        &["help", "settings"],
        &["help", "settle"],
        &["settle", "--help"],
    ] {
        let call = env
            .balance(args)
            .env("LEASE_S", "soon")
            .env("BALANCE_LOG", "a=b=c");
        call.run().succeeded();
    }
    assert!(!env.database().exists());
}

#[test]
fn completion_scripts_name_the_commands() {
    let env = TestEnv::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = env.balance(&["completions", shell]).run().succeeded();
        for command in COMMANDS.map(|command| command[0]) {
            assert!(script.stdout.contains(command), "{shell}: {command}");
        }
        assert!(script.stdout.contains("no-work"), "{shell}");
    }
    env.balance(&["completions", "dos"]).run().failed(&["dos"]);
}
