//! The rules: which place must not name what, and why.

/// Files of one place must not name certain things.
pub(crate) struct Rule {
    /// What the rule protects.
    pub(crate) why: &'static str,
    /// Where it holds: beginnings of paths from the workspace's root.
    pub(crate) within: &'static [&'static str],
    /// Where it does not.
    pub(crate) except: &'static [&'static str],
    /// One segment: a crate or a type, wherever in a path it stands. Several: the beginning of a
    /// path from its crate's root.
    pub(crate) forbidden: &'static [&'static str],
}

pub(crate) const EVERYWHERE: &[&str] = &["core/src/", "api/src/", "worker/src/", "cli/src/"];
const TECHNOLOGY: &[&str] = &[
    "sqlx",
    "redis",
    "serde",
    "serde_json",
    "tokio",
    "poem",
    "poem_openapi",
    "apalis",
    "apalis_core",
    "apalis_cron",
    "apalis_redis",
];
pub(crate) const ADAPTERS: &[&str] = &[
    "balance_core::store",
    "balance_core::queue",
    "balance_core::intake",
];

pub(crate) const RULES: &[Rule] = &[
    Rule {
        why: "the rules of the business and the batch engine's concepts are pure",
        within: &["core/src/domain/", "core/src/batch/"],
        except: &[],
        forbidden: TECHNOLOGY,
    },
    Rule {
        why: "the rules of the business know nothing but themselves",
        within: &["core/src/domain/"],
        except: &[],
        forbidden: &[
            "balance_core::batch",
            "balance_core::port",
            "balance_core::service",
        ],
    },
    Rule {
        why: "the batch engine's concepts know no ports and no use cases",
        within: &["core/src/batch/"],
        except: &[],
        forbidden: &["balance_core::port", "balance_core::service"],
    },
    Rule {
        why: "ports do not know who uses them",
        within: &["core/src/port/"],
        except: &[],
        forbidden: &["balance_core::service"],
    },
    Rule {
        why: "dependencies point from the adapters to the ports, never back",
        within: &[
            "core/src/domain/",
            "core/src/batch/",
            "core/src/port/",
            "core/src/service/",
        ],
        except: &[],
        forbidden: ADAPTERS,
    },
    Rule {
        why: "only the store speaks SQL",
        within: EVERYWHERE,
        except: &["core/src/store/"],
        forbidden: &["sqlx"],
    },
    Rule {
        why: "only intake and queue speak to Redis",
        within: EVERYWHERE,
        except: &[
            "core/src/intake/",
            "core/src/queue/",
            "core/src/connection.rs",
        ],
        forbidden: &["redis", "apalis_redis"],
    },
    Rule {
        why: "traces begin and go on in one place, and are sent from one",
        within: EVERYWHERE,
        except: &["core/src/trace.rs", "cli/src/traces.rs"],
        forbidden: &[
            "opentelemetry",
            "opentelemetry_sdk",
            "opentelemetry_otlp",
            "tracing_opentelemetry",
        ],
    },
    Rule {
        why: "only the queue's adapters name a storage of apalis",
        within: EVERYWHERE,
        except: &["core/src/queue/"],
        forbidden: &["MemoryStorage", "MemorySink", "RedisStorage"],
    },
    Rule {
        why: "the API speaks HTTP and reaches everything else through ports",
        within: &["api/src/"],
        except: &[],
        forbidden: &[
            "sqlx",
            "redis",
            "apalis",
            "apalis_redis",
            "balance_core::store",
            "balance_core::queue",
            "balance_core::intake",
            "balance_worker",
        ],
    },
    Rule {
        why: "the worker knows no HTTP and no database",
        within: &["worker/src/"],
        except: &[],
        forbidden: &[
            "poem",
            "poem_openapi",
            "sqlx",
            "balance_core::store",
            "balance_core::intake",
            "balance_api",
        ],
    },
    Rule {
        why: "core knows none of the crates that are built on it",
        within: &["core/src/"],
        except: &[],
        forbidden: &[
            "poem",
            "poem_openapi",
            "clap",
            "balance_api",
            "balance_worker",
            "balance_cli",
        ],
    },
];

/// Crates that a manifest's `[dependencies]` must not hold.
pub(crate) const MANIFESTS: &[(&str, &[&str])] = &[
    (
        "core/Cargo.toml",
        &["poem", "poem-openapi", "clap", "serde", "serde_json"],
    ),
    (
        "api/Cargo.toml",
        &["sqlx", "redis", "apalis", "apalis-redis"],
    ),
    (
        "worker/Cargo.toml",
        &["poem", "poem-openapi", "sqlx", "redis", "apalis-redis"],
    ),
    (
        "cli/Cargo.toml",
        &[
            "poem",
            "poem-openapi",
            "sqlx",
            "redis",
            "apalis",
            "apalis-redis",
        ],
    ),
];
