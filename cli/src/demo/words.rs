//! Invented names of creators and titles of videos.

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

const SUBJECTS: [&str; 50] = [
    "Baking rye bread",
    "Repairing an old bicycle",
    "Sketching rooftops",
    "Growing tomatoes",
    "Learning the cello",
    "Folding paper cranes",
    "Painting a fence",
    "Knitting a scarf",
    "Building a bookshelf",
    "Brewing green tea",
    "Walking the harbour wall",
    "Listening to owls",
    "Sailing a paper boat",
    "Carving a wooden spoon",
    "Restoring a radio",
    "Cooking lentil soup",
    "Throwing a clay bowl",
    "Planting an apple tree",
    "Crossing the mountain pass",
    "Mapping a forest path",
    "Pickling cucumbers",
    "Tuning a piano",
    "Watching the night train",
    "Sharpening kitchen knives",
    "Juggling three lemons",
    "Mending a torn jacket",
    "Printing with linoleum",
    "Counting shooting stars",
    "Rolling fresh noodles",
    "Feeding the ducks",
    "Solving a sliding puzzle",
    "Writing with a quill",
    "Keeping bees",
    "Dancing in the kitchen",
    "Photographing fog",
    "Roasting coffee",
    "Flying a box kite",
    "Making marmalade",
    "Rowing to the island",
    "Weaving a basket",
    "Drawing a cat",
    "Cycling along the river",
    "Stargazing",
    "Binding a notebook",
    "Stretching",
    "Whistling folk tunes",
    "Polishing sea glass",
    "Teaching a parrot to count",
    "Setting up a tent",
    "Skipping stones",
];

const ENDINGS: [&str; 50] = [
    "before sunrise",
    "on a rainy day",
    "for beginners",
    "with my grandmother",
    "in one take",
    "without hurry",
    "step by step",
    "from scratch",
    "by candlelight",
    "at the end of summer",
    "in slow motion",
    "on a small budget",
    "one mistake at a time",
    "with cold hands",
    "the old way",
    "after the first snow",
    "in complete silence",
    "with the neighbours",
    "for the third time",
    "and what went wrong",
    "against the clock",
    "in the middle of winter",
    "with a curious dog",
    "just for fun",
    "on a Sunday afternoon",
    "like nobody is watching",
    "with borrowed tools",
    "in a thunderstorm",
    "far from the city",
    "to relax",
    "while the kettle boils",
    "explained in plain words",
    "every day for a month",
    "with only one hand",
    "at low tide",
    "under the stars",
    "before breakfast",
    "with an expert",
    "and why it matters",
    "in early spring",
    "on the balcony",
    "for impatient people",
    "with too much enthusiasm",
    "until it works",
    "when it is too hot to sleep",
    "in the dark",
    "with a friend",
    "on the longest day",
    "and a cup of cocoa",
    "all weekend long",
];

const MOODS: [&str; 15] = [
    "mossy",
    "drowsy",
    "humming",
    "paper",
    "velvet",
    "wandering",
    "crooked",
    "gentle",
    "sunlit",
    "salty",
    "tidy",
    "curious",
    "barefoot",
    "copper",
    "midnight",
];

const THINGS: [&str; 20] = [
    "kettle",
    "sparrow",
    "orchard",
    "pebble",
    "lantern",
    "teapot",
    "meadow",
    "comet",
    "biscuit",
    "willow",
    "otter",
    "thimble",
    "accordion",
    "ladder",
    "puddle",
    "acorn",
    "marble",
    "whistle",
    "hammock",
    "radish",
];

/// Returns up to 2,500 different titles in random order.
pub(super) fn titles(rng: &mut ChaCha8Rng) -> Vec<String> {
    combinations(&SUBJECTS, &ENDINGS, ' ', rng)
}

/// Returns up to 300 different usernames of letters and hyphens in random order.
pub(super) fn handles(rng: &mut ChaCha8Rng) -> Vec<String> {
    combinations(&MOODS, &THINGS, '-', rng)
}

fn combinations(
    firsts: &[&str],
    seconds: &[&str],
    separator: char,
    rng: &mut ChaCha8Rng,
) -> Vec<String> {
    let mut all: Vec<String> = firsts
        .iter()
        .flat_map(|first| {
            seconds
                .iter()
                .map(move |second| format!("{first}{separator}{second}"))
        })
        .collect();
    all.shuffle(rng);
    all
}
