//! Files of a web server, and webhooks.

use std::io;
use std::time::Duration;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use reqwest::{Client, StatusCode, redirect};
use tokio::runtime::{Builder, Runtime};

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A whole answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A web server.
#[derive(Debug)]
pub struct Http {
    url: String,
    client: Client,
    runtime: Runtime,
}

impl Http {
    /// Prepares it; nothing is asked yet.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn new(url: &str) -> Result<Self, CliError> {
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(redirect::Policy::none());
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            client: client
                .build()
                .context(Exit::No, format_args!("mirror {url}"))?,
            runtime: runtime.context(Exit::No, "runtime")?,
        })
    }

    pub(super) fn file(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, CliError> {
        let url = format!("{}/{path}", self.url);
        let got = self.runtime.block_on(self.get(&url, limit));
        got.context(Exit::Undecided, &url)
            .map_err(|error| error.hint("try again later"))
    }

    async fn get(&self, url: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let mut answer = self
            .client
            .get(url)
            .send()
            .await
            .map_err(io::Error::other)?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if answer.status() != StatusCode::OK {
            return Err(io::Error::other(format!("status {}", answer.status())));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(io::Error::other)? {
            let length = bytes.len().saturating_add(piece.len());
            let length = u64::try_from(length).unwrap_or(u64::MAX);
            if length > limit {
                return Err(io::Error::other(format!("longer than {limit} bytes")));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Some(bytes))
    }
}

/// Posts JSON to a webhook.
///
/// # Errors
/// [`CliError`] with [`Exit::Undecided`].
pub fn post(url: &str, body: &serde_json::Value) -> Result<(), CliError> {
    let http = Http::new(url)?;
    let sent = http.runtime.block_on(async {
        let answer = http.client.post(url).json(body).send().await?;
        answer.error_for_status().map(drop)
    });
    sent.context(Exit::Undecided, format_args!("webhook {url}"))
}
