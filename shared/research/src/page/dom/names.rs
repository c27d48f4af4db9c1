//! The elements and attributes that matter here, as numbers: comparing them costs nothing.

use html5ever::{LocalName, local_name};

macro_rules! tags {
    ($($tag:ident $name:tt),* $(,)?) => {
        /// What an element is.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(in crate::page) enum Tag {
            $($tag,)*
            /// Any other.
            Other,
        }

        impl Tag {
            pub(super) fn of(name: &LocalName) -> Self {
                match *name {
                    $(local_name!($name) => Self::$tag,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

tags! {
    A "a", Abbr "abbr", Address "address", Annotation "annotation", Article "article",
    Aside "aside", Audio "audio", B "b", Base "base", Blockquote "blockquote", Body "body",
    Br "br", Button "button", Canvas "canvas", Caption "caption", Center "center", Cite "cite",
    Code "code", Dd "dd", Del "del", Details "details", Dialog "dialog", Div "div", Dl "dl",
    Dt "dt", Em "em", Embed "embed", Fieldset "fieldset", Figcaption "figcaption",
    Figure "figure", Footer "footer", Form "form", Frame "frame", Frameset "frameset", H1 "h1",
    H2 "h2", H3 "h3", H4 "h4", H5 "h5", H6 "h6", Head "head", Header "header", Hgroup "hgroup",
    Hr "hr", Html "html", I "i", Iframe "iframe", Img "img", Input "input", Kbd "kbd",
    Label "label", Legend "legend", Li "li", Link "link", Main "main", Map "map", Math "math",
    Menu "menu", Meta "meta", Nav "nav", Noscript "noscript", Object "object", Ol "ol",
    Optgroup "optgroup", Option "option", P "p", Picture "picture", Pre "pre",
    Progress "progress", Rp "rp", Rt "rt", S "s", Samp "samp", Script "script",
    Section "section", Select "select", Source "source", Strike "strike", Strong "strong",
    Style "style", Sub "sub", Summary "summary", Sup "sup", Svg "svg", Table "table",
    Tbody "tbody", Td "td", Template "template", Textarea "textarea", Tfoot "tfoot", Th "th",
    Thead "thead", Time "time", Title "title", Tr "tr", Tt "tt", Ul "ul", Var "var",
    Video "video", Xmp "xmp",
}

impl Tag {
    /// The level of a heading.
    pub(in crate::page) const fn heading(self) -> Option<usize> {
        Some(match self {
            Self::H1 => 1,
            Self::H2 => 2,
            Self::H3 => 3,
            Self::H4 => 4,
            Self::H5 => 5,
            Self::H6 => 6,
            _ => return None,
        })
    }

    /// Whether it begins on a line of its own.
    pub(in crate::page) const fn is_block(self) -> bool {
        matches!(
            self,
            Self::Address
                | Self::Article
                | Self::Aside
                | Self::Blockquote
                | Self::Body
                | Self::Caption
                | Self::Center
                | Self::Dd
                | Self::Details
                | Self::Dialog
                | Self::Div
                | Self::Dl
                | Self::Dt
                | Self::Fieldset
                | Self::Figcaption
                | Self::Figure
                | Self::Footer
                | Self::Form
                | Self::Header
                | Self::Hgroup
                | Self::Hr
                | Self::Html
                | Self::Legend
                | Self::Li
                | Self::Main
                | Self::Menu
                | Self::Nav
                | Self::Ol
                | Self::Option
                | Self::P
                | Self::Pre
                | Self::Section
                | Self::Summary
                | Self::Table
                | Self::Tbody
                | Self::Td
                | Self::Tfoot
                | Self::Th
                | Self::Thead
                | Self::Tr
                | Self::Ul
                | Self::Xmp
        ) || self.heading().is_some()
    }

    /// Whether the parser keeps it open in all that follows until it is closed by name.
    pub(super) const fn is_formatting(name: &LocalName) -> bool {
        matches!(
            *name,
            local_name!("a")
                | local_name!("b")
                | local_name!("big")
                | local_name!("code")
                | local_name!("em")
                | local_name!("font")
                | local_name!("i")
                | local_name!("nobr")
                | local_name!("s")
                | local_name!("small")
                | local_name!("strike")
                | local_name!("strong")
                | local_name!("tt")
                | local_name!("u")
        )
    }
}

macro_rules! attributes {
    ($($attribute:ident $name:literal),* $(,)?) => {
        /// An attribute that is kept.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(in crate::page) enum Attr {
            $($attribute,)*
        }

        impl Attr {
            pub(super) fn of(name: &str) -> Option<Self> {
                Some(match name {
                    $($name => Self::$attribute,)*
                    _ => return None,
                })
            }
        }
    };
}

attributes! {
    Alt "alt", AltText "alttext", AriaHidden "aria-hidden", AriaLabel "aria-label",
    Charset "charset", Checked "checked", Class "class", Colspan "colspan", Content "content",
    DataLang "data-lang", DataLanguage "data-language", DataLazySrc "data-lazy-src",
    DataOriginal "data-original", DataSrc "data-src", DataSrcset "data-srcset",
    Datetime "datetime", Display "display", Encoding "encoding", Height "height",
    Hidden "hidden", Href "href", HttpEquiv "http-equiv", Id "id", Itemprop "itemprop",
    Itemtype "itemtype", Lang "lang", Name "name", Property "property", Rel "rel", Role "role",
    Src "src", Srcset "srcset", Start "start", Style "style", Title "title", Type "type",
    Width "width",
}
