//! The operations `join`, `login`, `reissue` and `logout`.

use crate::{
    accounts::{address, limiter::Limiter},
    auth::token::{ACCESS_S, Tokens},
    errors::{
        problem::{ApiError, Code},
        responses::{ErrorResponse, responses},
    },
    extract::body::{Body, OptionalBody},
    openapi::tag::Tag,
};
use balance_domain::accounts::{Password, Username};
use balance_service::accounts::{Accounts, LoggedIn, REFRESH_S, RefreshToken};
use poem::{
    Request,
    web::cookie::{Cookie as SetCookie, SameSite},
};
use poem_openapi::{ApiResponse, Object, OpenApi, param::Cookie, payload::Json, types::Example};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};

/// The name of the refresh token's cookie.
const COOKIE: &str = "refreshToken";

/// The credentials of an account.
#[derive(Object, Deserialize)]
#[serde(deny_unknown_fields)]
#[oai(deny_unknown_fields, example)]
struct Credentials {
    /// The name to log in with, without white space and invisible characters. Names such as
    /// `user-1` and `creator-1` are reserved for imports.
    #[oai(validator(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+$"
    ))]
    username: String,
    /// The password, of 8 to 256 characters.
    #[oai(validator(min_length = 8, max_length = 256))]
    password: String,
}

impl Example for Credentials {
    fn example() -> Self {
        Self {
            username: "minsu".to_owned(),
            password: "correct horse battery staple".to_owned(),
        }
    }
}

impl Credentials {
    fn username(&self) -> Result<Username, ApiError> {
        Username::parse(&self.username)
            .map_err(|error| ApiError::field("username", error.to_string()))
    }
}

/// An account.
#[derive(Debug, Object)]
#[oai(rename = "Account", rename_all = "camelCase", example)]
struct AccountView {
    /// The user's id.
    user_id: i64,
    /// The name to log in with, in Unicode normal form C.
    username: String,
}

impl Example for AccountView {
    fn example() -> Self {
        Self {
            user_id: 7,
            username: "minsu".to_owned(),
        }
    }
}

/// The refresh token to exchange or to revoke.
#[derive(Object, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[oai(deny_unknown_fields, rename_all = "camelCase", example)]
struct RefreshRequest {
    /// The `refreshToken` of `POST /login` or of the last `POST /reissue`.
    refresh_token: String,
}

impl Example for RefreshRequest {
    fn example() -> Self {
        Self {
            refresh_token: TokenPair::example().refresh_token,
        }
    }
}

/// The tokens of a login.
#[derive(Object)]
#[oai(rename_all = "camelCase", example)]
struct TokenPair {
    /// The token for the header `Authorization: Bearer …`.
    access_token: String,
    /// The token for `POST /reissue`, valid for one use. It is also in an HttpOnly cookie.
    refresh_token: String,
    /// The lifetime of the access token, in seconds.
    expires_in: i64,
}

impl Example for TokenPair {
    fn example() -> Self {
        Self {
            access_token: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl".to_owned(),
            refresh_token: "b3BhcXVlLWFuZC1nb29kLWZvci1vbmUtdXNlLW9ubHk".to_owned(),
            expires_in: ACCESS_S,
        }
    }
}

#[derive(ApiResponse)]
enum JoinResponse {
    /// The account was created.
    #[oai(status = 201)]
    Created(Json<AccountView>),
}

#[derive(ApiResponse)]
enum LoginResponse {
    /// The user is logged in.
    #[oai(status = 200)]
    LoggedIn(
        Json<TokenPair>,
        /// The refresh token, not readable by scripts.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

#[derive(ApiResponse)]
enum LogoutResponse {
    /// The user is logged out.
    #[oai(status = 204)]
    LoggedOut(
        /// Deletes the cookie of the refresh token.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

responses! {
    JoinErrors: 409 415 429;
    LoginErrors: 401 415 429;
    ReissueErrors: 401 415;
    LogoutErrors: 415;
}

pub(crate) struct AccountsApi {
    pub(crate) accounts: Accounts,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) limiter: Limiter,
    /// The number of trusted proxies between clients and this server.
    pub(crate) proxies: usize,
    /// Whether cookies carry the `Secure` attribute.
    pub(crate) is_cookie_secure: bool,
}

#[OpenApi(tag = "Tag::Accounts")]
impl AccountsApi {
    /// Create an account
    ///
    /// The account has the role USER.
    #[oai(path = "/join", method = "post", operation_id = "join")]
    async fn join(
        &self,
        request: &Request,
        body: Body<Credentials>,
    ) -> Result<JoinResponse, ErrorResponse<JoinErrors>> {
        let username = body.0.username()?;
        let password = Password::new(&body.0.password)
            .map_err(|error| ApiError::field("password", error.to_string()))?;
        self.check_limits(request, &username)?;
        let account = self.accounts.join(&username, password).await?;
        Ok(JoinResponse::Created(Json(AccountView {
            user_id: account.user_id.0,
            username: account.username.to_string(),
        })))
    }

    /// Log in
    ///
    /// The response does not reveal whether the username or the password is wrong.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        request: &Request,
        body: Body<Credentials>,
    ) -> Result<LoginResponse, ErrorResponse<LoginErrors>> {
        let username = body.0.username()?;
        let password = Password::for_login(&body.0.password)
            .map_err(|error| ApiError::field("password", error.to_string()))?;
        self.check_limits(request, &username)?;
        let logged_in = self.accounts.login(&username, password).await?;
        Ok(self.login_response(&logged_in)?)
    }

    /// Refresh the tokens
    ///
    /// Exchanges a refresh token, from the body or otherwise from the cookie, for a new pair of
    /// tokens. A refresh token is valid for one use. A second use within 10 s is accepted, because
    /// two tabs may share a cookie. A later use indicates theft and revokes all tokens of the
    /// login.
    #[oai(path = "/reissue", method = "post", operation_id = "reissue")]
    async fn reissue(
        &self,
        /// The refresh token, if there is no body.
        #[oai(name = "refreshToken")]
        cookie: Cookie<Option<String>>,
        body: OptionalBody<RefreshRequest>,
    ) -> Result<LoginResponse, ErrorResponse<ReissueErrors>> {
        let Some(text) = refresh_token(cookie, body) else {
            let detail = "The body and the cookie contain no refresh token.";
            return Err(ApiError::new(Code::RefreshTokenInvalid, detail).into());
        };
        let Some(token) = RefreshToken::parse(&text) else {
            let detail = "The refresh token is malformed.";
            return Err(ApiError::new(Code::RefreshTokenInvalid, detail).into());
        };
        let logged_in = self.accounts.reissue(&token).await?;
        Ok(self.login_response(&logged_in)?)
    }

    /// Log out
    ///
    /// Revokes all refresh tokens of the login whose refresh token is in the body or otherwise in
    /// the cookie. Access tokens stay valid until they expire.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        /// The refresh token, if there is no body.
        #[oai(name = "refreshToken")]
        cookie: Cookie<Option<String>>,
        body: OptionalBody<RefreshRequest>,
    ) -> Result<LogoutResponse, ErrorResponse<LogoutErrors>> {
        let text = refresh_token(cookie, body);
        if let Some(token) = text.as_deref().and_then(RefreshToken::parse) {
            self.accounts.logout(&token).await?;
        }
        Ok(LogoutResponse::LoggedOut(self.cookie("", Duration::ZERO)))
    }
}

/// Returns the refresh token of a request.
fn refresh_token(
    cookie: Cookie<Option<String>>,
    body: OptionalBody<RefreshRequest>,
) -> Option<String> {
    let body = body.0.map(|body| body.refresh_token);
    body.or(cookie.0)
}

impl AccountsApi {
    fn check_limits(&self, request: &Request, username: &Username) -> Result<(), ApiError> {
        self.limiter
            .attempt(username, address::client(request, self.proxies))
    }

    fn login_response(&self, logged_in: &LoggedIn) -> Result<LoginResponse, ApiError> {
        let access_token = self.tokens.issue(&logged_in.account);
        let access_token =
            access_token.ok_or_else(|| ApiError::internal("failed to sign an access token"))?;
        let refresh_token = logged_in.refresh_token.secret().to_owned();
        let cookie = self.cookie(&refresh_token, Duration::from_secs(REFRESH_S.into()));
        let pair = TokenPair {
            access_token,
            refresh_token,
            expires_in: ACCESS_S,
        };
        Ok(LoginResponse::LoggedIn(Json(pair), cookie))
    }

    fn cookie(&self, value: &str, max_age: Duration) -> String {
        let mut cookie = SetCookie::new_with_str(COOKIE, value);
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_same_site(SameSite::Strict);
        cookie.set_secure(self.is_cookie_secure);
        cookie.set_max_age(max_age);
        cookie.to_string()
    }
}
