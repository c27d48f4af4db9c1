//! Who is paid for what: keys, and where each provider is.

use nova_web::CodeHosts;
use url::Url;

use super::{
    CodeHost, ModelsConfig, SearchConfig, Secret, code_hosts, environment::Reader, models, search,
};

/// One provider with a key.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What it knows us by; `None` when nothing is set.
    pub key: Option<Secret>,
    /// Where it is: its public address, or a stand-in.
    pub base_url: Url,
}

/// The providers. Each is where its owner offers it unless `*_BASE_URL` says otherwise.
#[derive(Clone, Debug)]
pub struct ProvidersConfig {
    /// `FIRECRAWL_API_KEY`, `FIRECRAWL_BASE_URL`: reads pages, with a browser where they need one.
    /// One's own instance needs no key, only its address.
    pub firecrawl: Option<Endpoint>,
    /// `PAGE_READER`: who reads pages first where Firecrawl is configured. Default `firecrawl`.
    pub page_reader: PageReaderChoice,
    /// `GITHUB_TOKEN`, `GITHUB_BASE_URL`: code. Public repositories need no token.
    pub github: Endpoint,
    /// `CODE_HOSTS`, `CODE_HOST_TOKENS`: further hosts of code, each with what it is: GitHub Enterprise,
    /// GitLab, Bitbucket. Their repositories are read like GitHub's; of hosts that are not named,
    /// they are web pages.
    pub code_hosts: Vec<CodeHost>,
    /// `NOVA_ALLOW_PRIVATE_CODE`: whether users may read all that those tokens show. For a deployment
    /// whose users all may: the tokens are its operator's. Default `false`, public code only.
    pub allow_private_code: bool,
    /// `YOUTUBE_CAPTIONS`, `YOUTUBE_BASE_URL`: YouTube, where it is asked for the captions of a video
    /// before a model is paid for watching it. `None` when it is not, which is the default: to
    /// addresses in a cloud it gives none.
    pub captions: Option<Endpoint>,
    /// `GOOGLE_API_KEY`, `GOOGLE_BASE_URL`: the Gemini API.
    pub gemini: Endpoint,
    /// `OPENAI_API_KEY`, `OPENAI_BASE_URL`: OpenAI, or whoever speaks its chat completions. One's
    /// own instance needs no key, only its address.
    pub openai: Option<Endpoint>,
    /// Which language models are asked.
    pub models: ModelsConfig,
    /// Who is asked where something is searched.
    pub search: SearchConfig,
}

impl ProvidersConfig {
    /// Which hosts keep code, for whoever tells it from web pages.
    pub fn known_code_hosts(&self) -> CodeHosts {
        let named = self.code_hosts.iter();
        named.map(|host| (host.name.clone(), host.site)).collect()
    }
}

/// Who reads pages first where there is a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageReaderChoice {
    /// `firecrawl`: Firecrawl reads every page.
    #[default]
    Firecrawl,
    /// `built_in`: the built-in reader, which costs nothing; Firecrawl what needs a browser.
    BuiltIn,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<ProvidersConfig> {
    Some(ProvidersConfig {
        firecrawl: endpoint_if_set(
            reader,
            ["FIRECRAWL_API_KEY", "FIRECRAWL_BASE_URL"],
            "https://api.firecrawl.dev",
        ),
        page_reader: reader
            .parse(
                "PAGE_READER",
                "firecrawl or built_in",
                |value| match value {
                    "firecrawl" => Some(PageReaderChoice::Firecrawl),
                    "built_in" => Some(PageReaderChoice::BuiltIn),
                    _ => None,
                },
            )
            .unwrap_or_default(),
        github: endpoint(
            reader,
            ["GITHUB_TOKEN", "GITHUB_BASE_URL"],
            "https://api.github.com",
        )?,
        code_hosts: code_hosts::read(reader),
        allow_private_code: reader.flag("NOVA_ALLOW_PRIVATE_CODE"),
        captions: captions(reader),
        gemini: endpoint(
            reader,
            ["GOOGLE_API_KEY", "GOOGLE_BASE_URL"],
            "https://generativelanguage.googleapis.com",
        )?,
        openai: endpoint_if_set(
            reader,
            ["OPENAI_API_KEY", "OPENAI_BASE_URL"],
            "https://api.openai.com/v1",
        ),
        models: models::read(reader),
        search: search::read(reader)?,
    })
}

/// `None` when it is not asked, and when something is wrong, which the reader remembers.
fn captions(reader: &mut Reader<'_>) -> Option<Endpoint> {
    let is_asked = reader.parse("YOUTUBE_CAPTIONS", "off or first", |value| match value {
        "off" => Some(false),
        "first" => Some(true),
        _ => None,
    });
    let endpoint = Endpoint {
        key: None,
        base_url: reader.address("YOUTUBE_BASE_URL", "https://www.youtube.com")?,
    };
    Some(endpoint).filter(|_| is_asked == Some(true))
}

/// `None` when neither is set, and when the address is wrong.
fn endpoint_if_set(reader: &mut Reader<'_>, names: [&str; 2], usual: &str) -> Option<Endpoint> {
    let is_set = names.iter().any(|name| reader.text(name).is_some());
    endpoint(reader, names, usual).filter(|_| is_set)
}

/// `None` only when the address is wrong, which the reader remembers.
pub(super) fn endpoint(
    reader: &mut Reader<'_>,
    [key, base_url]: [&str; 2],
    usual: &str,
) -> Option<Endpoint> {
    Some(Endpoint {
        key: reader.text(key).map(Secret::new),
        base_url: reader.address(base_url, usual)?,
    })
}
