//! What the tables of a database are: none, those of another program, or a version of the schema.

use crate::{StoreError, StoreResult};
use sqlx::migrate::Migrator;

/// The table of the applied migrations.
pub(super) const APPLIED: &str = "_sqlx_migrations";
/// The table of the progress of a migration. It exists only during a migration of a server.
pub(super) const PROGRESS: &str = "_balance_migration";
/// The number of foreign tables that a message names.
const NAMED: usize = 5;

/// A migration that a database has, completely or in part.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Applied {
    pub(super) version: i64,
    pub(super) checksum: Vec<u8>,
    /// Whether all statements of the migration are done.
    pub(super) success: bool,
}

/// The tables of a database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// There are no tables.
    Empty,
    /// There are tables or views, and none of the migrations of this program.
    Foreign(Vec<String>),
    /// The migrations of this program, in order. Further tables belong to the operator.
    Own(Vec<Applied>),
}

impl Schema {
    /// Classifies the tables and views of a database. Other programs can use the table of the applied
    /// migrations too, so the first migration must be the one of this program.
    pub(super) fn of(tables: Vec<String>, applied: Vec<Applied>, ours: &Migrator) -> Self {
        let first = ours.iter().next();
        let is_own = first.is_some_and(|first| {
            applied
                .iter()
                .any(|one| one.version == first.version && one.checksum == *first.checksum)
        });
        if is_own {
            return Self::Own(applied);
        }
        let is_bookkeeping = |name: &String| [APPLIED, PROGRESS].contains(&name.as_str());
        if applied.is_empty() && tables.iter().all(is_bookkeeping) {
            return Self::Empty;
        }
        Self::Foreign(tables)
    }

    /// Returns the applied migrations.
    ///
    /// # Errors
    /// If the tables belong to another program.
    pub(super) fn require_own(self) -> StoreResult<Vec<Applied>> {
        match self {
            Self::Empty => Ok(Vec::new()),
            Self::Own(applied) => Ok(applied),
            Self::Foreign(tables) => Err(foreign(&tables)),
        }
    }
}

fn foreign(tables: &[String]) -> StoreError {
    let mut names = tables
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if tables.len() > NAMED {
        names.push_str(", …");
    }
    let (count, noun) = match tables.len() {
        1 => (1, "table"),
        count => (count, "tables"),
    };
    StoreError::Unusable(format!(
        "it has {count} {noun} of another program ({names}) and was not changed; Balance requires \
         an empty database of its own: correct DATABASE_URL"
    ))
}

/// Checks that each applied migration is one of this program.
pub(super) fn check_known(applied: &[Applied], ours: &Migrator) -> StoreResult<()> {
    for one in applied {
        let version = one.version;
        let Some(migration) = ours.iter().find(|ours| ours.version == version) else {
            return Err(newer(version));
        };
        if one.checksum != *migration.checksum {
            return Err(different(version));
        }
    }
    Ok(())
}

/// Returns the error for a migration that this program does not know.
pub(super) fn newer(version: i64) -> StoreError {
    StoreError::Unusable(format!(
        "the database's schema is newer than this program (it has migration {version}); use the \
         program version that migrated it, or a newer one"
    ))
}

/// Returns the error for a migration that differs from the one of this program.
pub(super) fn different(version: i64) -> StoreError {
    StoreError::Unusable(format!(
        "migration {version} of the database differs from this program's; use the program version \
         that migrated it"
    ))
}

/// Checks that the schema has exactly the migrations of this program.
pub(super) fn check_current(schema: Schema, ours: &Migrator) -> StoreResult<()> {
    let applied = schema.require_own()?;
    check_known(&applied, ours)?;
    if applied.is_empty() {
        return Err(StoreError::Unusable(
            "the database's schema is missing or older than this program; run `balance migrate`"
                .to_owned(),
        ));
    }
    let missing = ours
        .iter()
        .map(|migration| migration.version)
        .find(|version| !is_complete(&applied, *version));
    match missing {
        Some(version) => Err(StoreError::Unusable(format!(
            "the database's schema is older than this program (it lacks migration {version}); run \
             `balance migrate`"
        ))),
        None => Ok(()),
    }
}

/// Returns whether a migration is applied completely.
pub(super) fn is_complete(applied: &[Applied], version: i64) -> bool {
    applied
        .iter()
        .any(|one| one.version == version && one.success)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::migration::file::SQLITE;

    fn applied(count: usize) -> Vec<Applied> {
        let ours = SQLITE.iter().take(count).map(|migration| Applied {
            version: migration.version,
            checksum: migration.checksum.to_vec(),
            success: true,
        });
        ours.collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn tables_without_the_first_migration_are_foreign() {
        let of = |tables: &[&str], applied| Schema::of(names(tables), applied, &SQLITE);
        assert_eq!(of(&[], Vec::new()), Schema::Empty);
        assert_eq!(of(&[APPLIED], Vec::new()), Schema::Empty);
        // Spring Batch has tables with the same names.
        let spring = ["BATCH_JOB_INSTANCE"];
        assert_eq!(of(&spring, Vec::new()), Schema::Foreign(names(&spring)));
        let mut other = applied(1);
        other[0].checksum = vec![7];
        let tables = [APPLIED, "orders"];
        assert_eq!(of(&tables, other), Schema::Foreign(names(&tables)));
        let own = applied(1);
        assert_eq!(of(&tables, own.clone()), Schema::Own(own));
    }

    #[test]
    fn a_message_names_a_few_foreign_tables() {
        let tables: Vec<String> = (0..44).map(|number| format!("table{number}")).collect();
        let message = foreign(&tables).to_string();
        assert!(message.contains("44 tables"), "{message}");
        let listed = "(table0, table1, table2, table3, table4, …)";
        assert!(message.contains(listed), "{message}");
        let message = foreign(&tables[..1]).to_string();
        assert!(
            message.contains("1 table of another program (table0)"),
            "{message}"
        );
    }

    #[test]
    fn only_the_exact_set_of_migrations_is_current() {
        let all = applied(usize::MAX);
        let check = |applied: Vec<Applied>| {
            let result = check_current(Schema::Own(applied), &SQLITE);
            result.err().map(|error| error.to_string())
        };
        assert_eq!(check(all.clone()), None);
        // The newest one alone does not prove that the others are there.
        let mut gap = all.clone();
        gap.remove(3);
        assert!(check(gap).is_some_and(|text| text.contains("older than")));
        let mut partial = all.clone();
        partial[5].success = false;
        assert!(check(partial).is_some_and(|text| text.contains("older than")));
        let mut changed = all.clone();
        changed[2].checksum = vec![7];
        assert!(check(changed).is_some_and(|text| text.contains("differs")));
        let mut newer = all;
        newer.push(Applied {
            version: 9_999,
            checksum: vec![7],
            success: true,
        });
        assert!(check(newer).is_some_and(|text| text.contains("newer than")));
        assert!(check(Vec::new()).is_some_and(|text| text.contains("older than")));
    }
}
