//! The change as a patch.

use std::io::{self, Write};

use similar::TextDiff;

use crate::migrate::Prepared;
use crate::report::{Paint, quoted};

/// A unified diff that `git apply` takes, byte for byte.
pub fn diff(files: &[Prepared], out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    for file in files {
        let [old, new] = [&file.old, &file.new].map(|text| text.as_deref().unwrap_or_default());
        let side = |side: &str| quoted(&format!("{side}/{}", file.path)).into_owned();
        let name = |one: &str, text: &Option<String>| match text {
            // Git reads a name with blanks up to a tab.
            Some(_) if file.path.as_str().contains(' ') => format!("{}\t", side(one)),
            Some(_) => side(one),
            None => "/dev/null".to_owned(),
        };
        let (a, b) = (side("a"), side("b"));
        // `git apply` knows a new file, or one that goes, by this line alone.
        match (&file.old, &file.new) {
            (None, _) => writeln!(out, "diff --git {a} {b}\nnew file mode 100644")?,
            (_, None) => writeln!(out, "diff --git {a} {b}\ndeleted file mode 100644")?,
            _ => {}
        }
        let diff = TextDiff::from_lines(old, new);
        let mut unified = diff.unified_diff();
        unified.header(&name("a", &file.old), &name("b", &file.new));
        let mut text = Vec::new();
        unified.to_writer(&mut text)?;
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let painted = match line.as_bytes().first() {
                Some(b'+') => paint.green(&line),
                Some(b'-') => paint.red(&line),
                Some(b'@') => paint.cyan(&line),
                _ => line.into_owned(),
            };
            out.write_all(painted.as_bytes())?;
        }
    }
    Ok(())
}
