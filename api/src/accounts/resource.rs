//! Joining, logging in, staying logged in, logging out.

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

/// The cookie of the refresh token.
const COOKIE: &str = "refreshToken";

/// Whoever joins or logs in.
#[derive(Object, Deserialize)]
#[serde(deny_unknown_fields)]
#[oai(deny_unknown_fields, example)]
struct Credentials {
    /// The name to log in with: without white space and invisible characters. Names such as
    /// `user-1` and `creator-1` are kept for imports.
    #[oai(validator(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+$"
    ))]
    username: String,
    /// 8 to 256 characters.
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
            .map_err(|invalid_input| ApiError::field("username", invalid_input.to_string()))
    }
}

/// An account.
#[derive(Debug, Object)]
#[oai(rename = "Account", rename_all = "camelCase", example)]
struct Joined {
    /// The user's id.
    user_id: i64,
    /// The name to log in with, in Unicode's normal form C.
    username: String,
}

impl Example for Joined {
    fn example() -> Self {
        Self {
            user_id: 7,
            username: "minsu".to_owned(),
        }
    }
}

/// What keeps somebody logged in.
#[derive(Object, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[oai(
    rename = "RefreshRequest",
    deny_unknown_fields,
    rename_all = "camelCase",
    example
)]
struct Refresh {
    /// The `refreshToken` of `/login` or of the last `/reissue`.
    refresh_token: String,
}

impl Example for Refresh {
    fn example() -> Self {
        Self {
            refresh_token: TokenPair::example().refresh_token,
        }
    }
}

/// Somebody's tokens.
#[derive(Object)]
#[oai(rename_all = "camelCase", example)]
struct TokenPair {
    /// For the header `Authorization: Bearer …`.
    access_token: String,
    /// For `/reissue`, once; also in an HttpOnly cookie.
    refresh_token: String,
    /// How long the access token is taken, in seconds.
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
enum JoinAnswer {
    /// The account is made.
    #[oai(status = 201)]
    Joined(Json<Joined>),
}

#[derive(ApiResponse)]
enum LoginAnswer {
    /// Logged in.
    #[oai(status = 200)]
    LoggedIn(
        Json<TokenPair>,
        /// The refresh token, out of reach for scripts.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

#[derive(ApiResponse)]
enum LogoutAnswer {
    /// Logged out, or was so before.
    #[oai(status = 204)]
    LoggedOut(
        /// Takes the refresh token away.
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

/// Accounts.
pub(crate) struct AccountsApi {
    pub(crate) accounts: Accounts,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) limiter: Limiter,
    /// Proxies between clients and this server.
    pub(crate) proxies: usize,
    /// Whether cookies are for encrypted connections only.
    pub(crate) is_cookie_secure: bool,
}

#[OpenApi(tag = "Tag::Accounts")]
impl AccountsApi {
    /// Make an account
    ///
    /// It has the role USER.
    #[oai(path = "/join", method = "post", operation_id = "join")]
    async fn join(
        &self,
        request: &Request,
        body: Body<Credentials>,
    ) -> Result<JoinAnswer, ErrorResponse<JoinErrors>> {
        let username = body.0.username()?;
        let password = Password::new(&body.0.password)
            .map_err(|invalid_input| ApiError::field("password", invalid_input.to_string()))?;
        self.attempt(request, &username)?;
        let account = self.accounts.join(&username, password).await?;
        Ok(JoinAnswer::Joined(Json(Joined {
            user_id: account.user_id.0,
            username: account.username.to_string(),
        })))
    }

    /// Log in
    ///
    /// Whether the name or the password is wrong is not told.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        request: &Request,
        body: Body<Credentials>,
    ) -> Result<LoginAnswer, ErrorResponse<LoginErrors>> {
        let username = body.0.username()?;
        let password = Password::given(&body.0.password)
            .map_err(|invalid_input| ApiError::field("password", invalid_input.to_string()))?;
        self.attempt(request, &username)?;
        let logged_in = self.accounts.login(&username, password).await?;
        Ok(self.answer(&logged_in)?)
    }

    /// Stay logged in
    ///
    /// Gives a new pair of tokens for a refresh token, from the body or else from the cookie. A
    /// refresh token is good for one use; two uses within 10 s are taken for two tabs of one
    /// person. One that is used later was stolen by somebody: all that came of it are revoked.
    #[oai(path = "/reissue", method = "post", operation_id = "reissue")]
    async fn reissue(
        &self,
        /// The refresh token, where there is no body.
        #[oai(name = "refreshToken")]
        cookie: Cookie<Option<String>>,
        body: OptionalBody<Refresh>,
    ) -> Result<LoginAnswer, ErrorResponse<ReissueErrors>> {
        let Some(shown) = given(cookie, body) else {
            let detail = "There is no refresh token, in the body or the cookie.";
            return Err(ApiError::new(Code::RefreshTokenInvalid, detail).into());
        };
        let Some(shown) = RefreshToken::shown(&shown) else {
            let detail = "It is not one of this server's.";
            return Err(ApiError::new(Code::RefreshTokenInvalid, detail).into());
        };
        let logged_in = self.accounts.reissue(&shown).await?;
        Ok(self.answer(&logged_in)?)
    }

    /// Log out
    ///
    /// Revokes the refresh token, from the body or else from the cookie, with all that came of the
    /// same login. Access tokens run out by themselves.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        /// The refresh token, where there is no body.
        #[oai(name = "refreshToken")]
        cookie: Cookie<Option<String>>,
        body: OptionalBody<Refresh>,
    ) -> Result<LogoutAnswer, ErrorResponse<LogoutErrors>> {
        let shown = given(cookie, body);
        if let Some(shown) = shown.as_deref().and_then(RefreshToken::shown) {
            self.accounts.logout(&shown).await?;
        }
        Ok(LogoutAnswer::LoggedOut(self.cookie("", Duration::ZERO)))
    }
}

/// The refresh token of a request.
fn given(cookie: Cookie<Option<String>>, body: OptionalBody<Refresh>) -> Option<String> {
    let body = body.0.map(|body| body.refresh_token);
    body.or(cookie.0)
}

impl AccountsApi {
    fn attempt(&self, request: &Request, username: &Username) -> Result<(), ApiError> {
        self.limiter
            .attempt(username, address::client(request, self.proxies))
    }

    fn answer(&self, logged_in: &LoggedIn) -> Result<LoginAnswer, ApiError> {
        let access_token = self.tokens.issue(&logged_in.account);
        let access_token =
            access_token.ok_or_else(|| ApiError::internal("a token cannot be signed"))?;
        let refresh_token = logged_in.refresh_token.secret().to_owned();
        let cookie = self.cookie(&refresh_token, Duration::from_secs(REFRESH_S.into()));
        let pair = TokenPair {
            access_token,
            refresh_token,
            expires_in: ACCESS_S,
        };
        Ok(LoginAnswer::LoggedIn(Json(pair), cookie))
    }

    fn cookie(&self, value: &str, lives: Duration) -> String {
        let mut cookie = SetCookie::new_with_str(COOKIE, value);
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_same_site(SameSite::Strict);
        cookie.set_secure(self.is_cookie_secure);
        cookie.set_max_age(lives);
        cookie.to_string()
    }
}
