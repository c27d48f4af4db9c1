//! Languages by the names of files: how code blocks call them, and what they are called.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What the name of a file tells of its language.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Language {
    /// As code blocks name it; empty for text.
    pub(crate) fence: &'static str,
    /// What a programming language is called.
    pub(crate) name: Option<&'static str>,
}

/// The language of a file.
pub(crate) fn of_path(path: &str) -> Language {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let extension = match name.rsplit_once('.') {
        Some((_, extension)) => extension,
        None => &*name,
    };
    BY_EXTENSION.get(extension).copied().unwrap_or_default()
}

/// The extensions that are known, and the names of files without one.
#[cfg(feature = "local-files")]
pub(crate) fn extensions() -> impl Iterator<Item = &'static str> {
    LANGUAGES
        .iter()
        .flat_map(|(extensions, ..)| extensions.split(' '))
}

static BY_EXTENSION: LazyLock<HashMap<&str, Language>> = LazyLock::new(|| {
    let language = |fence, name| Language {
        fence,
        name: Some(name).filter(|it: &&str| !it.is_empty()),
    };
    let rows = LANGUAGES.iter();
    rows.flat_map(|(extensions, fence, name)| {
        extensions.split(' ').map(|it| (it, language(fence, name)))
    })
    .collect()
});

/// Extensions, or whole names of files without one; fence; name.
#[rustfmt::skip]
const LANGUAGES: &[(&str, &str, &str)] = &[
    ("py pyi pyw", "python", "Python"),
    ("rs", "rust", "Rust"),
    ("js mjs cjs", "javascript", "JavaScript"),
    ("jsx", "jsx", "JavaScript"),
    ("ts mts cts", "typescript", "TypeScript"),
    ("tsx", "tsx", "TypeScript"),
    ("go", "go", "Go"),
    ("java", "java", "Java"),
    ("kt kts", "kotlin", "Kotlin"),
    ("swift", "swift", "Swift"),
    ("c h", "c", "C"),
    ("cc cpp cxx hpp hh hxx", "cpp", "C++"),
    ("cs", "csharp", "C#"),
    ("fs fsx", "fsharp", "F#"),
    ("m mm", "objectivec", "Objective-C"),
    ("rb rake gemfile rakefile", "ruby", "Ruby"),
    ("php", "php", "PHP"),
    ("pl pm", "perl", "Perl"),
    ("sh bash zsh", "bash", "Shell"),
    ("ps1 psm1", "powershell", "PowerShell"),
    ("sql", "sql", "SQL"),
    ("r", "r", "R"),
    ("jl", "julia", "Julia"),
    ("lua", "lua", "Lua"),
    ("scala sc", "scala", "Scala"),
    ("clj cljs cljc edn", "clojure", "Clojure"),
    ("hs", "haskell", "Haskell"),
    ("ml mli", "ocaml", "OCaml"),
    ("ex exs", "elixir", "Elixir"),
    ("erl hrl", "erlang", "Erlang"),
    ("dart", "dart", "Dart"),
    ("zig", "zig", "Zig"),
    ("nim", "nim", "Nim"),
    ("nix", "nix", "Nix"),
    ("groovy gradle jenkinsfile", "groovy", "Groovy"),
    ("sol", "solidity", "Solidity"),
    ("cu cuh", "cuda", "CUDA"),
    ("vue", "vue", "Vue"),
    ("svelte", "svelte", "Svelte"),
    ("html htm", "html", "HTML"),
    ("css", "css", "CSS"),
    ("scss sass less", "scss", "CSS"),
    ("tf hcl", "hcl", "HCL"),
    ("proto", "protobuf", ""),
    ("graphql gql", "graphql", ""),
    ("ipynb", "markdown", "Jupyter Notebook"),
    ("md mdx markdown", "markdown", ""),
    ("rst", "rst", ""),
    ("tex", "latex", ""),
    ("json jsonc json5 jsonl", "json", ""),
    ("yaml yml", "yaml", ""),
    ("toml", "toml", ""),
    ("ini cfg conf", "ini", ""),
    ("xml svg xsd", "xml", ""),
    ("csv", "csv", ""),
    ("diff patch", "diff", ""),
    ("dockerfile", "dockerfile", ""),
    ("makefile mk", "makefile", ""),
    ("cmake", "cmake", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_extension_or_by_its_name() {
        assert_eq!(of_path("src/Lib.RS").fence, "rust");
        assert_eq!(of_path("a/Dockerfile").fence, "dockerfile");
        assert_eq!(of_path("n.ipynb").name, Some("Jupyter Notebook"));
        assert_eq!(of_path("LICENSE"), Language::default());
        assert_eq!(of_path("go/x.txt"), Language::default());
    }
}
