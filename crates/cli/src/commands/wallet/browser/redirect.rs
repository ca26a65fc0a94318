//! Where the browser comes back to: one path on a loopback port of its own (RFC 8252 section 7.3), for one login.
//!
//! Anything on this machine, and any web page, can send requests here. What does not carry the login's `state` is told
//! that there is nothing, and the wait goes on.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use openidconnect::{AuthorizationCode, CsrfToken, IssuerUrl, RedirectUrl};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;
use url::form_urlencoded;

use super::provider::plain;
use crate::failure::{Exit, Failure};
use crate::local::bind;

const PATH: &str = "/callback";

/// How long the browser may take to read its page before the port closes.
const FAREWELL: Duration = Duration::from_secs(1);

/// A port that is taken but not yet served.
#[derive(Debug)]
pub(super) struct Redirect {
    listener: TcpListener,
    url: RedirectUrl,
}

/// What the provider sends back, once it is known to belong to this login.
type Answer = Result<AuthorizationCode, Refusal>;

#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// The user said no.
    Denied,
    /// An error code of RFC 6749 section 4.1.2.1 or OpenID Connect Core section 3.1.2.6.
    Error(String),
    /// RFC 9207: the answer of another provider.
    OtherIssuer,
}

struct Waiting {
    state: CsrfToken,
    issuer: IssuerUrl,
    /// Taken by the first answer.
    answer: Mutex<Option<oneshot::Sender<Answer>>>,
}

impl Redirect {
    /// Takes a free loopback port; nothing but this machine reaches it.
    pub(super) async fn bind() -> Result<Self, Failure> {
        let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let unexpected = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Other, "listen", format!("cannot listen: {error}"))
        };
        let address = listener.local_addr().map_err(|error| unexpected(&error))?;
        // The literal, not `localhost`: RFC 8252 section 8.3.
        let url = RedirectUrl::new(format!("http://{address}{PATH}"))
            .map_err(|error| unexpected(&error))?;
        Ok(Self { listener, url })
    }

    pub(super) const fn url(&self) -> &RedirectUrl {
        &self.url
    }

    /// Serves until the login with this `state` is answered, at most for `limit`.
    ///
    /// # Errors
    /// `login_timed_out`, `access_denied`, `refused` with the provider's error code, `other_issuer`.
    pub(super) async fn wait(
        self,
        state: CsrfToken,
        issuer: &IssuerUrl,
        limit: Duration,
    ) -> Result<AuthorizationCode, Failure> {
        let (sender, receiver) = oneshot::channel();
        let waiting = Arc::new(Waiting {
            state,
            issuer: issuer.clone(),
            answer: Mutex::new(Some(sender)),
        });
        let router = Router::new().fallback(come_back).with_state(waiting);
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(self.listener, router).with_graceful_shutdown(async {
            // Told by dropping the other end, on every way out of here.
            let _ = stopped.await;
        });
        let mut server = tokio::spawn(server.into_future());
        let answer = timeout(limit, receiver).await;
        drop(stop);
        if timeout(FAREWELL, &mut server).await.is_err() {
            server.abort();
        }
        match answer {
            Ok(Ok(answer)) => answer.map_err(|refusal| failed(issuer, &refusal)),
            Ok(Err(_)) | Err(_) => Err(Failure::new(
                Exit::Input,
                "login_timed_out",
                format!(
                    "nobody logged in within {} s: run the command again. If the browser shows an error, the provider \
                     does not know this client id or does not take its redirect to http://127.0.0.1{PATH}",
                    limit.as_secs()
                ),
            )),
        }
    }
}

fn failed(issuer: &IssuerUrl, refusal: &Refusal) -> Failure {
    let issuer = issuer.as_str();
    match refusal {
        Refusal::Denied => Failure::new(
            Exit::Refused,
            "access_denied",
            "the login was cancelled in the browser, or the provider does not let this user in; nothing was done",
        ),
        Refusal::Error(code) => Failure::new(
            Exit::Refused,
            "refused",
            format!("the login provider {issuer} refuses: {code}"),
        ),
        Refusal::OtherIssuer => Failure::new(
            Exit::Alarm,
            "other_issuer",
            format!(
                "the browser came back from another login provider than {issuer}; nothing was done"
            ),
        ),
    }
}

async fn come_back(State(waiting): State<Arc<Waiting>>, method: Method, uri: Uri) -> Response {
    // A poisoned lock is one whose sender may be gone already: nothing is here any more.
    let take = || waiting.answer.lock().ok()?.take();
    let mine = method == Method::GET && uri.path() == PATH;
    let answer = mine
        .then(|| uri.query())
        .flatten()
        .and_then(|query| read(query, &waiting.state, &waiting.issuer));
    match answer.and_then(|answer| Some((answer, take()?))) {
        Some((answer, sender)) => {
            let text = match &answer {
                Ok(_) => "You can close this window and go on in the terminal.",
                Err(_) => {
                    "Nobody was logged in. You can close this window; the terminal says what happened."
                }
            };
            let _ = sender.send(answer);
            page(StatusCode::OK, text)
        }
        None => page(StatusCode::NOT_FOUND, "There is nothing here."),
    }
}

/// The answer in a query, or `None` where it does not belong to this login: without the right `state`, with a
/// parameter twice, with both or none of `code` and `error` (RFC 6749 section 4.1.2).
fn read(query: &str, state: &CsrfToken, issuer: &IssuerUrl) -> Option<Answer> {
    let (mut code, mut error, mut given, mut from) = (None, None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let place = match &*name {
            "code" => &mut code,
            "error" => &mut error,
            "state" => &mut given,
            "iss" => &mut from,
            _ => continue,
        };
        if place.replace(value.into_owned()).is_some() {
            return None;
        }
    }
    let right: bool = given?.as_bytes().ct_eq(state.secret().as_bytes()).into();
    match (code, error) {
        _ if !right => None,
        (Some(_), Some(_)) | (None, None) => None,
        _ if from.is_some_and(|from| from != issuer.as_str()) => Some(Err(Refusal::OtherIssuer)),
        (Some(code), None) => Some(Ok(AuthorizationCode::new(code))),
        (None, Some(error)) if error == "access_denied" => Some(Err(Refusal::Denied)),
        (None, Some(error)) => Some(Err(Refusal::Error(plain(&error)))),
    }
}

/// A page without scripts, styles or links, which is kept nowhere and tells nobody its address.
fn page(status: StatusCode, text: &'static str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Trefoil</title><p>{text}</p></html>\n"
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    (status, headers, Html(html)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://login.example";

    fn answer(query: &str) -> Option<Result<String, Refusal>> {
        let state = CsrfToken::new("the-state".to_owned());
        let issuer = IssuerUrl::new(ISSUER.to_owned()).unwrap();
        read(query, &state, &issuer).map(|answer| answer.map(|code| code.secret().clone()))
    }

    #[test]
    fn what_does_not_carry_the_state_is_not_for_this_login() {
        for stray in [
            "",
            "state",
            "state=the-state",
            "code=c",
            "code=c&state=",
            "code=c&state=the-stat",
            "code=c&state=the-state2",
            "code=c&state=The-state",
            "error=access_denied",
            "error=access_denied&state=other",
            // Twice or both: which one counts would be a guess.
            "code=c&state=the-state&state=the-state",
            "code=c&code=d&state=the-state",
            "code=c&error=access_denied&state=the-state",
            "code=c&state=the-state&iss=https%3A%2F%2Flogin.example&iss=https%3A%2F%2Flogin.example",
        ] {
            assert_eq!(answer(stray), None, "{stray}");
        }
    }

    #[test]
    fn an_answer_of_this_login_is_read() {
        for good in [
            "code=a%20b&state=the-state",
            "state=the-state&code=a+b&session_state=x&iss=https%3A%2F%2Flogin.example",
        ] {
            assert_eq!(answer(good), Some(Ok("a b".to_owned())), "{good}");
        }
        assert_eq!(
            answer("error=access_denied&error_description=no&state=the-state"),
            Some(Err(Refusal::Denied))
        );
        assert_eq!(
            answer("error=%1B%5B2Jlogin_required%0A&state=the-state"),
            Some(Err(Refusal::Error("[2Jlogin_required".to_owned()))),
            "nothing that a terminal would obey"
        );
    }

    #[test]
    fn the_answer_of_another_provider_is_refused() {
        for (iss, last) in [
            ("https%3A%2F%2Fevil.example", "code=c"),
            ("", "error=access_denied"),
        ] {
            assert_eq!(
                answer(&format!("state=the-state&iss={iss}&{last}")),
                Some(Err(Refusal::OtherIssuer))
            );
        }
    }
}
