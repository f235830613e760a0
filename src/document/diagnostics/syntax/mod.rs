//! What is wrong with a text as TOML, whatever its subject.
//!
//! A text that must not be parsed is refused first (`limits`). Syntax errors are counted without
//! making tables (`survey`); then the text is read without its broken lines, so that one error hides
//! no other (`mend`), and each is told in the author's words (`hints`).

mod hints;
mod limits;
mod mend;
mod portability;
mod repetitions;
mod strings;
mod survey;
mod unclosed;

pub(in crate::document) use self::limits::refuse;
pub(in crate::document) use self::mend::mend;
pub(in crate::document) use self::portability::{byte_order_mark, newer_than_1_0};
pub(in crate::document) use self::survey::survey;
