//! Any text, however it comes.

use proptest::prelude::*;

use super::super::wrap::width;
use super::*;

const PLAIN: Ink = Ink { color: false };
const COLOR: Ink = Ink { color: true };

const SAMPLE: &str = "\
# Title
Some **bold** and *quiet* text with `code`.

- one
  - two **b**
1. first
> said

```rust
fn main() {\t**no** }
```
| a | b |
|---|--:|
| `x|y` | 1 |
| long cell | 22 |
end
---
";

fn render(text: &str, ink: Ink, columns: usize) -> Vec<String> {
    let mut markdown = Markdown::new(ink, columns);
    let mut lines = markdown.push(text);
    lines.extend(markdown.finish());
    lines
}

#[test]
fn a_text_has_its_layout_without_colours_too() {
    let lines = render(SAMPLE, PLAIN, 60);
    let rule = "─".repeat(40);
    let code = format!("── rust {}", "─".repeat(32));
    assert_eq!(
        lines,
        [
            "Title",
            "Some bold and quiet text with code.",
            "",
            "• one",
            "  • two b",
            "1. first",
            "│ said",
            "",
            &code,
            "fn main() {     **no** }",
            &rule,
            "┌───────────┬────┐",
            "│ a         │  b │",
            "├───────────┼────┤",
            "│ x|y       │  1 │",
            "│ long cell │ 22 │",
            "└───────────┴────┘",
            "end",
            &rule,
        ]
    );
}

#[test]
fn words_stand_out_where_colours_are_welcome() {
    let lines = render(SAMPLE, COLOR, 60);
    assert!(lines[0].starts_with("\x1b[") && lines[0].contains("Title"), "{:?}", lines[0]);
    assert!(lines[1].contains("\x1b[1mbold\x1b["), "{:?}", lines[1]);
    assert!(lines[1].contains("\x1b[3mquiet\x1b["), "{:?}", lines[1]);
    assert!(lines[9].starts_with("\x1b[36mfn main"), "{:?}", lines[9]);
}

#[test]
fn what_grows_is_shown_as_far_as_it_is_known() {
    let mut markdown = Markdown::new(PLAIN, 60);
    assert_eq!(markdown.push("one **two"), Vec::<String>::new());
    assert_eq!(markdown.growing(), ["one **two"]);
    assert_eq!(markdown.push("**"), Vec::<String>::new());
    assert_eq!(markdown.growing(), ["one two"]);
    assert_eq!(markdown.push("\n"), ["one two"]);
    assert!(!markdown.is_growing() && markdown.growing().is_empty());
    assert_eq!(markdown.push("|a|b|\n|-|-|\n|1|"), Vec::<String>::new());
    assert_eq!(markdown.growing().len(), 5);
    assert_eq!(
        markdown.push("2|\nover\nand "),
        ["┌───┬───┐", "│ a │ b │", "├───┼───┤", "│ 1 │ 2 │", "└───┴───┘", "over"]
    );
    assert_eq!(markdown.growing(), ["and"]);
    assert_eq!(markdown.finish(), ["and"]);
}

#[test]
fn code_that_is_left_open_ends_with_the_text() {
    let lines = render("~~~\n```\n**x**", PLAIN, 60);
    assert_eq!(lines[1..3], ["```", "**x**"]);
    assert_eq!((lines[0].as_str(), lines[3].as_str()), ("─".repeat(40).as_str(), "─".repeat(40).as_str()));
}

#[test]
fn no_control_sequence_gets_through() {
    let evil = "\x1b]0;x\x07 \x1b[2J **\x1b[31mred** \u{202e} `\x1b[1m`\n```\n\x1b[2J\n```\n|\x1b[H|\n|-|\n|\x1b[3J|\n";
    let shown = render(evil, PLAIN, 80).join("\n");
    assert!(
        !shown.contains(|c: char| c.is_control() && c != '\n') && !shown.contains('\u{202e}'),
        "{shown:?}"
    );
    assert!(shown.contains("\\x1b[2J") && shown.contains("\\x1b]0;x\\x07"), "{shown}");
}

#[test]
fn long_text_is_wrapped_between_words() {
    let lines = render("- one two three four five six seven eight\n", PLAIN, 20);
    assert_eq!(lines, ["• one two three four", "  five six seven", "  eight"]);
}

#[test]
fn an_endless_line_is_shown_in_parts() {
    let text = "word ".repeat(4000);
    let lines = render(&text, PLAIN, 70);
    assert!(lines.len() > 200);
    assert_eq!(lines.join(" ").split_whitespace().count(), 4000);
}

/// Pieces of Markdown, and of what is nearly so.
fn markdown_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("```\n".to_owned()),
        Just("~~~".to_owned()),
        Just("|a|b|\n|-|-|\n".to_owned()),
        Just("| x | y\\| z |\n".to_owned()),
        Just("- ".to_owned()),
        Just("      * ".to_owned()),
        Just("12. ".to_owned()),
        Just("> ".to_owned()),
        Just("### ".to_owned()),
        Just("---\n".to_owned()),
        Just("**".to_owned()),
        Just("_".to_owned()),
        Just("`".to_owned()),
        Just("[l](u)".to_owned()),
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("\t".to_owned()),
        Just("漢字 👩\u{200d}🚀".to_owned()),
        "[a-z ]{1,12}",
        any::<char>().prop_map(|c| c.to_string()),
        Just("long words ".repeat(600)),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn however_a_text_is_cut_its_finished_lines_are_the_same(
        text in markdown_like(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        columns in 1_usize..100,
    ) {
        let mut places: Vec<_> = cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len() + 1))).collect();
        places.sort_unstable();
        let mut markdown = Markdown::new(PLAIN, columns);
        let (mut lines, mut from) = (Vec::new(), 0);
        for to in places.into_iter().chain([text.len()]) {
            lines.extend(markdown.push(&text[from..to]));
            let _any_moment = markdown.growing();
            from = to;
        }
        lines.extend(markdown.finish());
        prop_assert_eq!(&lines, &render(&text, PLAIN, columns));
        for line in &lines {
            prop_assert!(!line.contains(char::is_control), "{:?}", line);
        }
    }

    #[test]
    fn no_word_is_lost(words in proptest::collection::vec("[a-z]{1,14}|2 \\* 3|\\*\\.rs|a_b_c|`[a-z]{1,5}`", 1..60), columns in 24_usize..100) {
        let text = words.join(" ");
        let lines = render(&text, PLAIN, columns);
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != '`').collect::<String>();
        prop_assert_eq!(letters(&lines.concat()), letters(&text));
        prop_assert!(lines.iter().all(|line| width(line) <= columns), "{:?}", lines);
    }
}
