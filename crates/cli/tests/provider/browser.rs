//! What a user does in a browser, at the development pages of `oidc-provider`.

use std::collections::BTreeMap;

use http::{HeaderMap, Method, header};
use tokio::runtime::Runtime;
use trefoil_client::{HttpTransport, Request, Transport as _};
use url::{Url, form_urlencoded};

/// Cookies, and nothing else that lasts. Follows no redirect by itself.
pub(crate) struct Browser {
    runtime: Runtime,
    transport: HttpTransport,
    cookies: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// Where it sends the browser.
    to: Option<Url>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            transport: HttpTransport::new().unwrap(),
            cookies: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&mut self, url: &Url) -> Page {
        self.exchange(Request::new(Method::GET, url.clone()))
    }

    pub(crate) fn post(&mut self, url: &Url, form: &[(&str, &str)]) -> Page {
        let mut request = Request::new(Method::POST, url.clone());
        request.body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish()
            .into();
        let form = "application/x-www-form-urlencoded".parse().unwrap();
        self.exchange(request.header(header::CONTENT_TYPE, form))
    }

    /// Goes to `address`, logs in as `user`, consents, and returns where the provider sends the browser then: to the
    /// app. Pages that the provider does not show are not waited for.
    pub(crate) fn log_in(&mut self, address: &Url, user: &str) -> Url {
        let mut seen = self.visit(address);
        loop {
            match seen {
                Ok(page) if page.body.contains("name=\"login\"") => {
                    let form = [("prompt", "login"), ("login", user), ("password", "any")];
                    seen = self.submit(&page, address, &form);
                }
                Ok(page) if page.body.contains("value=\"consent\"") => {
                    seen = self.submit(&page, address, &[("prompt", "consent")]);
                }
                Ok(page) => panic!("neither login nor consent: {page:?}"),
                Err(app) => return app,
            }
        }
    }

    /// Goes to `address` and says no.
    pub(crate) fn cancel(&mut self, address: &Url) -> Url {
        let page = self.visit(address).unwrap();
        let no = Url::parse(between(&page.body, "<a href=\"", "\"")).unwrap();
        self.visit(&no).unwrap_err()
    }

    fn submit(&mut self, page: &Page, address: &Url, form: &[(&str, &str)]) -> Result<Page, Url> {
        let action = Url::parse(between(&page.body, "action=\"", "\"")).unwrap();
        let page = self.post(&action, form);
        self.follow(page, address)
    }

    fn visit(&mut self, address: &Url) -> Result<Page, Url> {
        let page = self.get(address);
        self.follow(page, address)
    }

    /// Follows redirects as long as they stay at the provider; `Err` is the address outside to which one leads.
    fn follow(&mut self, mut page: Page, address: &Url) -> Result<Page, Url> {
        while let Some(to) = page.to.take() {
            if to.origin() != address.origin() {
                return Err(to);
            }
            page = self.get(&to);
        }
        Ok(page)
    }

    fn exchange(&mut self, request: Request) -> Page {
        let url = request.url.clone();
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request
            .header(header::COOKIE, cookies.join("; ").parse().unwrap())
            .header(header::ACCEPT, "text/html".parse().unwrap());
        let answer = self.runtime.block_on(self.transport.send(request)).unwrap();
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = set.split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let to = answer.headers.get(header::LOCATION);
        Page {
            status: answer.status.as_u16(),
            to: to.map(|to| url.join(to.to_str().unwrap()).unwrap()),
            headers: answer.headers,
            body: String::from_utf8(answer.body.to_vec()).unwrap(),
        }
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).expect(before).1;
    rest.split_once(after).expect(after).0
}
