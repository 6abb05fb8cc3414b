//! [`Scrub`]: what servers say, without the credentials of this run.
//!
//! A server may send back what it was sent, at once or later, as it came or encoded. So every credential is learned
//! before it is used, and every text of a server passes through here before anything else is done to it: before a code
//! is put into upper case, and before a text is cut, since a cut credential is not recognised any more. Where a
//! credential shows only once the text is decoded, none of the text is printed.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::credential::Credential;
use super::secret::Secret;
use pullthru_core::printable::printable;

/// What stands for a credential.
const HIDDEN: &str = "***";

/// A shorter secret is part of ordinary words; replacing it would show where it is, not hide it.
const SHORTEST: usize = 4;

/// Encodings within encodings that are looked through.
const DEPTH: usize = 3;

/// Readings of one text that are looked at.
const VIEWS_MAX: usize = 64;

/// Characters of a text that are looked at, far more than are printed.
const READ_MAX: usize = 16 * 1024;

/// Letters of base64 in a row that are decoded: fewer hold no secret.
const ENCODED_MIN: usize = 6;

/// All credentials of a run.
#[derive(Default)]
pub struct Scrub(Mutex<Known>);

#[derive(Default)]
struct Known {
    secrets: HashSet<Secret>,
    /// As they would be printed.
    printed: Forms,
    /// In base64, within something else or not.
    encoded: Forms,
}

/// Texts in lower case, by how they begin: a run may have a token for each repository, and a text is looked through once,
/// however many there are.
#[derive(Default)]
struct Forms(HashMap<[u8; SHORTEST], Vec<String>>);

impl Scrub {
    /// Takes a secret in, once.
    pub fn learn(&self, secret: &Secret) {
        let text = secret.reveal();
        if text.len() < SHORTEST {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.secrets.insert(secret.clone()) {
            known.printed.add(text);
            known.printed.add(&printable(text, usize::MAX));
            aligned(text).iter().for_each(|form| known.encoded.add(form));
        }
    }

    /// Takes in what of a login a server could give away: the secret, and its form on the wire.
    pub(super) fn learn_login(&self, credential: &Credential) {
        self.learn(credential.secret());
        if let Credential::Password { user, password } = credential {
            self.learn(&Secret::new(STANDARD.encode(format!("{user}:{}", password.reveal()))));
            // Some services take a token as the user.
            if matches!(password.reveal(), "" | "x-oauth-basic" | "x-token-auth") {
                self.learn(&Secret::new(user.as_str()));
            }
        }
    }

    /// A server's text in one line of at most `max` characters, with nothing in it that must not be printed.
    pub fn quote(&self, text: &str, max: usize) -> String {
        let whole = printable(text, usize::MAX);
        let line = printable(&whole, READ_MAX);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hidden = known.printed.hide(&line);
        // Beyond what is read a credential may begin that what was hidden makes room for.
        let is_cut = line != whole && hidden != line;
        if is_cut || views(&hidden).iter().any(|view| known.is_in(view)) {
            return HIDDEN.to_owned();
        }
        printable(&hidden, max)
    }

    /// Does a text hold a credential, in whatever form?
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.quote(text, usize::MAX) != printable(text, usize::MAX)
    }
}

impl Known {
    fn is_in(&self, text: &str) -> bool {
        [&self.printed, &self.encoded].iter().any(|forms| !forms.places(text).is_empty())
    }
}

impl Forms {
    fn add(&mut self, text: &str) {
        let form = text.to_ascii_lowercase();
        if let Some(start) = form.as_bytes().first_chunk().copied() {
            self.0.entry(start).or_default().push(form);
        }
    }

    /// Their places in a text, in whatever case; of two that overlap, the whole.
    fn places(&self, text: &str) -> Vec<Range<usize>> {
        // It has the same length: only ASCII is changed.
        let lower = text.to_ascii_lowercase();
        let mut places: Vec<Range<usize>> = Vec::new();
        for (at, start) in lower.as_bytes().windows(SHORTEST).enumerate() {
            let begun = <[u8; SHORTEST]>::try_from(start).ok().and_then(|start| self.0.get(&start));
            let rest = lower.as_bytes().get(at..).unwrap_or_default();
            let there = begun.into_iter().flatten().filter(|form| rest.starts_with(form.as_bytes()));
            let Some(length) = there.map(String::len).max() else { continue };
            match places.last_mut().filter(|last| at < last.end) {
                Some(last) => last.end = last.end.max(at + length),
                None => places.push(at..at + length),
            }
        }
        places
    }

    /// `text` with each of them replaced.
    fn hide(&self, text: &str) -> String {
        let mut out = String::new();
        let mut from = 0;
        for place in self.places(text) {
            out.push_str(text.get(from..place.start).unwrap_or_default());
            out.push_str(HIDDEN);
            from = place.end;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        out
    }
}

/// The base64 of a text wherever it may stand in what is encoded: at each of three places, without the letters at its
/// ends that depend on what is beside it; in both alphabets.
fn aligned(text: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for (before, dropped) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&vec![0; before], text.as_bytes()].concat();
        let encoded = STANDARD.encode(&bytes);
        let end = encoded.trim_end_matches('=').len() - usize::from(bytes.len() % 3 != 0);
        let form = encoded.get(dropped..end).unwrap_or_default().to_owned();
        if form.len() >= ENCODED_MIN {
            forms.push(form.replace('+', "-").replace('/', "_"));
            forms.push(form);
        }
    }
    forms
}

/// A text and what it comes to when it is decoded, again and again.
fn views(text: &str) -> Vec<String> {
    let mut views = vec![text.to_owned()];
    let mut from = 0;
    for _ in 0..DEPTH {
        let before = views.len();
        for index in from..before {
            let Some(view) = views.get(index).cloned() else { break };
            let decoded = [percent_decoded(&view), unescaped(&view), hex_decoded(&view)];
            let shifted = (0..4).map(|shift| base64_decoded(&view, shift));
            for other in decoded.into_iter().chain(shifted) {
                if views.len() < VIEWS_MAX && !other.is_empty() && !views.contains(&other) {
                    views.push(other);
                }
            }
        }
        from = before;
    }
    views
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%').then(|| after.get(..2).and_then(hex)).flatten();
        out.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The escapes of JSON, of other languages' strings, and of HTML.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let number = |skip: usize, length: usize, radix| {
            let digits = rest.get(skip..skip + length)?;
            Some((char::from_u32(u32::from_str_radix(digits, radix).ok()?)?, skip + length))
        };
        let entity = |skip: usize, radix| {
            let length = rest.get(skip..)?.find(';').filter(|length| *length < 8)?;
            number(skip, length, radix).map(|(c, taken)| (c, taken + 1))
        };
        let (c, taken) = match rest.as_bytes() {
            [b'\\', b'u', ..] => number(2, 4, 16),
            [b'\\', b'x', ..] => number(2, 2, 16),
            [b'\\', ..] => rest.chars().nth(1).map(|c| (c, 1 + c.len_utf8())),
            [b'&', b'#', b'x' | b'X', ..] => entity(3, 16),
            [b'&', b'#', ..] => entity(2, 10),
            _ => None,
        }
        .unwrap_or((c, c.len_utf8()));
        out.push(c);
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

fn hex_decoded(text: &str) -> String {
    let runs = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 2 * SHORTEST);
    let decoded = runs.map(|run| {
        let bytes: Vec<u8> = run.as_bytes().chunks_exact(2).filter_map(hex).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    decoded.collect::<Vec<_>>().join("\n")
}

/// Every run of base64 of either alphabet, decoded from its letter `shift` on.
fn base64_decoded(text: &str, shift: usize) -> String {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&ALPHABET, config);
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    let runs = text.split(|c| !is_letter(c)).filter(|run| run.len() >= ENCODED_MIN);
    let decoded = runs.filter_map(|run| {
        let run = run.replace('-', "+").replace('_', "/");
        let run = run.get(shift..)?;
        // One letter alone at the end is six bits of a byte.
        let run = run.get(..run.len() - usize::from(run.len() % 4 == 1))?;
        Some(String::from_utf8_lossy(&engine.decode(run).ok()?).into_owned())
    });
    decoded.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const PASSWORD: &str = "Hunter2/pass+word";

    fn scrub() -> Scrub {
        let scrub = Scrub::default();
        scrub.learn_login(&Credential::password("me", PASSWORD));
        scrub
    }

    fn escaped(text: &str) -> String {
        text.chars().map(|c| format!("\\u{:04X}", u32::from(c))).collect()
    }

    fn percent(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02x}")).collect()
    }

    #[test]
    fn what_is_sent_back_is_replaced() {
        let scrub = scrub();
        let login = STANDARD.encode(format!("me:{PASSWORD}"));
        for text in [
            PASSWORD.to_owned(),
            PASSWORD.to_uppercase(),
            PASSWORD.to_lowercase(),
            login.clone(),
            login.to_uppercase(),
            "Hun\u{200b}ter2/pass+word".to_owned(),
        ] {
            assert_eq!(scrub.quote(&format!("bad <{text}>, really"), 300), "bad <***>, really", "{text}");
        }
    }

    #[test]
    fn what_is_sent_back_encoded_is_not_printed() {
        let scrub = scrub();
        let hex: String = PASSWORD.bytes().map(|byte| format!("{byte:02X}")).collect();
        for text in [
            STANDARD.encode(PASSWORD),
            STANDARD.encode(PASSWORD).to_uppercase(),
            STANDARD.encode(format!("x{PASSWORD}")),
            URL_SAFE_NO_PAD.encode(format!("xx{PASSWORD}, and more")),
            percent(PASSWORD),
            PASSWORD.replace('/', "%2F").replace('+', "%2b"),
            percent(&percent(PASSWORD)),
            percent(&STANDARD.encode(PASSWORD)),
            escaped(PASSWORD),
            PASSWORD.replace('/', "\\/"),
            escaped(&percent(PASSWORD)),
            STANDARD.encode(percent(PASSWORD)),
            STANDARD.encode(STANDARD.encode(PASSWORD)),
            PASSWORD.replace('H', "&#x48;").replace('t', "&#116;"),
            hex,
        ] {
            let quoted = scrub.quote(&format!("bad <{text}>, really"), 300);
            assert!(quoted == HIDDEN || quoted == "bad <***>, really", "{text}: {quoted}");
        }
    }

    #[test]
    fn what_is_cut_is_looked_at_first() {
        let scrub = scrub();
        for before in [0, 1, 5, 10, 17, 20] {
            let quoted = scrub.quote(&format!("{}{PASSWORD}", "x".repeat(before)), 12);
            assert!(!quoted.contains("Hun"), "{quoted}");
        }
        let long = format!("{PASSWORD} ").repeat(5000);
        assert_eq!(scrub.quote(&long, 300), HIDDEN);
    }

    #[test]
    fn other_texts_stay() {
        let scrub = scrub();
        scrub.learn(&Secret::new("abc"));
        scrub.learn(&Secret::new(""));
        for text in ["manifest unknown", "abc", "100% of %zz \\u12 &#; aGVsbG8gd29ybGQ=", "hunter2"] {
            assert_eq!(scrub.quote(text, 300), text);
            assert!(!scrub.is_in(text));
        }
        assert!(scrub.is_in(&format!("v1-{PASSWORD}")));
        assert_eq!(Scrub::default().quote(PASSWORD, 300), PASSWORD);
    }

    #[test]
    fn of_two_that_overlap_the_whole_is_hidden() {
        let scrub = Scrub::default();
        for secret in ["abcdef", "cdefghij", "cdef", "ghij-é"] {
            scrub.learn(&Secret::new(secret));
        }
        assert_eq!(scrub.quote("x ABCDEFGHIJ-É y", 300), "x ***-É y");
        assert_eq!(scrub.quote("x abcdefghij-é, cdef", 300), "x ***, ***");
    }

    #[test]
    fn a_token_in_the_place_of_a_user_is_a_secret() {
        let scrub = Scrub::default();
        scrub.learn_login(&Credential::password("ghp_token", "x-oauth-basic"));
        assert_eq!(scrub.quote("no such user GHP_TOKEN", 300), "no such user ***");
    }

    proptest::proptest! {
        #[test]
        fn of_anything(text in r#"(%|[0-9a-f]|\\|u|x|&#|;|é| |=|Hunter2/pass\+word){0,60}"#) {
            let quoted = scrub().quote(&text, 40);
            proptest::prop_assert!(!quoted.contains(PASSWORD) && quoted.chars().count() <= 42);
        }
    }
}
