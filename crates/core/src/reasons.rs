//! Why a file could not be read, in words: libraries say it in their own.

use std::io;

/// `there is no such file`; a rare one as the system says it.
pub fn of_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "its permissions do not allow it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::NotADirectory => "a file stands where a directory is named".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}

/// Why a text is not the JSON that it should be, with the place.
pub fn of_json(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "its keys are not those of one",
        _ => "it is not valid JSON",
    };
    format!("{what} (line {}, column {})", error.line().max(1), error.column().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_words() {
        let missing = std::fs::read("/no/such/file").map_err(|error| of_io(&error));
        assert_eq!(missing, Err("there is no such file or directory".to_owned()));
        let json = |text: &str| serde_json::from_str::<Vec<u8>>(text).map_err(|error| of_json(&error));
        assert_eq!(json("[1,"), Err("it is not valid JSON (line 1, column 3)".to_owned()));
        assert_eq!(json("{}"), Err("its keys are not those of one (line 1, column 1)".to_owned()));
    }
}
