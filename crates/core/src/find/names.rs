//! What the names of keys, flags and variables say: their words, and which of them are called after an image.

/// The words of a flag, a variable or a key in lower case: `imageRegistry` and `IMAGE_REGISTRY` are the same two.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    // Was the character before a capital letter? Nothing stands before the first of a word.
    let mut before: Option<bool> = None;
    for character in name.chars() {
        if !character.is_ascii_alphanumeric() {
            before = None;
            continue;
        }
        let capital = character.is_ascii_uppercase();
        let begins = before.is_none_or(|before_capital| capital && !before_capital);
        match words.last_mut() {
            Some(word) if !begins => word.push(character.to_ascii_lowercase()),
            _ => words.push(character.to_ascii_lowercase().to_string()),
        }
        before = Some(capital);
    }
    words
}

/// What stands in every key that may hold such a name or stands beside one: `image`, `Images`, `REPOSITORY`.
pub(super) const IMAGE_WORDS: [&str; 4] = ["mage", "MAGE", "epository", "EPOSITORY"];

pub(super) fn has_image_word(text: &str) -> bool {
    IMAGE_WORDS.iter().any(|word| text.contains(word))
}

/// `image`, `workerImage`, `WORKER_IMAGE`, `imageName`.
pub(super) fn is_image_key(key: &str) -> bool {
    if !has_image_word(key) {
        return false;
    }
    let lower = key.to_ascii_lowercase().replace(['_', '-'], "");
    lower.ends_with("image") || lower.ends_with("imagename")
}

pub(super) fn is_repository_key(key: &str) -> bool {
    has_image_word(key) && key.to_ascii_lowercase().ends_with("repository")
}
