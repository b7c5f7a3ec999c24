//! The words that the project's texts avoid, and what to write instead.

/// Phrases in lower case, separated by `|`; `_` stands for any one word. Then the replacement.
pub(crate) const RULES: &[(&str, &str)] = &[
    (
        "nobody|somebody|someone|anybody|whoever|whomever",
        "name the role: the client, the worker, the viewer, an admin; \"no worker\", \"any client\"",
    ),
    ("whatever", "\"any\", \"every\", \"regardless of\""),
    ("mend|mends|mended|mending", "fix, repair, recover, resolve"),
    ("heal|heals|healed|healing", "recover, release, repair"),
    (
        "tell|tells|told|telling",
        "return, report, notify, print, show; \"distinguish\" for \"tell apart\"",
    ),
    ("away", "unavailable"),
    ("at hand|to hand", "available, cached, loaded"),
    ("at work", "running"),
    (
        "ring|rings|rang|rung|ringing|doorbell|doorbells",
        "notification; notify, notifies, notified",
    ),
    ("crew|crews", "claim pool, local worker"),
    ("guest|guests", "one-shot worker"),
    ("resident|residents", "daemon"),
    ("storm|storms", "chaos test, chaos run"),
    ("blow|blows|blew|blown", "fault; inject a fault"),
    (
        "house|houses|room|rooms",
        "crate, module; capacity, free space",
    ),
    ("world|worlds", "test environment, fixtures"),
    ("stray|strays|strayed", "dead letter"),
    ("loose", "orphan"),
    ("remedy|remedies", "suggested action"),
    ("tally|tallies|tallied", "counter, counters"),
    ("happening|happenings", "event, kind of event"),
    ("deed|deeds", "command, audited action"),
    ("patience", "time-out"),
    ("poison", "input that cannot be settled"),
    (
        "drain|drains",
        "event writer, persist; the state \"drained\" keeps its name",
    ),
    (
        "take in|takes in|took in|taken in|taking in",
        "accept, admit, ingest, persist",
    ),
    (
        "write down|writes down|wrote down|written down|writing down",
        "record, persist, store",
    ),
    (
        "give back|gives back|gave back|given back|giving back|give _ back|gives _ back|gave _ back",
        "release, return",
    ),
    ("go on|goes on|went on|gone on|going on", "continue, resume"),
    (
        "hold to|holds to|held to|holding to",
        "compare with, verify against, must match",
    ),
    ("as far as", "if, to the extent that, up to"),
    ("a look|the look|looks for a", "check, lookup"),
    (
        "refuse|refuses|refused|refusing|refusal|refusals",
        "reject, rejects, rejected, rejection; suppressed, for a play",
    ),
    ("anew", "again"),
    ("tidy|tidies|tidied|tidying", "purge, delete"),
    ("said", "state, report, show"),
    ("judge|judges|judged|judging", "decide, check"),
];

/// Phrases that hold an avoided word and are plain English or a term of the field.
pub(crate) const FINE: &[&str] = &[
    "right away",
    "straight away",
    "take in total",
    "taken in the",
    "taken in order",
    "takes in order",
    "resident set",
    "resident memory",
    "real world",
    "hello world",
];

const FROZEN: &str = "sqlx verifies the checksum of an applied migration, comments included";

const GROUP: &str = "the name of the consumer group, which existing streams contain";

const KEY: &str = "a key in Redis, which existing servers contain";

const TITLE: &str = "a made-up title of a video";

/// Exceptions: the beginning of a path, the phrase, and the reason.
pub(crate) const ALLOWED: &[(&str, &str, &str)] = &[
    ("migrations/", "nobody", FROZEN),
    ("migrations/", "somebody", FROZEN),
    ("migrations/", "tells", FROZEN),
    ("migrations/", "go on", FROZEN),
    ("migrations/", "refused", FROZEN),
    ("migrations/", "said", FROZEN),
    ("core/redis/src/keys.rs", "drain", GROUP),
    ("cli/src/demo/", "mending", TITLE),
    ("cli/src/demo/", "nobody", TITLE),
    ("cli/src/demo/", "tidy", TITLE),
    ("core/redis/src/keys.rs", "refused", KEY),
];
