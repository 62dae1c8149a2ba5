//! Keys, and what becomes of the line.

use super::*;

fn editor(past: &[&str]) -> Editor {
    Editor::new(History::of(past))
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
    KeyEvent::new(code, modifiers)
}

fn control(c: char) -> KeyEvent {
    key(KeyCode::Char(c), KeyModifiers::CONTROL)
}

fn plain(code: KeyCode) -> KeyEvent {
    key(code, KeyModifiers::NONE)
}

fn type_in(editor: &mut Editor, text: &str) {
    for c in text.chars() {
        assert_eq!(editor.press(plain(KeyCode::Char(c))), Pressed::Edited);
    }
}

fn press(editor: &mut Editor, keys: &[KeyEvent]) {
    for &key in keys {
        assert_eq!(editor.press(key), Pressed::Edited);
    }
}

#[test]
fn enter_says_the_line_and_three_keys_add_one() {
    let mut editor = editor(&[]);
    assert_eq!(editor.press(plain(KeyCode::Enter)), Pressed::Edited);
    type_in(&mut editor, "a");
    press(&mut editor, &[key(KeyCode::Enter, KeyModifiers::ALT)]);
    type_in(&mut editor, "b");
    press(&mut editor, &[control('j')]);
    type_in(&mut editor, "c\\");
    press(&mut editor, &[plain(KeyCode::Enter)]);
    type_in(&mut editor, "d");
    assert_eq!(editor.press(plain(KeyCode::Enter)), Pressed::Said("a\nb\nc\nd".into()));
    assert_eq!(editor.text(), "");
    press(&mut editor, &[plain(KeyCode::Up)]);
    assert_eq!(editor.text(), "a\nb\nc\nd");
}

#[test]
fn ctrl_c_clears_first_and_ctrl_d_deletes_first() {
    let mut editor = editor(&[]);
    type_in(&mut editor, "ab");
    press(&mut editor, &[plain(KeyCode::Home), control('d')]);
    assert_eq!(editor.text(), "b");
    press(&mut editor, &[control('c')]);
    assert_eq!(editor.text(), "");
    assert_eq!(editor.press(control('c')), Pressed::Cancel);
    assert_eq!(editor.press(control('d')), Pressed::Leave);
}

#[test]
fn the_history_is_walked_and_what_was_typed_comes_back() {
    let mut editor = editor(&["one", "two"]);
    type_in(&mut editor, "new");
    let (up, down) = (plain(KeyCode::Up), plain(KeyCode::Down));
    let mut seen = Vec::new();
    for key in [up, up, up, down, down, down] {
        press(&mut editor, &[key]);
        seen.push(editor.text().to_owned());
    }
    assert_eq!(seen, ["two", "one", "one", "two", "new", "new"]);
}

#[test]
fn a_search_finds_older_and_older_entries() {
    let mut editor = editor(&["make tea", "mend the lamp", "make coffee"]);
    press(&mut editor, &[control('r')]);
    type_in(&mut editor, "ma");
    assert_eq!(editor.search().and_then(|(_, found)| found), Some("make coffee"));
    press(&mut editor, &[control('r')]);
    assert_eq!(editor.search().and_then(|(_, found)| found), Some("make tea"));
    press(&mut editor, &[plain(KeyCode::Enter)]);
    assert_eq!((editor.text(), editor.search().is_none()), ("make tea", true));
    press(&mut editor, &[control('r')]);
    type_in(&mut editor, "lamp");
    press(&mut editor, &[plain(KeyCode::Esc)]);
    assert_eq!(editor.text(), "make tea");
}

#[test]
fn words_are_cut_and_come_back() {
    let mut editor = editor(&[]);
    type_in(&mut editor, "one two-three");
    press(&mut editor, &[control('w')]);
    assert_eq!(editor.text(), "one ");
    press(&mut editor, &[control('y'), key(KeyCode::Char('b'), KeyModifiers::ALT)]);
    assert_eq!((editor.text(), editor.cursor()), ("one two-three", 8));
    press(&mut editor, &[control('u')]);
    assert_eq!(editor.text(), "three");
    press(&mut editor, &[control('7')]);
    assert_eq!(editor.text(), "one two-three");
    press(&mut editor, &[control('k')]);
    assert_eq!(editor.text(), "one two-");
}

#[test]
fn what_is_pasted_is_one_text() {
    let mut editor = editor(&[]);
    editor.paste("a\r\nb\rc");
    assert_eq!(editor.text(), "a\nb\nc");
    type_in(&mut editor, "!");
    assert_eq!(editor.press(plain(KeyCode::Enter)), Pressed::Said("a\nb\nc!".into()));
}

#[test]
fn tab_completes_a_command_as_far_as_it_is_clear() {
    let mut editor = editor(&[]);
    type_in(&mut editor, "/sta");
    press(&mut editor, &[plain(KeyCode::Tab)]);
    assert_eq!(editor.text(), "/status ");
    press(&mut editor, &[control('c')]);
    type_in(&mut editor, "/s");
    press(&mut editor, &[plain(KeyCode::Tab)]);
    assert_eq!(editor.text(), "/s");
    press(&mut editor, &[control('c')]);
    type_in(&mut editor, "say");
    press(&mut editor, &[plain(KeyCode::Tab)]);
    assert_eq!(editor.text(), "say");
}
