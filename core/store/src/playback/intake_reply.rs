//! What the intake answered to requests that clients gave a name.

use crate::{
    StoreError, StoreResult,
    playback::{Command, IdempotencyKey, IntakeAnswer, IntakeRequest},
    sql::{statement::params, tx::Tx},
};

/// What was answered to the key, if it is remembered: to another request it is a refusal.
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
        if earlier == fingerprint(request) {
            read(&answer)
                .ok_or_else(|| StoreError::Damaged(format!("a reply of the intake: '{answer}'")))
        } else {
            Ok(IntakeAnswer::KeyReused)
        }
    })
    .transpose()
}

/// Remembers what was answered, where it was accepted: what was refused changed nothing, and may
/// be asked for again under the same name.
pub(crate) async fn remember(
    tx: &mut Tx,
    request: &IntakeRequest,
    key: &IdempotencyKey,
    answer: IntakeAnswer,
    expires_micros: i64,
) -> StoreResult<()> {
    let Some(text) = written(answer) else {
        return Ok(());
    };
    tx.execute(
        "REPLACE INTO intake_reply (user_id, idempotency_key, request, answer, expires_micros) \
         VALUES (?, ?, ?, ?, ?)",
        &params![
            request.user_id.0,
            key.as_str(),
            fingerprint(request),
            text,
            expires_micros
        ],
    )
    .await?;
    Ok(())
}

fn fingerprint(request: &IntakeRequest) -> String {
    match request.command {
        Command::Play => format!("play {}", request.video.id),
        Command::Pause { current_s } => format!("pause {} {current_s}", request.video.id),
    }
}

fn written(answer: IntakeAnswer) -> Option<String> {
    match answer {
        IntakeAnswer::Playing {
            resume_at_s,
            is_counted,
        } => Some(format!("playing {resume_at_s} {}", u8::from(is_counted))),
        IntakeAnswer::Paused {
            credited_s,
            is_finished,
        } => Some(format!("paused {credited_s} {}", u8::from(is_finished))),
        IntakeAnswer::Repeat { .. } | IntakeAnswer::NoSession | IntakeAnswer::KeyReused => None,
    }
}

fn read(text: &str) -> Option<IntakeAnswer> {
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
    fn what_was_accepted_reads_back_and_what_was_refused_is_not_kept() {
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
            assert_eq!(written(answer).as_deref().and_then(read), Some(answer));
        }
        assert_eq!(written(IntakeAnswer::NoSession), None);
        for damaged in ["", "playing", "playing x 1", "paused 1 2", "rung 1 1"] {
            assert_eq!(read(damaged), None, "{damaged}");
        }
    }
}
