//! Pay, computed another way than the revenue step does: as the difference of what a video has
//! earned over its life before a day and after it.

use balance_domain::rates::Tier;

/// Millionths of a won in one hundredth of a won.
const MICRO_WON_PER_HUNDREDTH: i128 = 10_000;

/// The tiers of one kind, from 0 on without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scale(Vec<Tier>);

impl Scale {
    fn new(kind: &str, tiers: Vec<Tier>) -> Result<Self, String> {
        let mut next = Some(0);
        for tier in &tiers {
            if next != Some(tier.from_count) {
                return Err(format!("{kind}: a gap or overlap at {}", tier.from_count));
            }
            next = tier.to_count.map(|to| to.saturating_add(1));
        }
        match (tiers.is_empty(), next) {
            (true, _) => Err(format!("{kind}: no tiers")),
            (_, Some(_)) => Err(format!("{kind}: the last tier has an end")),
            (_, None) => Ok(Self(tiers)),
        }
    }

    /// What the first `count` views of a video are worth, in millionths of a won.
    fn worth(&self, count: i128) -> i128 {
        self.0
            .iter()
            .map(|tier| {
                let above = (count - i128::from(tier.from_count)).max(0);
                let held = tier.to_count.map_or(above, |to| {
                    above.min(i128::from(to) + 1 - i128::from(tier.from_count))
                });
                held * i128::from(tier.micro_won)
            })
            .sum()
    }

    /// Pay for `views` views after `before` ones, in hundredths of a won, rounded down.
    pub(super) fn pay(&self, before: i128, views: i128) -> i128 {
        (self.worth(before + views) - self.worth(before)).div_euclid(MICRO_WON_PER_HUNDREDTH)
    }
}

/// The rates of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) video: Scale,
    pub(super) ad: Scale,
}

impl Rates {
    /// From tiers with the words of their kinds, sorted; nothing where there are none at all.
    pub(super) fn new(tiers: &[(String, Tier)]) -> Result<Option<Self>, String> {
        if tiers.is_empty() {
            return Ok(None);
        }
        if let Some((word, _)) = tiers
            .iter()
            .find(|(word, _)| word != "VIDEO" && word != "AD")
        {
            return Err(format!("the kind '{word}'"));
        }
        let of = |kind: &str| {
            let tiers = tiers.iter().filter(|(word, _)| word == kind);
            Scale::new(kind, tiers.map(|(_, tier)| *tier).collect())
        };
        Ok(Some(Self {
            video: of("VIDEO")?,
            ad: of("AD")?,
        }))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use balance_domain::rates::{RateKind, Tiers};
    use proptest::prelude::*;

    const TIERS: [(i64, Option<i64>, i64); 4] = [
        (0, Some(99_999), 1_000_000),
        (100_000, Some(499_999), 1_100_000),
        (500_000, Some(999_999), 1_300_000),
        (1_000_000, None, 1_500_000),
    ];

    fn tiers() -> Vec<Tier> {
        TIERS
            .into_iter()
            .map(|(from_count, to_count, micro_won)| Tier {
                from_count,
                to_count,
                micro_won,
            })
            .collect()
    }

    /// Rates that pay one won for a view and for an ad view.
    pub(in super::super) fn rates() -> Rates {
        Rates {
            video: Scale(tiers()),
            ad: Scale(tiers()),
        }
    }

    #[test]
    fn the_examples_of_the_rules() {
        let scale = Scale::new("VIDEO", tiers()).unwrap();
        assert_eq!(scale.pay(99_999, 2), 210);
        assert_eq!(scale.pay(0, 1_200_000), 149_000_000);
        assert_eq!(scale.pay(7, 0), 0);
    }

    #[test]
    fn damaged_tiers_are_refused() {
        let row = |word: &str, tier: Tier| (word.to_owned(), tier);
        let all = |word: &str| {
            tiers()
                .into_iter()
                .map(|tier| row(word, tier))
                .collect::<Vec<_>>()
        };
        let whole: Vec<(String, Tier)> = [all("AD"), all("VIDEO")].concat();
        assert_eq!(Rates::new(&whole), Ok(Some(rates())));
        assert_eq!(Rates::new(&[]), Ok(None));
        assert!(Rates::new(&whole[1..]).unwrap_err().contains("AD: a gap"));
        assert!(
            Rates::new(&whole[..4])
                .unwrap_err()
                .contains("VIDEO: no tiers")
        );
        assert!(Rates::new(&whole[..7]).unwrap_err().contains("has an end"));
        let mut foreign = whole;
        foreign[0].0 = "OTHER".to_owned();
        assert!(Rates::new(&foreign).unwrap_err().contains("'OTHER'"));
    }

    proptest! {
        #[test]
        fn it_is_what_the_revenue_step_pays(before in 0..2_000_000_i64, views in 0..2_000_000_i64) {
            let steps = Tiers::new(RateKind::Video, tiers()).unwrap();
            let step = steps.pay(before, views).unwrap().hundredths();
            let ours = rates().video.pay(before.into(), views.into());
            prop_assert_eq!(i128::from(step), ours);
        }
    }
}
