//! MariaDB and Redis servers of the tests, with the options and passwords of `docker-compose.yml`.
//! Each server has a separate folder and a free port of the loopback interface.

mod compose;
mod daemon;
mod database;
mod machine;
mod mariadb;
mod proxy;
mod redis;

pub use compose::{Compose, HealthCheck, Service};
pub use daemon::{Daemon, bound, is_installed};
pub use database::Database;
pub use machine::Machine;
pub use mariadb::MariaDb;
pub use proxy::Proxy;
pub use redis::Redis;

use mariadb::Grants;
use redis::REDIS_DATABASES;
use std::sync::{
    Arc, LazyLock, Mutex, PoisonError, Weak,
    atomic::{AtomicU32, Ordering},
};

/// The password of MariaDB and of Redis. The program must never print it.
pub const PASSWORD: &str = "Geheim-4711";
/// The values of the variables of `docker-compose.yml`.
pub const VALUES: [(&str, &str); 4] = [
    ("MYSQL_ROOT_PASSWORD", "Wurzel-4711"),
    ("MYSQL_PASSWORD", PASSWORD),
    ("REDIS_PASSWORD", PASSWORD),
    ("JWT_SECRET", "Siegel-4711-Wachs-0815-Faden-2342"),
];

/// Returns a service of `docker-compose.yml`. The file is resolved once for each process.
fn service(name: &str) -> &'static Service {
    static COMPOSE: LazyLock<Compose> = LazyLock::new(|| Compose::read(&VALUES));
    COMPOSE.services.get(name).expect(name)
}

/// A MariaDB server and a Redis server.
pub struct Servers {
    pub mariadb: MariaDb,
    pub redis: Redis,
    databases: AtomicU32,
}

impl Servers {
    /// Starts servers for one test, which may kill them.
    pub fn start() -> Arc<Self> {
        Self::with(Grants::AllDatabases)
    }

    /// Starts servers with the one database of `docker-compose.yml`, whose user has no rights
    /// outside.
    pub fn as_in_containers() -> Arc<Self> {
        Self::with(Grants::OneDatabase)
    }

    fn with(grants: Grants) -> Arc<Self> {
        Self::of(MariaDb::start(grants), Redis::start())
    }

    /// Returns a pair of servers.
    pub fn of(mariadb: MariaDb, redis: Redis) -> Arc<Self> {
        Arc::new(Self {
            mariadb,
            redis,
            databases: AtomicU32::new(0),
        })
    }

    /// Returns the servers of all tests that do not disturb them. They end with the last test that
    /// uses them.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Servers>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let servers = Self::start();
            *shared = Arc::downgrade(&servers);
            servers
        })
    }

    /// Returns the number of an unused database, for both servers.
    pub fn next_database(&self) -> u32 {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        assert!(number < REDIS_DATABASES, "too many databases");
        number
    }
}
