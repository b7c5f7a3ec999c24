//! Records the statements that reach the database.

use crate::work::work;
use balance_test_support::settlement::TestEnv;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Mutex,
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// The statements that sqlx has logged in this process.
static LOGGED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Collects the statements that sqlx logs.
struct Recorder;

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        LOGGED.lock().unwrap().insert(statement.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The text of a logged statement.
#[derive(Default)]
struct Statement(String);

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        // The field `summary` comes first. It has the text of a statement of up to four words.
        if matches!(field.name(), "summary" | "db.statement") && !value.is_empty() {
            self.0 = value.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// Runs the work, and returns the recorded statements, one of each shape.
pub(crate) async fn recorded(env: &TestEnv) -> Vec<String> {
    let statements: Vec<String> = match &env.server {
        None => {
            tracing::subscriber::set_global_default(Recorder).unwrap();
            LOGGED.lock().unwrap().clear();
            work(env).await;
            LOGGED.lock().unwrap().iter().cloned().collect()
        }
        Some(url) => {
            env.execute("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1")
                .await;
            // On connections that the log knows by the database.
            let reopened = env.reopen().await;
            work(&reopened).await;
            reopened.store.close().await;
            env.execute("SET GLOBAL general_log = 0").await;
            let (_, database) = url.rsplit_once('/').unwrap();
            let sql = format!(
                "SELECT DISTINCT HEX(argument) FROM mysql.general_log \
                 WHERE command_type = 'Execute' AND argument NOT LIKE 'INSERT %' AND thread_id IN \
                 (SELECT thread_id FROM mysql.general_log \
                  WHERE command_type = 'Connect' AND argument LIKE '% on {database} using %')"
            );
            env.rows(&sql)
                .await
                .iter()
                .map(|hex| text_of(hex))
                .collect()
        }
    };
    let explainable = statements.into_iter().filter(|sql| is_explainable(sql));
    let shapes: BTreeMap<String, String> = explainable.map(|sql| (shape(&sql), sql)).collect();
    shapes.into_values().collect()
}

/// Returns the text with these bytes. Binary values in statements are not always valid UTF-8.
fn text_of(hex: &str) -> String {
    let pairs = (0..hex.len()).step_by(2).map(|at| &hex[at..at + 2]);
    let bytes = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap());
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
}

fn is_explainable(sql: &str) -> bool {
    let verbs = ["SELECT ", "UPDATE ", "DELETE ", "WITH "];
    let has_plan = verbs.iter().any(|verb| sql.starts_with(verb));
    let is_of_migrations = sql.contains("_sqlx_migrations") || sql.contains("information_schema");
    has_plan && !is_of_migrations
}

/// Returns a statement without its values.
pub(crate) fn shape(sql: &str) -> String {
    let mut is_quoted = false;
    sql.chars()
        .filter(|&c| {
            is_quoted ^= c == '\'';
            !is_quoted && !c.is_ascii_digit()
        })
        .collect()
}
