//! The addresses that a function answers, and who may call them.

use std::{borrow::Cow, sync::Arc};

use futures_util::future::BoxFuture;
use http::Method;

use crate::{app::App, body::Response, call::Call, identity::Scope, jobs, problem::Problem, tool};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without a token.
    Public,
    /// The bearer of a token with all of these scopes.
    Token(&'static [Scope]),
    /// As [`Access::Token`], or a person who signed in with a browser; one who has not is sent to
    /// the sign-in page and comes back.
    Page(&'static [Scope]),
    /// As [`Access::Page`], or whoever holds a grant for this very upload. The handler has to use the
    /// grant up ([`Call::grant`]), in the transaction that keeps the body.
    Upload(&'static [Scope]),
    /// Whoever calls for workers, in the name of the service account for it.
    Bell,
}

impl Access {
    /// The scopes that the caller must have.
    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Public | Self::Bell => &[],
            Self::Token(scopes) | Self::Page(scopes) | Self::Upload(scopes) => scopes,
        }
    }
}

pub(crate) type Handler =
    Arc<dyn Fn(Call) -> BoxFuture<'static, Result<Response, Problem>> + Send + Sync>;

/// One address and method.
#[derive(Clone)]
pub struct Route {
    /// The method; `HEAD` is answered by `GET` routes.
    pub method: Method,
    /// The path; a segment in braces, as in `/articles/{id}`, matches any one segment.
    pub path: Cow<'static, str>,
    /// Who may call it.
    pub access: Access,
    pub(crate) handler: Handler,
}

/// What a function answers; made by its `setup`.
#[derive(Clone, Default)]
pub struct Routes {
    all: Vec<Route>,
    pub(crate) tools: Vec<tool::Registered>,
    pub(crate) long_tools: Vec<jobs::Registered>,
}

impl Routes {
    /// No routes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `GET` (and `HEAD`) of a path.
    #[must_use]
    pub fn get<H, F>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        self.route(Method::GET, path, access, handler)
    }

    /// Answers `POST` of a path.
    #[must_use]
    pub fn post<H, F>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        self.route(Method::POST, path, access, handler)
    }

    /// Answers `DELETE` of a path.
    #[must_use]
    pub fn delete<H, F>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        self.route(Method::DELETE, path, access, handler)
    }

    /// And those of another function.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.all.extend(other.all);
        self.tools.extend(other.tools);
        self.long_tools.extend(other.long_tools);
        self
    }

    /// Offers a tool at `POST /tools/<name>`; charging, ownership and refunds are taken care of.
    #[must_use]
    pub fn tool<T: tool::Tool>(mut self, app: &Arc<App>, tool: T) -> Self {
        let tool = tool::Registered::new(app, tool);
        self.tools.push(tool.clone());
        let path = format!("/tools/{}", tool.name);
        self.route(Method::POST, path, tool::ACCESS, move |call| {
            let tool = tool.clone();
            async move { tool.answer(call).await }
        })
    }

    /// Offers a long tool at `POST /tools/<name>`, and does its jobs at `POST /jobs/<name>/{id}`, where
    /// the bell calls for a worker. A ring carries neither identity nor arguments, and does nothing
    /// but begin a job that is due, charged, and held by nobody.
    #[must_use]
    pub fn long_tool<T: jobs::LongTool>(mut self, app: &Arc<App>, tool: T) -> Self {
        let tool = jobs::Registered::new(app, tool);
        self.long_tools.push(tool.clone());
        let path = format!("/jobs/{}/{{id}}", T::NAME);
        let routes = self.calls_of::<T>(app);
        routes.route(Method::POST, path, Access::Bell, move |call| {
            let tool = tool.clone();
            async move { tool.work(call.path_id("id", "job")?).await }
        })
    }

    /// Offers a long tool at `POST /tools/<name>`, and leaves its jobs to the function that does them:
    /// nothing that the work needs is linked.
    #[must_use]
    pub fn calls_of<T: jobs::LongTool>(self, app: &Arc<App>) -> Self {
        let calls = jobs::Calls::of::<T>(app);
        let path = format!("/tools/{}", T::NAME);
        self.route(Method::POST, path, tool::ACCESS, move |call| {
            let calls = calls.clone();
            async move { calls.answer(call).await }
        })
    }

    /// The addresses, for whoever lists or checks them.
    pub fn list(&self) -> &[Route] {
        &self.all
    }

    fn route<H, F>(
        mut self,
        method: Method,
        path: impl Into<Cow<'static, str>>,
        access: Access,
        handler: H,
    ) -> Self
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |call| Box::pin(handler(call)));
        self.all.push(Route {
            method,
            path: path.into(),
            access,
            handler,
        });
        self
    }
}

/// Matches a path with a pattern; gives the names and values of the segments in braces.
pub fn matches(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut values = Vec::new();
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(values),
            (Some(wanted), Some(given)) => {
                match wanted
                    .strip_prefix('{')
                    .and_then(|name| name.strip_suffix('}'))
                {
                    Some(name) if !given.is_empty() => {
                        values.push((name.to_owned(), given.to_owned()));
                    }
                    None if wanted == given => {}
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_segment_by_segment() {
        assert_eq!(matches("/usage", "/usage"), Some(vec![]));
        assert_eq!(
            matches("/articles/{id}", "/articles/7"),
            Some(vec![("id".to_owned(), "7".to_owned())])
        );
        for path in ["/usage/", "/usag", "/usage/x", "", "/"] {
            assert_eq!(matches("/usage", path), None, "{path}");
        }
        for path in ["/articles/", "/articles", "/articles/7/8"] {
            assert_eq!(matches("/articles/{id}", path), None, "{path}");
        }
    }
}
