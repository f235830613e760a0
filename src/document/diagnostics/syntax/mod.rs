//! Syntax errors of a text as TOML, whatever its subject.
//!
//! A text that is too large to parse is refused first (`limits`). Then the syntax errors are
//! counted without making tables (`prescan`). Then the text is read without its broken lines, so
//! that one error hides no other (`recover`), and each error is explained in the author's terms
//! (`hints`).

mod hints;
mod limits;
mod portability;
mod prescan;
mod recover;
mod repetitions;
mod strings;
mod unclosed;

pub(in crate::document) use self::limits::check_limits;
pub(in crate::document) use self::portability::{byte_order_mark, newer_than_1_0};
pub(in crate::document) use self::prescan::prescan;
pub(in crate::document) use self::recover::recover;
