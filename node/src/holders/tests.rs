//! Tests of when a holder is tried again.

use super::*;

/// A try that began `ago`, its link over or not.
async fn tried(ago: Duration, over: bool) -> Try {
    let task = tokio::spawn(async move {
        if !over {
            std::future::pending::<()>().await;
        }
    });
    let link = task.abort_handle();
    if over {
        task.await.unwrap();
    }
    let began = Instant::now().checked_sub(ago).unwrap();
    Try { began, link }
}

#[tokio::test]
async fn holder_that_refused_is_tried_again_after_a_minute() {
    let (soon, later) = (RETRY_INTERVAL / 2, RETRY_INTERVAL + LOOK_INTERVAL);
    assert!(!tried(soon, true).await.is_due());
    assert!(tried(later, true).await.is_due());
}

#[tokio::test]
async fn holder_in_use_is_never_tried_again() {
    assert!(!tried(100 * RETRY_INTERVAL, false).await.is_due());
}
