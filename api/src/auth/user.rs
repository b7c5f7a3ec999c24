//! Who asks: the security schemes of the operations.

use crate::{
    auth::token::{ACCESS_S, Person, TokenError, Tokens},
    errors::problem::{ApiError, Code},
};
use balance_domain::accounts::Role;
use poem::{Request, Result};
use poem_openapi::{SecurityScheme, auth::Bearer};
use std::sync::Arc;

/// The `accessToken` of `/login`.
#[derive(SecurityScheme)]
#[oai(
    ty = "bearer",
    rename = "bearer",
    bearer_format = "JWT",
    checker = "check_user"
)]
pub(crate) struct User(pub(crate) Person);

/// The `accessToken` of `/login`.
#[derive(SecurityScheme)]
#[oai(
    ty = "bearer",
    rename = "bearer",
    bearer_format = "JWT",
    checker = "check_admin"
)]
pub(crate) struct Admin(pub(crate) Person);

async fn check_user(request: &Request, bearer: Bearer) -> Result<Person> {
    let Some(tokens) = request.data::<Arc<Tokens>>() else {
        return Err(ApiError::internal("no tokens are set up").into());
    };
    let person = tokens.read(&bearer.token).map_err(|error| match error {
        TokenError::Expired => ApiError::new(
            Code::TokenExpired,
            format!("It is taken for {ACCESS_S} s; /reissue gives another one."),
        ),
        TokenError::Invalid => ApiError::new(
            Code::TokenInvalid,
            "It is not one of this server's, or was signed with another secret.",
        ),
    })?;
    Ok(person)
}

async fn check_admin(request: &Request, bearer: Bearer) -> Result<Person> {
    let person = check_user(request, bearer).await?;
    match person.role {
        Role::Admin => Ok(person),
        Role::User => Err(ApiError::new(Code::AdminOnly, "It needs the role ADMIN.").into()),
    }
}
