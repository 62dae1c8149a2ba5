//! Errors as a stranger is told them: `{"error":{"code":"…","message":"…"}}` with the fitting status (SPEC 9).

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hive_shared::api::{ErrorDetail, ErrorReply, code};

use crate::request::Denied;
use crate::store::StoreError;

/// A request that failed.
#[derive(Debug)]
pub(super) struct Problem {
    code: &'static str,
    message: String,
}

impl Problem {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(code::BAD_REQUEST, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(code::NOT_FOUND, message)
    }

    fn status(&self) -> StatusCode {
        match self.code {
            code::UNAUTHORIZED => StatusCode::UNAUTHORIZED,
            code::ORIGIN => StatusCode::FORBIDDEN,
            code::HOST => StatusCode::MISDIRECTED_REQUEST,
            code::NOT_FOUND => StatusCode::NOT_FOUND,
            code::MODE | code::CONFLICT | code::ALREADY_FINAL | code::IDLE | code::BUSY | code::PAUSED => {
                StatusCode::CONFLICT
            }
            code::QUEUE_FULL => StatusCode::TOO_MANY_REQUESTS,
            code::STOPPING | code::UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
            code::TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::new(denied.code, denied.message)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cursor(_) => Self::bad_request(error.to_string()),
            StoreError::Sqlite(_)
            | StoreError::Migration(_)
            | StoreError::Json(_)
            | StoreError::Id(_)
            | StoreError::Word(_)
            | StoreError::Gone
            | StoreError::Foreign(_)
            | StoreError::Io(_)
            | StoreError::GivenUp(_) => {
                tracing::error!(error = %error, source = ?std::error::Error::source(&error), "a request could not be answered");
                Self::new(code::UNAVAILABLE, "the bot's database cannot be read; its error log says why")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let error = ErrorDetail { code: self.code.to_owned(), message: self.message };
        (status, Json(ErrorReply { error })).into_response()
    }
}
