//! The security schemes of the operations.

use crate::{
    auth::token::{ACCESS_S, Identity, TokenError, Tokens},
    errors::problem::{ApiError, Code},
};
use balance_domain::accounts::Role;
use poem::{Request, Result};
use poem_openapi::{SecurityScheme, auth::Bearer};
use std::sync::Arc;

/// The `accessToken` of `POST /login`.
#[derive(SecurityScheme)]
#[oai(
    ty = "bearer",
    rename = "bearer",
    bearer_format = "JWT",
    checker = "check_user"
)]
pub(crate) struct User(pub(crate) Identity);

/// The `accessToken` of `POST /login`.
#[derive(SecurityScheme)]
#[oai(
    ty = "bearer",
    rename = "bearer",
    bearer_format = "JWT",
    checker = "check_admin"
)]
pub(crate) struct Admin(pub(crate) Identity);

async fn check_user(request: &Request, bearer: Bearer) -> Result<Identity> {
    let Some(tokens) = request.data::<Arc<Tokens>>() else {
        return Err(ApiError::internal("the access tokens are not configured").into());
    };
    let identity = tokens.verify(&bearer.token).map_err(|error| match error {
        TokenError::Expired => ApiError::new(
            Code::TokenExpired,
            format!("A token is valid for {ACCESS_S} s; get a new one from /reissue."),
        ),
        TokenError::Invalid => ApiError::new(
            Code::TokenInvalid,
            "The token is malformed, or it was signed with another secret.",
        ),
        TokenError::Outdated => ApiError::new(
            Code::TokenOutdated,
            "The database was restored after the token was issued; log in again.",
        ),
    })?;
    Ok(identity)
}

async fn check_admin(request: &Request, bearer: Bearer) -> Result<Identity> {
    let identity = check_user(request, bearer).await?;
    match identity.role {
        Role::Admin => Ok(identity),
        Role::User => Err(ApiError::new(Code::AdminOnly, "The role ADMIN is required.").into()),
    }
}
