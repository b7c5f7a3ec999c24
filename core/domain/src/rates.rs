//! Rates: the pay for a view and an ad view, by the video's lifetime count.

use crate::money::{MICRO_WON_PER_WON, Money, MoneyOverflow};
use chrono::NaiveDate;
use std::{fmt, str::FromStr};

/// The kind of event that is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RateKind {
    /// A counted view of a video.
    Video,
    /// A view of an ad.
    Ad,
}

impl RateKind {
    pub const ALL: [Self; 2] = [Self::Video, Self::Ad];

    /// Returns the name used in files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Video => "VIDEO",
            Self::Ad => "AD",
        }
    }
}

impl fmt::Display for RateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for RateKind {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| RateError::Kind(text.to_owned()))
    }
}

/// Maximum rate, in millionths of a won per view: one million won.
pub const MAX_MICRO_WON: i64 = 1_000_000 * MICRO_WON_PER_WON;
/// Maximum number of tiers per kind.
pub const MAX_TIERS: usize = 100;

/// One tier: it pays views whose lifetime count before them is `from_count` to `to_count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// The smallest lifetime count before the view.
    pub from_count: i64,
    /// The largest lifetime count before the view, inclusive; `None` for the last tier.
    pub to_count: Option<i64>,
    /// Pay for one view in millionths of a won, 0 to [`MAX_MICRO_WON`].
    pub micro_won: i64,
}

impl Tier {
    /// Returns the rate as decimal won without trailing zeros: `1.1`.
    #[must_use]
    pub fn won(&self) -> String {
        let (whole, millionths) = (
            self.micro_won / MICRO_WON_PER_WON,
            self.micro_won % MICRO_WON_PER_WON,
        );
        let decimal = format!("{whole}.{millionths:06}");
        let short = decimal.trim_end_matches('0').trim_end_matches('.');
        short.to_owned()
    }
}

/// The reason why a set of tiers is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// The name of the kind is unknown.
    #[error("kind: '{0}' is neither VIDEO nor AD")]
    Kind(String),
    /// One of the two kinds has no tiers.
    #[error("{0}: there are no tiers; a version is a full set of both kinds")]
    Missing(RateKind),
    /// A kind has more than [`MAX_TIERS`] tiers.
    #[error("{0}: there are more than {MAX_TIERS} tiers")]
    TooMany(RateKind),
    /// A rate is negative or above [`MAX_MICRO_WON`].
    #[error("{kind}: the rate of the tier from {from_count} is out of range (0 to 1000000 won)")]
    Rate { kind: RateKind, from_count: i64 },
    /// No tier covers some counts.
    #[error(
        "{kind}: there is a gap: no tier begins at {expected} (the next one begins at {found})"
    )]
    Gap {
        kind: RateKind,
        /// The expected start of the next tier.
        expected: i64,
        /// The actual start of the next tier.
        found: i64,
    },
    /// Two tiers cover the same counts.
    #[error("{kind}: the tier from {found} overlaps the one before it, which ends at {end}")]
    Overlap {
        kind: RateKind,
        /// The start of the later tier.
        found: i64,
        /// The end of the earlier tier.
        end: String,
    },
    /// A tier ends before it begins.
    #[error("{kind}: the tier from {from_count} ends at {to_count}, before it begins")]
    Backwards {
        kind: RateKind,
        from_count: i64,
        to_count: i64,
    },
    /// The last tier has an end.
    #[error("{kind}: the last tier must have no end, this one ends at {to_count}")]
    Closed { kind: RateKind, to_count: i64 },
}

/// The tiers of one kind. They start at 0, have no gap or overlap, and the last one has no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers(Vec<Tier>);

impl Tiers {
    /// Sorts and validates tiers.
    ///
    /// # Errors
    /// Returns the first violated rule.
    pub fn new(kind: RateKind, mut tiers: Vec<Tier>) -> Result<Self, RateError> {
        if tiers.len() > MAX_TIERS {
            return Err(RateError::TooMany(kind));
        }
        tiers.sort_by_key(|tier| tier.from_count);
        // The start of the next tier; `None` after the tier without an end.
        let mut expected = Some(0_i64);
        for tier in &tiers {
            Self::check(kind, *tier, expected)?;
            // No tier can follow one that ends at the largest count.
            let after = |end: i64| {
                let to_count = end;
                end.checked_add(1)
                    .ok_or(RateError::Closed { kind, to_count })
            };
            expected = tier.to_count.map(after).transpose()?;
        }
        match (tiers.last(), expected) {
            (None, _) => Err(RateError::Missing(kind)),
            (Some(_), Some(after)) => Err(RateError::Closed {
                kind,
                to_count: after - 1,
            }),
            (Some(_), None) => Ok(Self(tiers)),
        }
    }

    fn check(kind: RateKind, tier: Tier, expected: Option<i64>) -> Result<(), RateError> {
        let found = tier.from_count;
        match expected {
            None => {
                return Err(RateError::Overlap {
                    kind,
                    found,
                    end: "no count (it is open)".to_owned(),
                });
            }
            Some(expected) if found > expected => {
                return Err(RateError::Gap {
                    kind,
                    expected,
                    found,
                });
            }
            Some(expected) if found < expected => {
                return Err(RateError::Overlap {
                    kind,
                    found,
                    end: (expected - 1).to_string(),
                });
            }
            Some(_) => {}
        }
        if let Some(to_count) = tier.to_count.filter(|end| *end < found) {
            return Err(RateError::Backwards {
                kind,
                from_count: found,
                to_count,
            });
        }
        if !(0..=MAX_MICRO_WON).contains(&tier.micro_won) {
            return Err(RateError::Rate {
                kind,
                from_count: found,
            });
        }
        Ok(())
    }

    /// Returns the tiers in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Tier] {
        &self.0
    }

    /// Computes the pay for `views` views after `before` earlier ones. The tier that contains n − 1
    /// pays view n. The sum is rounded down once.
    ///
    /// # Errors
    /// Returns [`MoneyOverflow`] if the amount does not fit into 64 bits or a count is negative.
    pub fn pay(&self, before: i64, views: i64) -> Result<Money, MoneyOverflow> {
        if before < 0 || views < 0 {
            return Err(MoneyOverflow);
        }
        let first = i128::from(before);
        let end = first + i128::from(views);
        let mut micro_won = 0_i128;
        for tier in &self.0 {
            let tier_end = tier.to_count.map_or(i128::MAX, |to| i128::from(to) + 1);
            let paid = end.min(tier_end) - first.max(i128::from(tier.from_count));
            micro_won += paid.max(0) * i128::from(tier.micro_won);
        }
        Money::floor_from_micro_won(micro_won)
    }
}

/// A rate version: a full set of tiers of both kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateVersion {
    /// The first business day that the version pays.
    pub effective_from: NaiveDate,
    /// Tiers for views.
    pub video: Tiers,
    /// Tiers for ad views.
    pub ad: Tiers,
}

impl RateVersion {
    /// Validates the tiers of both kinds.
    ///
    /// # Errors
    /// Returns the first violated rule.
    pub fn new(
        effective_from: NaiveDate,
        tiers: impl IntoIterator<Item = (RateKind, Tier)>,
    ) -> Result<Self, RateError> {
        let (video, ad): (Vec<_>, Vec<_>) = tiers
            .into_iter()
            .partition(|(kind, _)| *kind == RateKind::Video);
        let of = |kind, tiers: Vec<(RateKind, Tier)>| {
            Tiers::new(kind, tiers.into_iter().map(|(_, tier)| tier).collect())
        };
        Ok(Self {
            effective_from,
            video: of(RateKind::Video, video)?,
            ad: of(RateKind::Ad, ad)?,
        })
    }

    /// Returns all tiers with their kinds, video first.
    pub fn tiers(&self) -> impl Iterator<Item = (RateKind, Tier)> + '_ {
        let of = |kind, tiers: &Tiers| tiers.0.clone().into_iter().map(move |tier| (kind, tier));
        of(RateKind::Video, &self.video).chain(of(RateKind::Ad, &self.ad))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tier(from_count: i64, to_count: Option<i64>, micro_won: i64) -> Tier {
        Tier {
            from_count,
            to_count,
            micro_won,
        }
    }

    /// The default rates.
    fn default_rates(kind: RateKind) -> Tiers {
        let won = match kind {
            RateKind::Video => [1_000_000, 1_100_000, 1_300_000, 1_500_000],
            RateKind::Ad => [10_000_000, 12_000_000, 15_000_000, 20_000_000],
        };
        let tiers = vec![
            tier(0, Some(99_999), won[0]),
            tier(100_000, Some(499_999), won[1]),
            tier(500_000, Some(999_999), won[2]),
            tier(1_000_000, None, won[3]),
        ];
        Tiers::new(kind, tiers).unwrap()
    }

    #[test]
    fn default_rates_pay_the_expected_amounts() {
        let pay = |kind, before, views| {
            let pay = default_rates(kind).pay(before, views);
            pay.unwrap().to_string()
        };
        assert_eq!(pay(RateKind::Video, 99_999, 2), "2.10");
        assert_eq!(pay(RateKind::Video, 0, 1_200_000), "1490000.00");
        assert_eq!(pay(RateKind::Ad, 0, 1_200_000), "17300000.00");
        assert_eq!(pay(RateKind::Video, 0, 0), "0.00");
        assert_eq!(pay(RateKind::Video, 1_000_000, 1), "1.50");
    }

    #[test]
    fn rates_are_decimal_won() {
        for (micro_won, won) in [
            (0, "0"),
            (1, "0.000001"),
            (1_100_000, "1.1"),
            (10_000_000, "10"),
            (MAX_MICRO_WON, "1000000"),
        ] {
            assert_eq!(tier(0, None, micro_won).won(), won);
        }
    }

    #[test]
    fn gaps_overlaps_and_closed_ends_are_rejected() {
        let error = |tiers| Tiers::new(RateKind::Ad, tiers).unwrap_err().to_string();
        assert!(error(vec![]).contains("no tiers"));
        assert!(error(vec![tier(1, None, 1)]).contains("gap: no tier begins at 0"));
        assert!(error(vec![tier(0, Some(9), 1), tier(11, None, 1)]).contains("begins at 10"));
        assert!(error(vec![tier(0, Some(9), 1), tier(9, None, 1)]).contains("overlaps"));
        assert!(error(vec![tier(0, None, 1), tier(9, None, 1)]).contains("overlaps"));
        assert!(error(vec![tier(0, Some(-1), 1)]).contains("before it begins"));
        assert!(error(vec![tier(0, Some(9), 1)]).contains("must have no end"));
        let last = [tier(0, Some(i64::MAX), 1), tier(i64::MAX, None, 1)];
        assert!(error(last.to_vec()).contains("must have no end"));
        assert!(error(vec![tier(0, None, -1)]).contains("out of range"));
        assert!(error(vec![tier(0, None, 1); 101]).contains("more than"));
    }

    #[test]
    fn a_version_needs_both_kinds() {
        let date = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
        let result = RateVersion::new(date, [(RateKind::Video, tier(0, None, 1))]);
        assert_eq!(result, Err(RateError::Missing(RateKind::Ad)));
    }

    #[test]
    fn a_sum_beyond_64_bits_is_rejected() {
        let tiers = Tiers::new(RateKind::Ad, vec![tier(0, None, MAX_MICRO_WON)]).unwrap();
        assert_eq!(tiers.pay(0, i64::MAX), Err(MoneyOverflow));
        assert_eq!(tiers.pay(-1, 1), Err(MoneyOverflow));
    }

    proptest! {
        #[test]
        fn pay_is_the_sum_over_each_view(
            cuts in prop::collection::btree_set(1_i64..60, 0..5),
            micro_won in prop::collection::vec(0_i64..3_000_000, 6),
            before in 0_i64..80,
            views in 0_i64..80,
        ) {
            let mut starts = vec![0];
            starts.extend(cuts);
            let tiers: Vec<_> = starts
                .iter()
                .enumerate()
                .map(|(n, from)| tier(*from, starts.get(n + 1).map(|next| next - 1), micro_won[n]))
                .collect();
            let brute: i64 = (before + 1..=before + views)
                .map(|n| {
                    tiers
                        .iter()
                        .find(|tier| tier.from_count < n && tier.to_count.is_none_or(|to| n - 1 <= to))
                        .unwrap()
                        .micro_won
                })
                .sum();
            let paid = Tiers::new(RateKind::Video, tiers).unwrap().pay(before, views).unwrap();
            prop_assert_eq!(paid.hundredths(), brute / 10_000);
        }
    }
}
