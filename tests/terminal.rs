//! A terminal of 110 columns and as many lines as it takes: what is on it after the program has sent its text.

/// How wide it is.
const WIDTH: usize = 110;

/// What stays on the screen.
pub fn screen(sent: &str) -> Vec<String> {
    frames(sent).pop().unwrap_or_default()
}

/// The screen after each time that the cursor went up: before what is redrawn is drawn anew; and at the end.
pub fn frames(sent: &str) -> Vec<Vec<String>> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut frames = Vec::new();
    let text = |lines: &[Vec<char>]| lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned()).collect();
    let mut characters = sent.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                lines.resize(lines.len().max(row + 1), Vec::new());
            }
            '\u{1b}' => {
                assert_eq!(characters.next(), Some('['), "only control sequences are known");
                let mut number = String::new();
                let command = loop {
                    match characters.next().expect("a sequence ends") {
                        digit if digit.is_ascii_digit() || matches!(digit, ';' | '?') => number.push(digit),
                        command => break command,
                    }
                };
                let count = number.parse().unwrap_or(1);
                match command {
                    'A' => {
                        frames.push(text(&lines));
                        row = usize::saturating_sub(row, count);
                    }
                    'B' => row = (row + count).min(lines.len() - 1),
                    'C' => column += count,
                    'D' => column = usize::saturating_sub(column, count),
                    'K' if number == "2" => lines[row].clear(),
                    'K' => lines[row].truncate(column),
                    'J' => {
                        lines[row].truncate(column);
                        lines.truncate(row + 1);
                    }
                    'm' | 'h' | 'l' => {}
                    unknown => panic!("the terminal doesn't know {unknown}"),
                }
            }
            character => {
                // A full line goes on in the next with the character that has no room any more.
                if column == WIDTH {
                    (row, column) = (row + 1, 0);
                    lines.resize(lines.len().max(row + 1), Vec::new());
                }
                let line = &mut lines[row];
                if line.len() <= column {
                    line.resize(column + 1, ' ');
                }
                line[column] = character;
                column += 1;
            }
        }
    }
    frames.push(text(&lines));
    frames
}
