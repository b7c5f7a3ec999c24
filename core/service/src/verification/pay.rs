//! Revenue, computed independently of the revenue step: as the difference between a video's
//! lifetime revenue after a day and before it.

use balance_domain::rates::Tier;

/// Millionths of a won in a hundredth of a won.
const MICRO_WON_PER_HUNDREDTH: i128 = 10_000;

/// The tiers of one kind. They begin at 0 and have no gaps.
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

    /// Returns the revenue of the first `count` views of a video, in millionths of a won.
    fn lifetime_pay(&self, count: i128) -> i128 {
        self.0
            .iter()
            .map(|tier| {
                let above = (count - i128::from(tier.from_count)).max(0);
                let in_tier = tier.to_count.map_or(above, |to| {
                    above.min(i128::from(to) + 1 - i128::from(tier.from_count))
                });
                in_tier * i128::from(tier.micro_won)
            })
            .sum()
    }

    /// Returns the revenue of `views` views after `before` earlier ones, in hundredths of a won,
    /// rounded down.
    pub(super) fn pay(&self, before: i128, views: i128) -> i128 {
        (self.lifetime_pay(before + views) - self.lifetime_pay(before))
            .div_euclid(MICRO_WON_PER_HUNDREDTH)
    }
}

/// The rates of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) video: Scale,
    pub(super) ad: Scale,
}

impl Rates {
    /// Makes rates of sorted tiers, each with the name of its kind. Returns `None` without tiers.
    ///
    /// # Errors
    /// A message if a kind is unknown, or its tiers are missing, have gaps or have an end.
    pub(super) fn new(tiers: &[(String, Tier)]) -> Result<Option<Self>, String> {
        if tiers.is_empty() {
            return Ok(None);
        }
        if let Some((kind, _)) = tiers
            .iter()
            .find(|(kind, _)| kind != "VIDEO" && kind != "AD")
        {
            return Err(format!("the kind '{kind}'"));
        }
        let scale = |kind: &str| {
            let tiers = tiers.iter().filter(|(name, _)| name == kind);
            Scale::new(kind, tiers.map(|(_, tier)| *tier).collect())
        };
        Ok(Some(Self {
            video: scale("VIDEO")?,
            ad: scale("AD")?,
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

    /// Returns rates with the default tiers of videos for both kinds.
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
    fn damaged_tiers_are_rejected() {
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
        fn it_equals_the_result_of_the_revenue_step(before in 0..2_000_000_i64, views in 0..2_000_000_i64) {
            let steps = Tiers::new(RateKind::Video, tiers()).unwrap();
            let step = steps.pay(before, views).unwrap().hundredths();
            let ours = rates().video.pay(before.into(), views.into());
            prop_assert_eq!(i128::from(step), ours);
        }
    }
}
