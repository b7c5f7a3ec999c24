//! Stored answers to requests with an idempotency key.

use crate::{
    StoreError, StoreResult,
    playback::{IdempotencyKey, IntakeAnswer, IntakeRequest},
    sql::{statement::params, tx::Tx},
};

/// Returns the stored answer to the key, or [`IntakeAnswer::KeyReused`] if the request differs.
pub(crate) async fn find(
    tx: &mut Tx,
    request: &IntakeRequest,
    key: &IdempotencyKey,
    now_micros: i64,
) -> StoreResult<Option<IntakeAnswer>> {
    let row: Option<(String, String)> = tx
        .fetch_optional(
            "SELECT request, answer FROM intake_reply \
         WHERE user_id = ? AND idempotency_key = ? AND expires_micros > ?",
            &params![request.user_id.0, key.as_str(), now_micros],
        )
        .await?;
    row.map(|(earlier, answer)| {
        if earlier == request.fingerprint() {
            from_text(&answer).ok_or_else(|| {
                StoreError::Damaged(format!("invalid reply of the intake: '{answer}'"))
            })
        } else {
            Ok(IntakeAnswer::KeyReused)
        }
    })
    .transpose()
}

/// Stores the answer if the request was accepted. A rejected request changed nothing, so the client may
/// repeat it with the same key.
pub(crate) async fn store(
    tx: &mut Tx,
    request: &IntakeRequest,
    key: &IdempotencyKey,
    answer: IntakeAnswer,
    expires_micros: i64,
) -> StoreResult<()> {
    let Some(text) = to_text(answer) else {
        return Ok(());
    };
    tx.execute(
        "REPLACE INTO intake_reply (user_id, idempotency_key, request, answer, expires_micros) \
         VALUES (?, ?, ?, ?, ?)",
        &params![
            request.user_id.0,
            key.as_str(),
            request.fingerprint(),
            text,
            expires_micros
        ],
    )
    .await?;
    Ok(())
}

fn to_text(answer: IntakeAnswer) -> Option<String> {
    match answer {
        IntakeAnswer::Playing {
            resume_at_s,
            is_counted,
        } => Some(format!("playing {resume_at_s} {}", u8::from(is_counted))),
        IntakeAnswer::Paused {
            credited_s,
            is_finished,
        } => Some(format!("paused {credited_s} {}", u8::from(is_finished))),
        IntakeAnswer::Repeat { .. }
        | IntakeAnswer::TooManyViews { .. }
        | IntakeAnswer::TooManyPauses { .. }
        | IntakeAnswer::NoSession
        | IntakeAnswer::KeyReused => None,
    }
}

fn from_text(text: &str) -> Option<IntakeAnswer> {
    let mut words = text.split(' ');
    let kind = words.next()?;
    let seconds = words.next()?.parse().ok()?;
    let flag = match words.next()? {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    match kind {
        "playing" => Some(IntakeAnswer::Playing {
            resume_at_s: seconds,
            is_counted: flag,
        }),
        "paused" => Some(IntakeAnswer::Paused {
            credited_s: seconds,
            is_finished: flag,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_answers_round_trip_and_rejected_ones_are_not_stored() {
        for answer in [
            IntakeAnswer::Playing {
                resume_at_s: 120,
                is_counted: true,
            },
            IntakeAnswer::Paused {
                credited_s: 0,
                is_finished: false,
            },
        ] {
            assert_eq!(to_text(answer).as_deref().and_then(from_text), Some(answer));
        }
        assert_eq!(to_text(IntakeAnswer::NoSession), None);
        for damaged in ["", "playing", "playing x 1", "paused 1 2", "stopped 1 1"] {
            assert_eq!(from_text(damaged), None, "{damaged}");
        }
    }
}
