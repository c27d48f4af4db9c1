//! HTML as Markdown: what is kept, what is left out, what is escaped.
#![cfg(feature = "pages")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod cpu;

use std::time::Duration;

use nova_research::page::{markdown_of, pictures_as_addresses};
use serde_json::Value;
use url::Url;

fn markdown(html: &str) -> String {
    let url = Url::parse("https://s.example/d/p").unwrap();
    markdown_of(html, &url).unwrap()
}

#[test]
fn the_cases_of_pages_come_out_as_expected() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases/html.json")).unwrap();
    let mut checked = 0;
    for case in &cases {
        let (Some(html), Some(expected)) = (
            case["input"]["html"].as_str(),
            case["expected"]["markdown"].as_str(),
        ) else {
            continue;
        };
        assert_eq!(markdown(html), expected, "{}: {}", case["id"], case["why"]);
        checked += 1;
    }
    assert!(checked >= 7, "only {checked} cases were checked");
}

#[test]
fn the_cases_of_pictures_in_markdown_come_out_as_expected() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases/images.json")).unwrap();
    assert!(cases.len() >= 2);
    let url = Url::parse("https://s.example/d/p").unwrap();
    for case in &cases {
        let markdown = case["input"]["markdown"].as_str().unwrap();
        let found = pictures_as_addresses(markdown, &url);
        assert_eq!(found, case["expected"]["equals"], "{}", case["id"]);
    }
}

#[test]
fn pictures_are_found_in_linear_time_however_they_are_written() {
    let url = Url::parse("https://s.example/d/p").unwrap();
    for piece in ["![", "[a](", "![a](b.png)", "![a][b]\n\n[b]: c.png\n\n"] {
        let time = |pieces: usize| {
            let markdown = piece.repeat(pieces);
            let (found, time) = cpu::time(|| pictures_as_addresses(&markdown, &url));
            assert!(!found.is_empty());
            time
        };
        let (short, long) = (time(10_000), time(80_000));
        assert!(
            long < short * 8 * 3 + Duration::from_millis(60),
            "{piece:?}: {short:?} became {long:?} for eight times as much"
        );
    }
}

#[test]
fn lists_nest_and_keep_the_blocks_in_their_items() {
    assert_eq!(
        markdown(
            "<ul><li>a<ul><li>b<li>c<p>more</p></ul><li><p>d</p><p>e</p></ul>\
             <ol start=3><li>x<li>y<pre>code\n  more</pre></ol>"
        ),
        "- a\n  - b\n  - c\n\n    more\n- d\n\n  e\n\n3. x\n4. y\n\n   ```\n   code\n     more\n   ```"
    );
    assert_eq!(
        markdown(
            "<ul><li><input type=checkbox checked>done<li><input type=checkbox> to do<li></ul>"
        ),
        "- [x] done\n- [ ] to do"
    );
}

#[test]
fn definitions_of_a_line_are_a_list_and_longer_ones_are_not_indented() {
    assert_eq!(
        markdown("<dl><dt>T</dt><dd>one</dd><dt>U<dd>two</dl>"),
        "T\n: one\n\nU\n: two"
    );
    assert_eq!(
        markdown("<dl><dt><code>f(x)</code><dd><p>Does.<p>Gives:<pre>x</pre></dl>"),
        "**`f(x)`**\n\nDoes.\n\nGives:\n\n```\nx\n```"
    );
}

#[test]
fn quotes_hold_what_is_in_them() {
    assert_eq!(
        markdown(
            "<blockquote><p>a<p>b<blockquote>c</blockquote></blockquote><blockquote>z</blockquote>"
        ),
        "> a\n>\n> b\n>\n> > c\n\n> z"
    );
}

#[test]
fn notes_are_notes_wherever_their_text_stands() {
    assert_eq!(
        markdown(
            "<p>Text<sup><a href=#fn1 id=r1>[1]</a></sup> more.<ol><li id=fn1><p>The note. <a href=#r1>↩</a></ol>"
        ),
        "Text[^1] more.\n\n[^1]: The note."
    );
    // Without a note there is none to point to.
    assert_eq!(markdown("<p>Text<sup><a href=#gone>1</a></sup>"), "Text1");
}

#[test]
fn formulas_are_the_tex_that_they_were_made_from() {
    assert_eq!(
        markdown(
            "<p>a <math><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation></math> \
             <span class='math'>\\(a_b\\)</span></p><script type='math/tex; mode=display'>\\sum</script>"
        ),
        "a $x^2$ $a_b$\n\n$$\\sum$$"
    );
    assert_eq!(
        markdown("<p>10<sup>9</sup> m<sup>2</sup>, 2<sup>nd</sup>, H<sub>2</sub>O"),
        "10^9 m^2, 2nd, H2O"
    );
}

#[test]
fn code_loses_its_line_numbers_and_keeps_its_language() {
    assert_eq!(
        markdown(
            "<table class=highlighttable><tr><td class=linenos><pre>1\n2</pre>\
             <td class=code><div class='highlight-python'><pre>a\nb\n</pre></div></table>"
        ),
        "```\na\nb\n```".replace("```\na", "```python\na")
    );
    for (html, language) in [
        ("<pre class='brush: js; toolbar: false'>x</pre>", "js"),
        (
            "<pre class='sourceCode haskell'><code>x</code></pre>",
            "haskell",
        ),
        (
            "<div class='highlight highlight-source-shell'><pre>x</pre></div>",
            "shell",
        ),
        ("<pre data-lang=go><code>x</code></pre>", "go"),
        ("<pre><code class='hljs language-c++'>x</code></pre>", "c++"),
        ("<div class=highlight-none><pre>x</pre></div>", ""),
        ("<pre><code class='language-a`b'>x</code></pre>", ""),
    ] {
        assert_eq!(markdown(html), format!("```{language}\nx\n```"), "{html}");
    }
}

#[test]
fn what_cannot_be_seen_hides_nothing() {
    for hidden in ["\u{ad}", "\u{200b}", "\u{feff}", "\u{1}"] {
        assert_eq!(
            markdown(&format!(
                "<p>&lt;{hidden}a> \\{hidden}&lt;/details> &amp;{hidden}lt;"
            )),
            "\\<a> \\\\\\</details> \\&lt;"
        );
    }
}

#[test]
fn nothing_in_code_closes_it() {
    assert_eq!(
        markdown("<p><code>&lt;</code><code>`&lt;a></code>"),
        "`<` `` `<a> ``"
    );
    assert_eq!(markdown("<pre>a ``` b</pre>"), "````\na ``` b\n````");
    assert_eq!(
        markdown("<p><code>a`b</code> <code>`</code>"),
        "``a`b`` `` ` ``"
    );
    assert_eq!(
        markdown("<p>x <code>one<br>two</code>"),
        "x\n\n```\none\ntwo\n```"
    );
}

#[test]
fn emphasis_holds_no_space_at_its_ends_and_no_second_emphasis() {
    assert_eq!(
        markdown("<p><b>bold </b>text <b><b>x</b></b> <em> </em><i>y</i> <s>z</s>"),
        "**bold** text **x** *y* ~~z~~"
    );
    assert_eq!(
        markdown("<b><p>one</p><p>two</p></b>"),
        "**one**\n\n**two**"
    );
}

#[test]
fn a_link_is_in_one_block_and_holds_no_other() {
    assert_eq!(
        markdown("<a href=/card><div><h3>Head</h3><p>Text</div></a>"),
        "### [Head](https://s.example/card)\n\nText"
    );
    assert_eq!(
        markdown("<p><a href=/y><img src=a.png alt='Alt text'></a> wow!<a href=/x>l</a>"),
        "[image: Alt text](https://s.example/d/a.png) wow\\![l](https://s.example/x)"
    );
    assert_eq!(
        markdown("<p><a href='/a_(b)'>x</a> <a href='/a)b'>y</a>"),
        "[x](https://s.example/a_(b)) [y](https://s.example/a%29b)"
    );
    assert_eq!(
        markdown("<p><a href='mailto:a@b.c'>mail</a> <a href='p#there'>here</a>"),
        "mail here"
    );
}

#[test]
fn a_button_is_text_only_where_it_is_the_heading() {
    assert_eq!(
        markdown(
            "<h3><button>Question?</button></h3><p>Yes.</p><h3>Title <button>Copy</button></h3><button>Buy</button>"
        ),
        "### Question?\n\nYes.\n\n### Title"
    );
}

#[test]
fn lines_break_where_the_page_breaks_them() {
    assert_eq!(
        markdown("line<br>two<br><br>three<hr><hr>"),
        "line  \ntwo\n\nthree\n\n---"
    );
    assert_eq!(
        markdown("a<br>- b<br>1. c<br># d<br>--- | ---"),
        "a  \n\\- b  \n1\\. c  \n\\# d  \n\\--- | ---"
    );
}

#[test]
fn tables_that_arrange_a_page_are_no_tables() {
    assert_eq!(
        markdown("<table><tr><td>left<td><table><tr><td>a<td>b<tr><td>c<td>d</table></table>"),
        "left\n\n| a | b |\n| --- | --- |\n| c | d |"
    );
    assert_eq!(
        markdown("<table><tr><th>a<th>b<tr><td><ul><li>x<li>y</ul><td><pre>p|q\nr</pre></table>"),
        "| a | b |\n| --- | --- |\n| - x<br>- y | `p\\|q`<br>`r` |"
    );
    assert_eq!(
        markdown("<table><tr><td colspan=2>a<tr><td>b<td>c</table>"),
        "| a |  |\n| --- | --- |\n| b | c |"
    );
}

#[test]
fn what_looks_like_markdown_is_text() {
    assert_eq!(
        markdown("<p>a&amp;lt;b &amp;amp; AT&T a*b 2 * 3 snake_case _x ~~x~~ C:\\dir \\* a < b"),
        "a\\&lt;b \\&amp; AT&T a\\*b 2 * 3 snake_case \\_x \\~\\~x\\~\\~ C:\\dir \\\\\\* a < b"
    );
}

#[test]
fn what_a_browser_does_not_show_is_left_out() {
    assert_eq!(
        markdown(
            "<p>a<p hidden>b<p style='display: none'>c<script>d</script><style>e</style><template>f</template>\
             <noscript><img src=g.png></noscript><p aria-hidden=true>h<!-- i --><select><option>j</select>"
        ),
        "a"
    );
}
